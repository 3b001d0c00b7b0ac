"""Draws settings.png from settings.csv and, for the defaults, from ../cleanup/curves.csv."""

import csv
from pathlib import Path

from matplotlib.figure import Figure

HERE = Path(__file__).parent
SEEDS = ("11", "13")
SHOWN = {
    "games24": ("1 arena of 24 games", "tab:green"),
    "cleanup-baseline": ("1 arena of 48 games (the defaults)", "black"),
    "arenas2-games24": ("2 arenas of 24 games", "tab:blue"),
    "arenas2": ("2 arenas of 48 games", "tab:red"),
    "arenas2-shares": ("2 arenas of 48 games, a batch of each", "tab:orange"),
}
LAST = 25  # millions of agent-steps


def rows(path: Path) -> list[tuple[str, float, float]]:
    """The points that are shown: run, agent-steps in millions, collective return."""
    with path.open() as file:
        points = [
            (row["run"], float(row["agent_steps"]) / 1e6, float(row["collective_return"]))
            for row in csv.DictReader(file)
        ]
    return [point for point in points if point[1] <= LAST]


points = rows(HERE / "settings.csv") + rows(HERE / "../cleanup/curves.csv")
figure = Figure(figsize=(11, 4), layout="constrained")
for panel, seed in zip(figure.subplots(1, 2, sharey=True), SEEDS, strict=True):
    for name, (label, color) in SHOWN.items():
        run = [(steps, total) for of, steps, total in points if of == f"{name}-{seed}"]
        panel.plot(*zip(*run, strict=True), color=color, label=label)
    panel.axhline(27, color="grey", linestyle=":", label="random play without fire")
    panel.set(xlabel="agent-steps, millions", title=f"seed {seed}", ylim=(-20, 300))
    panel.set_ylabel("collective return, 100 episodes")
    panel.label_outer()
    panel.legend()
figure.savefig(HERE / "settings.png", dpi=100)
