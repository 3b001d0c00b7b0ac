"""`python -m ssd_lab.studies.box_trapped`: train, evaluate, draw. Start reading here."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ssd_lab.evaluation.evaluate import EPISODES, evaluate
from ssd_lab.studies.box_trapped.arms import ARMS, Arm, Trial
from ssd_lab.studies.box_trapped.figures import draw_influence, draw_opening
from ssd_lab.studies.box_trapped.summary import markdown
from ssd_lab.studies.box_trapped.tables import (
    EpisodeRow,
    StepRow,
    TrajectoryRow,
    episode_rows,
    read_rows,
    step_rows,
    trajectory_rows,
    write_rows,
)
from ssd_lab.studies.box_trapped.training import TrainingError, is_trained, train
from ssd_wire.process.command import WholeNumber, reports_errors, version_option

STEPS = 1_600_000


@click.command()
@version_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for runs, tables and figures.",
)
@click.option("--seeds", default="1,2,3,4,5", show_default=True, help="Of the runs.")
@click.option("--arms", default=",".join(ARMS), show_default=True, help="The arms to compare.")
@click.option(
    "--episodes",
    default=EPISODES,
    show_default=True,
    type=WholeNumber(),
    help="Per run, to evaluate it.",
)
@click.option(
    "--steps", default=STEPS, show_default=True, type=WholeNumber(), help="Agent-steps of each run."
)
@reports_errors
def main(out: Path, seeds: str, arms: str, episodes: int, steps: int) -> None:
    """Train every arm with every seed, evaluate the runs, and draw figures 12 and 13.

    Complete runs are not trained again, and an interrupted run is resumed: after Ctrl-C, give the
    same command again.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    trials = [Trial(arm, seed) for seed in _seeds(seeds) for arm in _arms(arms)]
    try:
        for trial in trials:
            _train(trial, out, steps)
        _evaluate(trials, out, episodes)
    except TrainingError as fault:
        raise click.ClickException(str(fault)) from fault
    except KeyboardInterrupt:
        click.echo("stopped; the same command continues", err=True)
        sys.exit(130)
    draw(out)
    click.echo(markdown(read_rows(out / "episodes.csv", EpisodeRow)))


def draw(out: Path) -> None:
    """Draw both figures from the tables in a folder."""
    steps = read_rows(out / "steps.csv", StepRow)
    opening = draw_opening(read_rows(out / "episodes.csv", EpisodeRow), steps)
    influence = draw_influence(read_rows(out / "trajectories.csv", TrajectoryRow), steps)
    opening.savefig(out / "figure-12.png", dpi=110)
    influence.savefig(out / "figure-13.png", dpi=110)


def _train(trial: Trial, out: Path, steps: int) -> None:
    name = f"{trial.arm.name}, seed {trial.seed}"
    if is_trained(trial, out, steps):
        click.echo(f"{name}: trained already", err=True)
        return
    click.echo(f"{name}: training, see {trial.run_dir(out)}.log", err=True)
    train(trial, out, steps)


def _evaluate(trials: Sequence[Trial], out: Path, episodes: int) -> None:
    found = [(trial, evaluate(trial.run_dir(out), episodes)) for trial in trials]
    write_rows(out / "episodes.csv", EpisodeRow, (r for f in found for r in episode_rows(*f)))
    write_rows(out / "steps.csv", StepRow, (r for f in found for r in step_rows(*f)))
    write_rows(
        out / "trajectories.csv", TrajectoryRow, (r for f in found for r in trajectory_rows(*f))
    )


def _seeds(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as fault:
        raise click.BadParameter(f"wanted numbers with commas between, found {text!r}") from fault


def _arms(text: str) -> list[Arm]:
    if unknown := sorted(set(text.split(",")) - set(ARMS)):
        raise click.BadParameter(f"wanted some of {', '.join(ARMS)}, found {', '.join(unknown)}")
    return [ARMS[name] for name in text.split(",")]


if __name__ == "__main__":
    main()
