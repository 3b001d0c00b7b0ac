"""Two processes and a link: a timestep there and an act back, and the world's own server."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from ssd_actors.world import World
from ssd_bench.parts import inputs, plans
from ssd_bench.parts.timing import Part, Work
from ssd_run.plan import Plan
from ssd_wire.codec import decode
from ssd_wire.links import Dealer, Router
from ssd_wire.messages import Act, Join
from ssd_wire.runfile import fingerprint

PATIENCE = 120.0  # seconds for a process to start, compile its kernels if need be, and answer


def parts(game: str) -> Iterator[Part]:
    """The link alone in batches of 16, 64 and 256 games, and the world in the first two."""
    for games in plans.GAMES:
        yield Part(f"link/{game}/B{games}", partial(_round_trips, game, games))
    for games in plans.GAMES[:2]:
        yield Part(f"world/{game}/B{games}", partial(_thoughtless_play, game, games))


@contextmanager
def _round_trips(game: str, games: int) -> Iterator[Work]:
    """One after the other: encode, send, wake the peer; it decodes, answers, and wakes us."""
    sizes = plans.sizes_of(plans.plan_for(game, "moa", games))
    seen = inputs.timesteps(game, games)[0]
    ticks = count(1)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ssd-"))
        router = stack.enter_context(closing(Router(f"ipc://{folder}/link")))
        options = (f"--endpoint={router.endpoint}", f"--game={game}", f"--games={games}")
        echo = (sys.executable, "-m", "ssd_bench.parts.echo_actor", *options)
        stack.enter_context(_child(*echo))
        peer, _ = _next(router)

        def go() -> None:
            tick = next(ticks)
            router.send(peer, replace(seen, tick=tick))
            _, frames = _next(router)
            act = decode(frames, (Act,), sizes)
            if not isinstance(act, Act) or act.tick != tick:
                raise RuntimeError(f"wanted an act for tick {tick}, found {act}")

        yield Work(go, games, also={"message pairs": 1}, clock=time.perf_counter)


@contextmanager
def _thoughtless_play(game: str, games: int) -> Iterator[Work]:
    """The real ssd-env, and all its actors' ends in this process, where nobody thinks."""
    plan = plans.plan_for(game, "moa", games)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ssd-")))
        (folder / "run.toml").write_text(plan.toml())
        endpoint = f"ipc://{folder / 'world'}"
        server = (str(Path(sys.executable).parent / "ssd-env"), f"--run={folder / 'run.toml'}")
        stack.enter_context(_child(*server, "--arena=0", f"--bind={endpoint}"))
        dealers = [
            stack.enter_context(closing(Dealer(endpoint, f"bench-{agent}".encode())))
            for agent in range(plan.game.agents)
        ]
        worlds = [_seat(plan, agent, dealer) for agent, dealer in enumerate(dealers)]
        action = np.zeros(games, np.uint8)

        def go() -> None:
            """As many timesteps as there are lanes, for agent 0; the others keep up."""
            answered, began = 0, time.monotonic()
            while answered < plan.run.lanes:
                dealers[0].socket.poll(1)  # ms; when it is agent 0's turn it is everyone's
                for agent, world in enumerate(worlds):
                    for seen in world.timesteps():
                        world.act(Act(seen.world, seen.lane, seen.tick, action))
                        answered += agent == 0
                if time.monotonic() - began > PATIENCE:
                    raise RuntimeError(f"ssd-env did not answer within {PATIENCE:.0f} s")

        env_steps = plan.run.lanes * games
        agent_steps = env_steps * plan.game.agents
        yield Work(go, agent_steps, also={"env-steps": env_steps}, clock=time.perf_counter)


def _seat(plan: Plan, agent: int, dealer: Dealer) -> World:
    mark = fingerprint(plan.run, plan.game, plan.experiment, plan.network)
    join = Join(agent, incarnation=secrets.randbits(62), fingerprint=mark)
    return World(dealer, join, plan.run.lanes, plans.sizes_of(plan), time.monotonic)


def _next(router: Router) -> tuple[bytes, list[bytes]]:
    if not router.socket.poll(int(1000 * PATIENCE)):
        raise RuntimeError(f"the other process did not answer within {PATIENCE:.0f} s")
    return next(router.receive())


@contextmanager
def _child(*command: str) -> Iterator[None]:
    """A process that ends with this context, or with this process, however that ends."""
    lifeline, held_open = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            [*command, f"--lifeline={lifeline}"],
            pass_fds=(lifeline,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    finally:
        os.close(lifeline)
    try:
        yield
    finally:
        os.close(held_open)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
