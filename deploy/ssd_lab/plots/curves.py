"""Learning curves of finished or running runs: a table (CSV), a figure (PNG), and the best window.

A point of a curve is a window of 100 consecutive full-length episodes of one run. Its band is a
99.5 % confidence interval of their mean, as if they were independent: how much the mean owes to
chance in these episodes. It says nothing of what another seed would bring. The bands of the paper's
figures 1, 4 and 7 do, since they are over five seeds, and are not to be compared with these.
"""

from __future__ import annotations

import bisect
import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import click

from ssd_envs.spec import GameSettings
from ssd_run.json_lines import read_lines
from ssd_wire.errors import RunFileError
from ssd_wire.process import reports_errors
from ssd_wire.runfile import RunSettings, Sections, load_run_file, section

WINDOW = 100  # episodes
CONFIDENCE = 0.995
_Z = statistics.NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


@dataclass(frozen=True)
class Point:
    """One window of one run, and what its learners said in its time, on average.

    Attributes:
        run: Preset of the run.
        seed: Of the run.
        own_steps: Mean over the agents, when the window's last episode ended.
        collective_return: Mean over the window.
        low, high: Bounds of its confidence interval, over this run's episodes.
        equality: Mean over the window's episodes that have one, or nothing.
        apples, cleaned, fires: What all agents did in an episode, on average.
        cleaned_most: By the agent that cleaned most.
        influence_nats: Mean over the agents of c per own-step, or nothing without a MOA.
        moa_loss_nats: Likewise, the MOA's cross-entropy.
        moa_marginal_entropy_nats: Likewise, the entropy of the action marginals it must beat.
        moa_margin_nats: Likewise, by how much it does, before it is trained on what it is asked.
        policy_entropy_nats: Likewise, of the policies.
        kl_nats, explained_variance: Likewise, as learners report them.
        policy_information_nats: Likewise; 0 is blind agents.
    """

    run: str
    seed: int
    own_steps: int
    collective_return: float
    low: float
    high: float
    equality: float | None
    apples: float
    cleaned: float
    cleaned_most: float
    fires: float
    influence_nats: float | None
    moa_loss_nats: float | None
    moa_marginal_entropy_nats: float | None
    moa_margin_nats: float | None
    policy_entropy_nats: float | None
    kl_nats: float | None
    explained_variance: float | None
    policy_information_nats: float | None


_SAID = (
    "influence_nats",
    "moa_loss_nats",
    "moa_marginal_entropy_nats",
    "moa_margin_nats",
    "policy_entropy_nats",
    "kl_nats",
    "explained_variance",
    "policy_information_nats",
)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of at least two values, and the bounds of its 99.5 % confidence interval."""
    mean = statistics.fmean(values)
    margin = _Z * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - margin, mean + margin


def curve(run_dir: Path, every: int = WINDOW // 4) -> list[Point]:
    """The windows of a run, in time; none before 100 full-length episodes have ended.

    Args:
        run_dir: The run directory that `ssd-train` made.
        every: Episodes from one window to the next.

    Raises:
        RunFileError: when it is no run directory.
    """
    sections = load_run_file(run_dir / "run.toml")
    horizon = section(sections, "game", GameSettings).horizon
    lines = [line for path in run_dir.glob("episodes/*.jsonl") for line in read_lines(path)]
    episodes = sorted((e for e in lines if e["length"] == horizon), key=lambda e: e["time"])
    records = read_lines(run_dir / "metrics.jsonl")
    ends = range(WINDOW, len(episodes) + 1, every)
    return [_point(sections, episodes[end - WINDOW : end], records) for end in ends]


def best(points: Sequence[Point]) -> Point:
    """The window with the highest collective return.

    It is the luckiest of many that overlap, so the interval of its mean holds no longer.
    """
    return max(points, key=lambda point: point.collective_return)


def _point(
    sections: Sections, window: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]]
) -> Point:
    mean, low, high = interval([episode["collective_return"] for episode in window])
    equalities = [e["equality"] for e in window if e["equality"] is not None]
    did = {event: _each_agent(window, event) for event in ("apples", "cleaned", "fires")}
    times = [record["time"] for record in records]
    end = bisect.bisect_right(times, window[-1]["time"])
    begin = min(bisect.bisect_left(times, window[0]["time"]), end - 1)
    heard = records[max(0, begin) : end]
    return Point(
        run=sections.get("preset", {}).get("name", "run"),
        seed=section(sections, "run", RunSettings).seed,
        own_steps=round(statistics.fmean(heard[-1]["own_steps"])) if heard else 0,
        collective_return=round(mean, 2),
        low=round(low, 2),
        high=round(high, 2),
        equality=_mean(equalities),
        cleaned_most=max(did["cleaned"]),
        apples=round(sum(did["apples"]), 2),
        cleaned=round(sum(did["cleaned"]), 2),
        fires=round(sum(did["fires"]), 2),
        **{name: _mean(_numbers(heard, name)) for name in _SAID},
    )


def _each_agent(window: Sequence[Mapping[str, Any]], event: str) -> list[float]:
    """How often each agent did something in an episode, on average."""
    agents = zip(*(episode["counts"][event] for episode in window), strict=True)
    return [round(statistics.fmean(agent), 2) for agent in agents]


def _numbers(records: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """What all agents said of one measure in all these records."""
    return [n for record in records for n in record.get(name, []) if n is not None]


def moa_margin(run_dir: Path) -> list[float | None]:
    """By how much each agent's MOA beats the entropy of the action marginals, in nats.

    The mean over the last half of a run's records, each of which is of a batch that the MOA had not
    been trained on. None for an agent without a MOA, or that never saw anybody.
    """
    records = read_lines(run_dir / "metrics.jsonl")
    said = [record["moa_margin_nats"] for record in records if "moa_margin_nats" in record]
    agents = zip(*said[len(said) // 2 :], strict=True)
    return [_mean([margin for margin in each if margin is not None]) for each in agents]


def _mean(numbers: Sequence[float]) -> float | None:
    return float(f"{statistics.fmean(numbers):.4g}") if numbers else None


def write_csv(path: Path, points: Sequence[Point]) -> None:
    """One row a point."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Point)])
        writer.writeheader()
        writer.writerows(asdict(point) for point in points)


def draw(path: Path, curves: Sequence[Sequence[Point]], reference: float | None) -> None:
    """Collective return over own-steps, and beside it the MOA's loss under its yardstick."""
    from matplotlib.figure import Figure

    has_moa = any(point.moa_loss_nats is not None for points in curves for point in points)
    figure = Figure(figsize=(11 if has_moa else 6, 4), layout="constrained")
    panels = figure.subplots(1, 2 if has_moa else 1, squeeze=False)[0]
    for number, points in enumerate(curves):
        steps = [point.own_steps / 1e6 for point in points]
        label = f"{points[0].run}, seed {points[0].seed}"
        colour = f"C{number}"
        returns = [point.collective_return for point in points]
        bounds = [p.low for p in points], [p.high for p in points]
        panels[0].plot(steps, returns, colour, label=label)
        panels[0].fill_between(steps, *bounds, color=colour, alpha=0.2, linewidth=0)
        if has_moa and points[0].moa_loss_nats is not None:
            panels[1].plot(steps, [p.moa_loss_nats for p in points], colour, label=label)
            marginal = [p.moa_marginal_entropy_nats for p in points]
            panels[1].plot(steps, marginal, colour, linestyle=":")
    if reference is not None:
        panels[0].axhline(reference, color="grey", linestyle="--", label="random, without fire")
    panels[0].set(xlabel="own-steps, millions", ylabel="collective return, 100 episodes")
    panels[0].legend(title="band: 99.5 %, over the run's own episodes")
    if has_moa:
        panels[1].set(xlabel="own-steps, millions", ylabel="nats")
        panels[1].set_title("MOA loss (dotted: entropy of the action marginals)")
        panels[1].legend()
    figure.savefig(path, dpi=110)


@click.command()
@click.argument("run_dirs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--csv", "table", type=click.Path(path_type=Path), help="Write all points here.")
@click.option("--png", "picture", type=click.Path(path_type=Path), help="Draw the curves here.")
@click.option("--reference", type=float, help="Return of random play without fire, as a line.")
@reports_errors
def main(
    run_dirs: tuple[Path, ...], table: Path | None, picture: Path | None, reference: float | None
) -> None:
    """Show the last 100-episode window of each run and its best, and write or draw all windows.

    In brackets stands the 99.5 % confidence interval over that one run's episodes.
    """
    found = {run_dir: points for run_dir in run_dirs if (points := curve(run_dir))}
    curves = list(found.values())
    if not curves:
        raise RunFileError(f"wanted {WINDOW} full-length episodes in a run, found fewer in all")
    for run_dir, points in found.items():
        click.echo(_words(points, moa_margin(run_dir)))
    if table is not None:
        write_csv(table, [point for points in curves for point in points])
    if picture is not None:
        draw(picture, curves, reference)


def _words(points: Sequence[Point], margins: Sequence[float | None]) -> str:
    top, last = best(points), points[-1]
    words = (
        f"{top.run} seed {top.seed}: last window {last.collective_return:.1f} "
        f"[{last.low:.1f}, {last.high:.1f}] at {last.own_steps:,} own-steps; "
        f"best of {len(points)} {top.collective_return:.1f} at {top.own_steps:,}"
    )
    if all(margin is None for margin in margins):
        return words
    each = ", ".join("–" if margin is None else f"{margin:.3f}" for margin in margins)
    return f"{words}; MOA margin of each agent in the last half {each} nats"


if __name__ == "__main__":
    main()
