"""Two processes and a link: a timestep there and an act back, and the real environment server."""

from __future__ import annotations

import multiprocessing
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from ssd_actors.env_client import EnvClient
from ssd_bench.child_process import PATIENCE, child_process
from ssd_bench.parts import inputs, plans
from ssd_bench.parts.timing import Part, Work
from ssd_run.plan import Plan
from ssd_wire.codec import decode, encode
from ssd_wire.links import Dealer, Router
from ssd_wire.messages import Act, Join, Timestep
from ssd_wire.runfile import fingerprint


def parts(game: str) -> Iterator[Part]:
    """The link alone in batches of 16, 64 and 256 games, and the server in the first two."""
    for games in plans.GAMES:
        yield Part(f"link/{game}/B{games}", partial(_round_trips, game, games))
    for games in plans.GAMES[:2]:
        yield Part(f"world/{game}/B{games}", partial(_serving, game, games))


@contextmanager
def _round_trips(game: str, games: int) -> Iterator[Work]:
    """One after the other: encode, send, wake the peer; it decodes, answers, and wakes us."""
    sizes = plans.sizes_of(plans.plan_for(game, "moa", games))
    seen, ticks = inputs.timesteps(game, games)[0], count(1)
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ssd-"))
        router = stack.enter_context(closing(Router(f"ipc://{folder}/link")))
        echo = spawn.Process(target=_echo, args=(router.endpoint, sizes), daemon=True)
        echo.start()
        stack.callback(echo.join)
        stack.callback(echo.terminate)
        peer, _ = _next(router)

        def go() -> None:
            tick = next(ticks)
            router.send(peer, replace(seen, tick=tick))
            act = decode(_next(router)[1], (Act,), sizes)
            if not isinstance(act, Act) or act.tick != tick:
                raise RuntimeError(f"wanted an act for tick {tick}, found {act}")

        yield Work(go, games, also={"message pairs": 1}, clock=time.perf_counter)


def _echo(endpoint: str, sizes: dict[str, int]) -> None:
    """The other end of the link: answers every timestep at once, as long as its parent lives."""
    dealer, parent = Dealer(endpoint), multiprocessing.parent_process()
    action = np.zeros(sizes["B"], np.uint8)
    while not dealer.send(encode(Act(0, 0, 0, action))):
        time.sleep(0.02)  # not connected yet; this tells the other end our name
    while parent is not None and parent.is_alive():
        dealer.socket.poll(1000)
        for frames in dealer.receive():
            seen = decode(frames, (Timestep,), sizes)
            assert isinstance(seen, Timestep)  # noqa: S101 - told to mypy
            dealer.send(encode(Act(seen.env_incarnation, seen.lane, seen.tick, action)))


def _next(router: Router) -> tuple[bytes, list[bytes]]:
    if not router.socket.poll(int(1000 * PATIENCE)):
        raise RuntimeError(f"the other process did not answer within {PATIENCE:.0f} s")
    return next(router.receive())


@contextmanager
def _serving(game: str, games: int) -> Iterator[Work]:
    """The real ssd-env, and all its actors' ends in this process, which compute nothing."""
    plan = plans.plan_for(game, "moa", games)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ssd-")))
        (folder / "run.toml").write_text(plan.toml())
        endpoint = f"ipc://{folder / 'world'}"
        options = (f"--run={folder / 'run.toml'}", "--arena=0", f"--bind={endpoint}")
        stack.enter_context(child_process("ssd_env_server.cli", *options))
        dealers = [stack.enter_context(closing(Dealer(endpoint))) for _ in range(plan.game.agents)]
        worlds = [_seat(plan, agent, dealer) for agent, dealer in enumerate(dealers)]
        action = np.zeros(games, np.uint8)

        def go() -> None:
            """As many timesteps as there are lanes, for agent 0; the others keep up."""
            answered, began = 0, time.monotonic()
            while answered < plan.run.lanes:
                dealers[0].socket.poll(1)  # ms; when it is agent 0's turn it is everyone's
                for agent, world in enumerate(worlds):
                    for seen in world.timesteps():
                        world.act(Act(seen.env_incarnation, seen.lane, seen.tick, action))
                        answered += agent == 0
                if time.monotonic() - began > PATIENCE:
                    raise RuntimeError(f"ssd-env did not answer within {PATIENCE:.0f} s")

        env_steps = plan.run.lanes * games
        steps = env_steps * plan.game.agents
        yield Work(go, steps, also={"env-steps": env_steps}, clock=time.perf_counter)


def _seat(plan: Plan, agent: int, dealer: Dealer) -> EnvClient:
    mark = fingerprint(plan.run, plan.game, plan.experiment, plan.network)
    join = Join(agent, actor_incarnation=secrets.randbits(62), fingerprint=mark)
    return EnvClient(dealer, join, plan.run.lanes, plans.sizes_of(plan), time.monotonic)
