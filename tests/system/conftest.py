"""Whole runs of real processes, started for tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.system.runs import SMALL, ManualRun, Run, set_options


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts runs with small settings; kills those that a failed test has left."""
    runs: list[Run] = []

    def start_one(*arguments: str, run_dir: str = "run", small: bool = True) -> Run:
        sets = set_options(*SMALL) if small else []
        first, *others = arguments  # later settings override earlier ones
        runs.append(Run(tmp_path / run_dir, first, *sets, *others))
        return runs[-1]

    yield start_one
    for run in runs:
        run.end()


@pytest.fixture(scope="module")
def manual_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ManualRun]]:
    """Prepares a run of a preset with small settings, to be started process by process."""
    runs: list[ManualRun] = []

    def make(preset: str, *sets: str) -> ManualRun:
        runs.append(ManualRun(tmp_path_factory.mktemp(preset), preset, *sets))
        return runs[-1]

    yield make
    for manual in runs:
        manual.end()
