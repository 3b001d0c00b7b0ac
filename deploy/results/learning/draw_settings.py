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


def rows(path: Path) -> list[dict[str, str]]:
    """Points of all runs, in order."""
    with path.open() as file:
        return list(csv.DictReader(file))


points = rows(HERE / "settings.csv") + rows(HERE / "../cleanup/curves.csv")
figure = Figure(figsize=(11, 4), layout="constrained")
for panel, seed in zip(figure.subplots(1, 2, sharey=True), SEEDS, strict=True):
    for name, (label, color) in SHOWN.items():
        run = [row for row in points if row["run"] == f"{name}-{seed}"]
        steps = [float(row["agent_steps"]) / 1e6 for row in run]
        returns = [float(row["collective_return"]) for row in run]
        shown = [step <= LAST for step in steps]
        panel.plot(steps[: sum(shown)], returns[: sum(shown)], color=color, label=label)
    panel.axhline(27, color="grey", linestyle=":", label="random play without fire")
    panel.set(xlabel="agent-steps, millions", title=f"seed {seed}", ylim=(-20, 300))
    panel.set_ylabel("collective return, 100 episodes")
    panel.label_outer()
    panel.legend()
figure.savefig(HERE / "settings.png", dpi=100)
