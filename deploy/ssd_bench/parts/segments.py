"""Segments: built and encoded by an actor, decoded and checked by a learner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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
    dims = replace(inputs.agent_of(config).dims, T=inputs.STEPS)
    segment = inputs.segment_of(game, dims.T, dims.B, dims.S)
    frames = [bytes(frame) for frame in encode(segment)]

    def call() -> None:
        if way == "encode":
            encode(Segment(**vars(segment)))
        else:
            decode(frames, (Segment,), dims.lengths)

    also = {"segments": 1, "GB": sum(map(len, frames)) / 1e9}
    yield Work(call, inputs.STEPS * games, also=also)
