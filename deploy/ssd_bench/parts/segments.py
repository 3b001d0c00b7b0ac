"""Segments: built and encoded by an actor, decoded and checked by a learner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ssd_bench.parts import inputs
from ssd_bench.parts.timing import Part, Work
from ssd_wire.codec import decode, encode
from ssd_wire.messages import Segment


def parts(game: str) -> Iterator[Part]:
    """Both, with B = 16 and 64 games in a segment."""
    for games in inputs.GAMES[:2]:
        for way in ("encode", "decode"):
            name = f"segment/{game}/B{games}/{way}"
            yield Part(name, partial(_encode_or_decode, game, games, way))


@contextmanager
def _encode_or_decode(game: str, games: int, way: str) -> Iterator[Work]:
    config = inputs.config_for(game, "moa", games)
    state_size = inputs.agent_of(config).network.state_size
    segment = inputs.segment_of(game, inputs.STEPS, games, state_size)
    frames, sizes = [bytes(frame) for frame in encode(segment)], inputs.sizes_of(config)

    def call() -> None:
        encode(Segment(**vars(segment))) if way == "encode" else decode(frames, (Segment,), sizes)

    also = {"segments": 1, "GB": sum(map(len, frames)) / 1e9}
    yield Work(call, inputs.STEPS * games, also=also)
