"""Draws settings.png from settings.csv and, for the defaults, from the curves of ../cleanup."""

import csv
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).parent
DEFAULTS = {"cleanup-baseline": ("the defaults: 1 arena of 48 games", "black")}
ARENAS = DEFAULTS | {
    "games24": ("1 arena of 24 games", "tab:green"),
    "arenas2-games24": ("2 arenas of 24 games", "tab:blue"),
    "arenas2-games24-shares": ("2 arenas of 24 games, whole shares", "tab:cyan"),
    "arenas2": ("2 arenas of 48 games", "tab:red"),
    "arenas2-shares": ("2 arenas of 48 games, whole shares, other clip", "tab:orange"),
    "arenas2-games24-clip": ("2 arenas of 24 games, whole shares, other clip", "tab:purple"),
}
WAITING = DEFAULTS | {
    "arenas2-games24-waiting": ("2 arenas of 24 games, waiting for both", "tab:blue"),
    "arenas2-waiting": ("2 arenas of 48 games, waiting for both (seed 22 only)", "tab:red"),
}
SETTINGS = DEFAULTS | {
    "no-decay": ("without weight decay", "tab:green"),
    "no-critic": ("without a critic", "tab:blue"),
    "not-clipped": ("rewards not clipped (below the panel)", "tab:red"),
    "window2": ("run.window = 2", "tab:orange"),
}
PANELS = ((WAITING, ("22", "23")), (ARENAS, ("11", "13")), (SETTINGS, ("11", "13")))
LAST = 25  # millions of agent-steps
Point = tuple[str, float, float]


def rows(path: Path) -> list[Point]:
    """The points that are shown: run, agent-steps in millions, collective return."""
    with path.open() as file:
        points = [
            (row["run"], float(row["agent_steps"]) / 1e6, float(row["collective_return"]))
            for row in csv.DictReader(file)
        ]
    return [point for point in points if point[1] <= LAST]


def draw(panel: Axes, shown: dict[str, tuple[str, str]], seed: str, points: list[Point]) -> None:
    """The runs of one seed."""
    for name, (label, color) in shown.items():
        run = [(steps, total) for of, steps, total in points if of == f"{name}-{seed}"]
        panel.plot(*zip(*run, strict=True), color=color, label=label)
    panel.axhline(27, color="grey", linestyle=":", label="random play without fire")
    panel.set(xlabel="agent-steps, millions", title=f"seed {seed}", ylim=(-20, 400))
    panel.set_ylabel("collective return, 100 episodes")
    panel.label_outer()
    panel.legend(fontsize="small", loc="upper left")


cleanup = HERE / "../cleanup"
points = [
    *rows(HERE / "settings.csv"),
    *rows(cleanup / "curves.csv"),
    *rows(cleanup / "more-seeds.csv"),
]
figure = Figure(figsize=(11, 12), layout="constrained")
lines = figure.subplots(len(PANELS), 2, sharey=True)
for line, (shown, seeds) in zip(lines, PANELS, strict=True):
    for panel, seed in zip(line, seeds, strict=True):
        draw(panel, shown, seed, points)
figure.savefig(HERE / "settings.png", dpi=100)
