"""Messages: made and encoded by their sender, decoded and checked by their receiver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial

from ssd_bench.parts import inputs, plans
from ssd_bench.parts.timing import Part, Work
from ssd_wire.codec import decode, encode
from ssd_wire.messages import Act, Message, Segment, Timestep

GAMES = (16, 64)


def parts(game: str) -> Iterator[Part]:
    """Timestep, Act and Segment, both ways."""
    for kind in (Timestep, Act, Segment):
        for games in GAMES:
            for way in ("encode", "decode"):
                name = f"wire/{game}/{kind.__name__.lower()}/B{games}/{way}"
                yield Part(name, partial(_passing_on, game, kind, games, way))


@contextmanager
def _passing_on(game: str, kind: type[Message], games: int, way: str) -> Iterator[Work]:
    message = _message(game, kind, games)
    values = {field.name: getattr(message, field.name) for field in fields(message)}
    frames = [bytes(frame) for frame in encode(message)]
    sizes = plans.sizes_of(plans.plan_for(game, "moa", games))

    def go() -> None:
        encode(kind(**values)) if way == "encode" else decode(frames, (kind,), sizes)

    steps = plans.STEPS if kind is Segment else 1
    yield Work(go, steps * games, also={"messages": 1, "GB": sum(map(len, frames)) / 1e9})


def _message(game: str, kind: type[Message], games: int) -> Message:
    seen = inputs.timesteps(game, games)[0]
    if kind is Timestep:
        return seen
    if kind is Act:
        return Act(seen.env_incarnation, seen.lane, seen.tick, seen.actions[:, inputs.AGENT].copy())
    network = inputs.mind_of(plans.plan_for(game, "moa")).network
    return inputs.segment_of(game, plans.STEPS, games, network.state_size)
