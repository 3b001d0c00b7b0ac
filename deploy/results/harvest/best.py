"""Prints the best 100 consecutive episodes of each run given, within 5 M agent-steps."""

import sys
from pathlib import Path

from ssd_lab.plots.curve_windows import best, curve

WITHIN = 5_000_000


def main() -> None:
    """One line per run: where the best are, their mean return and apples, and the means later."""
    for folder in map(Path, sys.argv[1:]):
        points = curve(folder, every=1)
        top = best([point for point in points if point.agent_steps <= WITHIN])
        line = f"{folder.name}: best {top.collective_return:.0f} at {top.agent_steps / 1e6:.1f} M"
        line += f" with {top.apples:.0f} apples"
        for at in (5, 10, 20):
            until = [point for point in points if point.agent_steps <= at * 1e6]
            line += f", until {at} M {until[-1].collective_return:.0f}"
        print(line)


if __name__ == "__main__":
    main()
