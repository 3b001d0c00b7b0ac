"""Messages: made and encoded by their sender, decoded and checked by their receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
            name = f"wire/{game}/{kind.__name__.lower()}/B{games}"
            yield Part(f"{name}/encode", partial(_encoding, game, kind, games))
            yield Part(f"{name}/decode", partial(_decoding, game, kind, games))


@contextmanager
def _encoding(game: str, kind: type[Message], games: int) -> Iterator[Work]:
    message = _message(game, kind, games)
    values = {field.name: getattr(message, field.name) for field in fields(message)}
    yield _work(lambda: encode(kind(**values)), message, games)


@contextmanager
def _decoding(game: str, kind: type[Message], games: int) -> Iterator[Work]:
    message = _message(game, kind, games)
    frames = [bytes(frame) for frame in encode(message)]
    sizes = plans.sizes_of(plans.plan_for(game, "moa", games))
    yield _work(lambda: decode(frames, (kind,), sizes), message, games)


def _message(game: str, kind: type[Message], games: int) -> Message:
    seen = inputs.timesteps(game, games)[0]
    if kind is Timestep:
        return seen
    if kind is Act:
        return Act(seen.world, seen.lane, seen.tick, seen.actions[:, inputs.AGENT].copy())
    network = inputs.mind_of(plans.plan_for(game, "moa")).network
    return inputs.segment_of(game, plans.STEPS, games, network.state_size)


def _work(go: Callable[[], object], message: Message, games: int) -> Work:
    steps = plans.STEPS if isinstance(message, Segment) else 1
    size = sum(memoryview(frame).nbytes for frame in encode(message))
    return Work(go, steps * games, also={"messages": 1, "GB": size / 1e9})
