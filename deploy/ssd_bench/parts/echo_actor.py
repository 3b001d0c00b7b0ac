"""An actor that answers every timestep at once, without a thought: the other end of a link.

A process of its own, started with `python -m ssd_bench.parts.echo_actor`.
"""

from __future__ import annotations

import click
import numpy as np

from ssd_bench.parts.plans import plan_for, sizes_of
from ssd_wire.codec import decode, encode
from ssd_wire.links import Dealer, Waiting
from ssd_wire.messages import Act, Timestep
from ssd_wire.stop import Stop


@click.command()
@click.option("--endpoint", required=True)
@click.option("--game", required=True)
@click.option("--games", required=True, type=int)
@click.option("--lifeline", required=True, type=int)
def main(endpoint: str, game: str, games: int, lifeline: int) -> None:
    """Answer until the lifeline closes."""
    stop = Stop(lifeline)
    dealer = Dealer(endpoint, b"echo")
    waiting = Waiting(stop, [dealer])
    sizes = sizes_of(plan_for(game, "moa", games))
    action = np.zeros(games, np.uint8)
    known = False  # whether the other end has learned our name from a first Act
    while not stop.requested:
        known = known or dealer.send(encode(Act(0, 0, 0, action)))
        waiting.wait(1.0 if known else 0.02)
        for frames in dealer.receive():
            seen = decode(frames, (Timestep,), sizes)
            assert isinstance(seen, Timestep)  # noqa: S101 - told to mypy
            dealer.send(encode(Act(seen.world, seen.lane, seen.tick, action)))


if __name__ == "__main__":
    main()
