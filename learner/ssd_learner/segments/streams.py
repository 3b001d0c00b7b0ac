"""Groups segments into streams: consecutive segments of one lane."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ssd_wire.messages import Segment


def group_consecutive(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Streams of consecutive segments, each of which `concatenate_time` accepts.

    A lane's next segment starts a new stream where its environment was restarted in between.
    """
    lanes: dict[tuple[int, int], list[list[Segment]]] = {}
    for segment in segments:
        streams = lanes.setdefault((segment.epoch, segment.lane), [])
        if streams and _continues(streams[-1][-1], segment):
            streams[-1].append(segment)
        else:
            streams.append([segment])
    return [stream for streams in lanes.values() for stream in streams]


def _continues(before: Segment, after: Segment) -> bool:
    """Whether the last view of one segment is the first view of the other."""
    return all(
        np.array_equal(getattr(before, name)[-overlap:], getattr(after, name)[:overlap])
        for name, overlap in (("is_first", 1), ("pixels", 1), ("actions", 2))
    )
