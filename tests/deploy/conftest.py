"""What several tests of the launcher need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ssd_run import run_directory
from ssd_run.plan import Plan
from ssd_run.presets import load_plan
from ssd_run.run_directory import RunDir


@pytest.fixture
def plan() -> Plan:
    return load_plan("cleanup-moa")


@pytest.fixture
def run_dir(tmp_path: Path, plan: Plan) -> Iterator[RunDir]:
    held = run_directory.begin(tmp_path / "run", plan)
    yield held
    held.close()
