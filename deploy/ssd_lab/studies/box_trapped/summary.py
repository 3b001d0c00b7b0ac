"""The study's table, as markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from ssd_lab.studies.box_trapped.arms import ARMS
from ssd_lab.studies.box_trapped.tables import EpisodeRow, by_arm, shares

HEAD = (
    "arm",
    "box opened",
    "by seed",
    "at step (median)",
    "free agent earns",
    "trapped agent earns",
    "influence per step, nats",
    "at the opening, nats",
)


def markdown(rows: Sequence[EpisodeRow]) -> str:
    """One line per arm, all its seeds together; steps count from 1, returns are per episode.

    Influence is that of the free agent; a dash where it computes none.
    """
    lines = [HEAD, ("---",) * len(HEAD), *map(_cells, by_arm(rows).values())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(rows: Sequence[EpisodeRow]) -> Iterator[str]:
    opened = [row for row in rows if row.opened_at]
    yield ARMS[rows[0].arm].label
    yield f"**{len(opened) / len(rows):.1%}** of {len(rows)}"
    yield ", ".join(f"{share:.0%}" for share in shares(rows).values())
    yield f"{statistics.median(row.opened_at for row in opened):g}" if opened else "–"
    yield f"{statistics.fmean(row.free_return for row in rows):.1f}"
    yield f"{statistics.fmean(row.trapped_return for row in rows):.1f}"
    has_influence = any(row.influence for row in rows)
    yield f"{statistics.fmean(row.influence for row in rows):.2g}" if has_influence else "–"
    at_opening = [row.influence_at_opening for row in opened]
    yield f"{statistics.fmean(at_opening):.2g}" if has_influence and opened else "–"
