"""The arms of the study, and the run directories of their trials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Arm:
    """One kind of agents that the study compares.

    Attributes:
        name: In tables and in names of run directories.
        preset: Of its runs.
        label: In the summary.
        short: A shorter label, in figures.
        colour: In figures.
    """

    name: str
    preset: str
    label: str
    short: str
    colour: str


ARMS = {
    arm.name: arm
    for arm in (
        Arm("moa", "box-trapped-moa", "influence, by MOA", "influence (MOA)", "C3"),
        Arm(
            "moa-control", "box-trapped-moa-control", "A3C: the same, but β = 0", "MOA, β = 0", "C0"
        ),
        Arm("a3c", "box-trapped-a3c", "A3C without MOA and visible actions", "plain A3C", "C7"),
        Arm("basic", "box-trapped-basic", "influence, basic", "influence (basic)", "C1"),
        Arm(
            "basic-control",
            "box-trapped-basic-control",
            "A3C: the same, but β = 0",
            "basic, β = 0",
            "C2",
        ),
    )
}
"""In the order in which they are trained and shown."""


@dataclass(frozen=True)
class Trial:
    """One run of one arm."""

    arm: Arm
    seed: int

    def run_dir(self, out: Path) -> Path:
        """Its run directory."""
        return out / "runs" / f"{self.arm.name}-{self.seed}"
