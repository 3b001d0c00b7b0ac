"""What several tests of the launcher need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ssd_run import run_directory
from ssd_run.presets import load_config
from ssd_run.run_config import RunConfig
from ssd_run.run_directory import RunDir


@pytest.fixture
def config() -> RunConfig:
    return load_config("cleanup-moa")


@pytest.fixture
def run_dir(tmp_path: Path, config: RunConfig) -> Iterator[RunDir]:
    held = run_directory.create(tmp_path / "run", config)
    yield held
    held.close()
