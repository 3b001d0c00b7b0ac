"""The capacity page, from measured figures: `python -m ssd_lab.load.capacity FOLDER`.

The page is written beside them; see `ssd_lab.load.findings` for what FOLDER holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ssd_lab.load.findings import Findings, find
from ssd_lab.load.model import asked, bottleneck, heard, hours, reached
from ssd_wire.process import reports_errors, write_whole

PAGE = "capacity.md"
MANY = (10, 100, 1000)
GOALS = (1e8, 1e9)


def page(found: Findings) -> str:
    """The whole page."""
    parts = (
        "# Capacity",
        "How many arenas a run can have, and what stops it. Every figure below is computed from "
        "those stored beside this page; `capacity.sh` measures them and writes this page.",
        f"Measured on {found.machine['cores']} cores of {found.machine['processor']}; "
        f"{_setting(found.trained[0])}. A learner whose name says *assumed* was not measured.",
        *found.notes,
        "## What one learner takes",
        _loads(found.trained),
        "The same loop, messages and sockets, with an update that drops its batch:",
        _loads(found.taken),
        "Actors that make only so much each, as an arena does, and wait only when the learner "
        f"falls behind; here {found.paced[0]['own_steps_per_second_each']:,.0f} own-steps/s:",
        _paced(found.paced),
        "## What is sent",
        _traffic(found),
        "One publisher, so many subscribers on one machine, each of which hears every version:",
        _fanouts(found.published),
        "## Arenas per learner",
        "A core's rate is what its processor time per own-step allows; so it is that of a core "
        "with nothing else to do.",
        _arenas_per_learner(found),
        "## What stops more arenas",
        "The share of each part that the arenas ask for; the largest is the bottleneck. A part on "
        "the way of segments that is asked for more than 100 % slows all arenas to its own pace. "
        "One on the way of weights, asked at that pace, slows nobody: publications are dropped, "
        "and actors act with older weights. Worlds and actors are not in the tables, for each "
        "arena brings its own.",
        *_bottlenecks(found),
        "## Hours",
        "Hours to so many env-steps (each is one own-step for every agent), by arenas:",
        *_hours(found),
    )
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _setting(row: Mapping[str, Any]) -> str:
    return (
        f"{row['preset']}, lanes × games {row['lanes']} × {row['games']}, "
        f"T = {row['steps']}, segments in a batch: {row['batch_segments']}; "
        f"medians of {row['repeats']} windows of {row['figures']['seconds']:.0f} s"
    )


def _loads(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ("actors", "own-steps/s", "segments/s", "MB/s", "updates/s", "in updates", "CPU")
    cells = [
        (
            f"{row['actors']}",
            f"{row['figures']['own_steps_per_second']:,.0f}",
            f"{row['figures']['segments_per_second']:,.1f}",
            f"{row['figures']['megabytes_per_second']:,.1f}",
            f"{row['figures']['updates_per_second']:,.1f}",
            f"{row['figures']['busy_share']:.1%}",
            f"{row['figures']['cpu_microseconds']:.2f} µs per own-step",
        )
        for row in rows
    ]
    return _table(head, cells)


def _paced(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ("actors", "own-steps/s wanted", "trained", "in updates", "time that actors waited")
    cells = [
        (
            f"{row['actors']}",
            f"{row['actors'] * row['own_steps_per_second_each']:,.0f}",
            f"{row['figures']['own_steps_per_second']:,.0f}",
            f"{row['figures']['busy_share']:.1%}",
            f"{row['figures']['waiting_share']:.1%}",
        )
        for row in rows
    ]
    return _table(head, cells)


def _traffic(found: Findings) -> str:
    costs = found.costs
    each = costs.segment_bytes / costs.segment_steps
    head = ("an agent in one arena", "own-steps/s", "segments, MB/s", "segments/s")
    rows = [
        (
            arena.name,
            f"{arena.own_steps_per_second:,.0f}",
            f"{arena.own_steps_per_second * each / 1e6:.2f}",
            f"{arena.own_steps_per_second / costs.segment_steps:.1f}",
        )
        for arena in found.arenas
    ]
    words = (
        f"A segment has {costs.segment_bytes:,.0f} bytes for {costs.segment_steps:.0f} own-steps: "
        f"{each:.0f} bytes each. A version of the weights has {costs.weights_bytes:,.0f} bytes, "
        "and goes to every arena when a batch has been trained. "
        "To take in an own-step costs a learner "
        f"{costs.ingest_seconds * 1e6:.2f} µs of a core; to publish a version "
        f"{costs.publish_seconds * 1e3:.1f} ms and {costs.subscriber_seconds * 1e3:.2f} ms for "
        f"each arena; a checkpoint takes {costs.checkpoint_seconds * 1e3:.0f} ms."
    )
    return f"{words}\n\n{_table(head, rows)}"


def _fanouts(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ("subscribers", "versions/s", "MB/s", "publishing thread", "with ZeroMQ's thread")
    cells = [
        (
            f"{row['subscribers']}",
            f"{row['updates_per_second']:,.1f}",
            f"{row['megabytes_per_second']:,.0f}",
            f"{row['send_microseconds']:,.0f} µs per version",
            f"{row['cpu_microseconds']:,.0f} µs per version",
        )
        for row in rows
    ]
    return _table(head, cells)


def _arenas_per_learner(found: Findings) -> str:
    head = ("learner", "own-steps/s", *(f"arenas, {arena.name}" for arena in found.arenas))
    rows = [
        (
            learner.name,
            f"{learner.own_steps_per_second:,.0f}",
            *(
                f"{learner.own_steps_per_second / arena.own_steps_per_second:,.1f}"
                for arena in found.arenas
            ),
        )
        for learner in found.learners
    ]
    return _table(head, rows)


def _bottlenecks(found: Findings) -> Iterator[str]:
    for learner in found.learners:
        for arena in found.arenas:
            shares = [asked(found.costs, learner, arena, arenas) for arenas in MANY]
            tops = [bottleneck(one) for one in shares]
            rows = [
                (part, *(_share(one, part, top) for one, top in zip(shares, tops, strict=True)))
                for part in shares[0]
            ]
            made = [reached(found.costs, learner, arena, arenas) for arenas in MANY]
            rows.append(("own-steps/s reached", *(f"{rate:,.0f}" for rate in made)))
            rows.append(("versions heard, of those made", *(f"{heard(one):.1%}" for one in shares)))
            head = [f"{arenas:,} arenas" for arenas in MANY]
            title = f"{learner.name}, {learner.batch_segments} segments a batch; {arena.name}"
            yield _table((title, *head), rows)


def _share(shares: Mapping[str, float], part: str, top: str) -> str:
    words = f"{shares[part]:.1%}" if shares[part] < 1 else f"{shares[part]:,.0%}"
    return f"**{words}**" if part == top else words


def _hours(found: Findings) -> Iterator[str]:
    for goal in GOALS:
        rows = [
            (
                f"{learner.name}; {arena.name}",
                *(
                    f"{hours(goal, reached(found.costs, learner, arena, arenas)):,.2f}"
                    for arenas in (1, *MANY)
                ),
            )
            for learner in found.learners
            for arena in found.arenas
        ]
        head = (f"{goal:,.0f} env-steps", *(f"{arenas:,}" for arenas in (1, *MANY)))
        yield _table(head, rows)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@reports_errors
def main(folder: Path) -> None:
    """Write the capacity page of the figures in FOLDER."""
    write_whole(folder / PAGE, page(find(folder)))
    click.echo(f"wrote {folder / PAGE}")


if __name__ == "__main__":
    main()
