"""What the capacity page is made of, read from the folder it lies in.

The folder holds `load.json`, `ingest.json`, `paced.json` and `fanout.json` as the tools of this
package wrote them, and `capacity.toml` with what they cannot know.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssd_lab.load.model import Arena, Costs, Learner, core_rate, costs_of
from ssd_wire.errors import RunFileError


@dataclass(frozen=True)
class Findings:
    """All that the page is made of.

    Attributes:
        trained, taken, paced, published: Rows of load.json, ingest.json, paced.json, fanout.json.
        machine: Where they were measured.
        costs: What follows from them.
        learners: The measured one, and those that are assumed.
        arenas: How fast one arena is, in several cases.
        notes: On where the figures of capacity.toml come from.
    """

    trained: Sequence[Mapping[str, Any]]
    taken: Sequence[Mapping[str, Any]]
    paced: Sequence[Mapping[str, Any]]
    published: Sequence[Mapping[str, Any]]
    machine: Mapping[str, Any]
    costs: Costs
    learners: Sequence[Learner]
    arenas: Sequence[Arena]
    notes: Sequence[str]


def find(folder: Path) -> Findings:
    """Read the folder.

    Raises:
        RunFileError: when a file is missing, or not what it should be.
    """
    try:
        measured = {
            name: json.loads((folder / f"{name}.json").read_text())
            for name in ("load", "ingest", "paced", "fanout")
        }
        return _findings(measured, tomllib.loads((folder / "capacity.toml").read_text()))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as fault:
        raise RunFileError(f"{folder}: cannot make the page: {fault!r}") from fault


def _findings(measured: Mapping[str, Any], given: Mapping[str, Any]) -> Findings:
    trained, taken, paced, published = (one["rows"] for one in measured.values())
    checkpoint = given["checkpoint"]
    common = {
        "gigabits_per_second": given["network"]["gigabits_per_second"],
        "checkpoint_period": checkpoint["period"],
    }
    learner = Learner(
        name="a core (measured)",
        own_steps_per_second=core_rate(trained),
        batch_segments=trained[0]["batch_segments"],
        assumed=False,
        **common,
    )
    costs = costs_of(trained, taken, published, checkpoint["seconds"], given["arenas"]["retained"])
    return Findings(
        trained=trained,
        taken=taken,
        paced=paced,
        published=published,
        machine=measured["load"]["machine"],
        costs=costs,
        learners=[
            learner,
            *(Learner(**one, **common, assumed=True) for one in given["assumed_learner"]),
        ],
        arenas=[Arena(agents=given["arenas"]["agents"], **one) for one in given["arenas"]["case"]],
        notes=given["notes"],
    )
