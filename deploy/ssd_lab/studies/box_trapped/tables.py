"""The results of the study as tables. Figures are drawn from these alone."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar, get_type_hints

import numpy as np

from ssd_envs.rules.doors import OPENER
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.measures import box_opening
from ssd_lab.evaluation.trajectories import Trajectories
from ssd_lab.studies.box_trapped.arms import ARMS, Trial

OPEN_BOX = game_spec(GameSettings(name="box-trapped")).action_names.index("open_box")
TRAPPED = 1 - OPENER


@dataclass(frozen=True)
class EpisodeRow:
    """One evaluation episode.

    Attributes:
        arm, seed: The run.
        episode: From 0.
        game_seed: Seed of the episode.
        opened_at: The step, from 1, at which the box was opened; 0 if it was not.
        free_return, trapped_return: The return of each agent.
        influence: The free agent's, mean over all steps, nats.
        influence_at_opening: Of the action that opened the box, nats; 0 if it was not opened.
    """

    arm: str
    seed: int
    episode: int
    game_seed: int
    opened_at: int
    free_return: float
    trapped_return: float
    influence: float
    influence_at_opening: float


@dataclass(frozen=True)
class StepRow:
    """One step, over all evaluation episodes of a run.

    Attributes:
        arm, seed: The run.
        step: From 1.
        chosen: In how many episodes *open box* was chosen at this step (figure 12).
        opened: In how many episodes this opened the box.
        influence: The free agent's, mean over the episodes, nats.
    """

    arm: str
    seed: int
    step: int
    chosen: int
    opened: int
    influence: float


@dataclass(frozen=True)
class TrajectoryRow:
    """One step of a run's first evaluation episode (figure 13).

    Attributes:
        arm, seed: The run.
        step: From 1.
        action: Of the free agent.
        influence: Of that action, nats.
        opens: Whether it opened the box.
    """

    arm: str
    seed: int
    step: int
    action: str
    influence: float
    opens: int


AnyRow = TypeVar("AnyRow", EpisodeRow, StepRow, TrajectoryRow)


def episode_rows(trial: Trial, found: Trajectories) -> Iterator[EpisodeRow]:
    """One row per episode."""
    influence = found.influence[:, :, OPENER].astype(np.float64)  # [T, E]
    for episode, opened_at in enumerate(found.count("opened_at")[:, OPENER].tolist()):
        at_opening = influence[opened_at - 1, episode] if opened_at else 0.0
        yield EpisodeRow(
            arm=trial.arm.name,
            seed=trial.seed,
            episode=episode,
            game_seed=int(found.seeds[episode]),
            opened_at=opened_at,
            free_return=float(found.returns[episode, OPENER]),
            trapped_return=float(found.returns[episode, TRAPPED]),
            influence=_short(influence[:, episode].mean()),
            influence_at_opening=_short(at_opening),
        )


def step_rows(trial: Trial, found: Trajectories) -> Iterator[StepRow]:
    """One row per step."""
    opening = box_opening(found.actions[:, :, OPENER] == OPEN_BOX)
    influence = found.influence[:, :, OPENER].mean(1, dtype=np.float64)
    opened = np.bincount(opening.steps, minlength=len(influence))
    for step, (chosen, times, nats) in enumerate(
        zip(opening.times.tolist(), opened.tolist(), influence, strict=True), 1
    ):
        yield StepRow(trial.arm.name, trial.seed, step, chosen, times, _short(nats))


def trajectory_rows(trial: Trial, found: Trajectories) -> Iterator[TrajectoryRow]:
    """One row per step of the first episode."""
    names = game_spec(GameSettings(name="box-trapped")).action_names
    opened_at = int(found.count("opened_at")[0, OPENER])
    steps = zip(found.actions[:, 0, OPENER], found.influence[:, 0, OPENER], strict=True)
    for step, (action, nats) in enumerate(steps, 1):
        yield TrajectoryRow(
            arm=trial.arm.name,
            seed=trial.seed,
            step=step,
            action=names[action],
            influence=_short(nats),
            opens=int(step == opened_at),
        )


def write_rows(path: Path, kind: type[AnyRow], rows: Iterable[AnyRow]) -> None:
    """Write rows to a CSV file."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(kind)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path, kind: type[AnyRow]) -> list[AnyRow]:
    """Read a file that `write_rows` has written."""
    types = get_type_hints(kind)
    with path.open(newline="") as file:
        return [
            kind(**{name: types[name](value) for name, value in line.items()})
            for line in csv.DictReader(file)
        ]


def by_arm(rows: Sequence[AnyRow]) -> dict[str, list[AnyRow]]:
    """The rows of each arm that has any, in the order of `ARMS`."""
    present = {row.arm for row in rows}
    return {arm: [row for row in rows if row.arm == arm] for arm in ARMS if arm in present}


def shares(rows: Sequence[EpisodeRow]) -> dict[int, float]:
    """Seed → share of its episodes in which the box was opened."""
    seeds = sorted({row.seed for row in rows})
    of_seed = {seed: [row.opened_at > 0 for row in rows if row.seed == seed] for seed in seeds}
    return {seed: sum(opened) / len(opened) for seed, opened in of_seed.items()}


def _short(number: float) -> float:
    return float(f"{number:.4g}")
