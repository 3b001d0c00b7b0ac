"""Draws trials.png from trials.csv."""

import csv
from collections import defaultdict
from pathlib import Path

from matplotlib.figure import Figure

HERE = Path(__file__).parent
SHOWN = {
    "X2": "X2: weight decay, rewards cut",
    "Z2": "Z2: and shorter steps of wide layers",
    "E2": "E2: rewards cut, no weight decay",
    "U2": "U2: neither; agents go blind",
}

points = defaultdict(list)
with (HERE / "trials.csv").open() as file:
    for row in csv.DictReader(file):
        points[row["trial"]].append(row)

figure = Figure(figsize=(11, 4), layout="constrained")
panels = figure.subplots(1, 2)
for panel, column, label in zip(
    panels,
    ("collective_return", "cleaned"),
    ("collective return, 100 episodes", "cells cleaned an episode, all agents"),
    strict=True,
):
    for trial, name in SHOWN.items():
        steps = [5e-6 * float(row["own_steps"]) for row in points[trial]]
        panel.plot(steps, [float(row[column]) for row in points[trial]], label=name)
    panel.set(xlabel="agent-steps, millions", ylabel=label)
panels[0].set_ylim(-50, 360)
panels[0].legend()
figure.savefig(HERE / "trials.png", dpi=100)
