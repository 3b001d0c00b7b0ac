"""Every preset is trained and resumed from the command line, and what it leaves is checked."""

import json
import math
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ssd_run.presets import load_config, load_preset
from ssd_wire.run_file import override

BIN = Path(sys.executable).parent
SMALL = ("game.horizon=100", "run.games=24", "run.segment=20", "learning.horizon=40")
STEPS, MORE = 20_000, 6_000  # agent-steps
LOSSES = ("policy_loss", "value_loss")
MOA_LOSSES = ("moa_loss_nats",)
SYMBOL_LOSSES = ("symbol_policy_loss", "symbol_value_loss")


@pytest.fixture
def conform(tmp_path: Path) -> Callable[..., int]:
    """Trains a preset, resumes it, and checks all that it leaves; returns the agent-steps."""

    def check(preset: str, *own: str) -> int:
        run_dir, sizes = tmp_path / preset, (*SMALL, *own)
        launch(preset, *(word for size in sizes for word in ("--set", size)), run_dir=run_dir)
        check_launch(preset, run_dir, STEPS)
        check_numbers(preset, sizes, run_dir)
        before = ledgers(run_dir)

        launch("--resume", run_dir=run_dir, steps=steps_of(before) + MORE)
        check_launch(preset, run_dir, steps_of(before) + MORE)
        check_numbers(preset, sizes, run_dir)
        check_went_on(before, ledgers(run_dir))
        return steps_of(ledgers(run_dir))

    return check


def launch(*arguments: str, run_dir: Path, steps: int = STEPS) -> None:
    """One `ssd-train`, to its end."""
    command = [BIN / "ssd-train", *arguments, f"--steps={steps}", f"--run-dir={run_dir}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def check_launch(preset: str, run_dir: Path, steps: int) -> None:
    """It came to its end, nothing was lost, and every loss is a number."""
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["ended"] == "complete"
    assert steps <= summary["agent_steps"] == steps_of(ledgers(run_dir))
    assert summary["account_adds_up"], summary["account_faults"]
    assert summary["segments"]["lost"] == 0
    assert set(summary["restarts"].values()) == {0}
    last = json.loads((run_dir / "metrics.jsonl").read_text().splitlines()[-1])
    for loss in losses_of(preset):
        assert all(one is not None and math.isfinite(one) for one in last[loss]), (loss, last[loss])


def losses_of(preset: str) -> tuple[str, ...]:
    """What this preset's learners minimise."""
    experiment = load_config(preset).experiment
    of_moa = MOA_LOSSES if experiment.has_moa else ()
    return (*LOSSES, *of_moa, *(SYMBOL_LOSSES if experiment.symbols else ()))


def check_numbers(preset: str, sizes: tuple[str, ...], run_dir: Path) -> None:
    """The run's own run file says what the preset says, which says what the paper's table says."""
    run_file = tomllib.loads((run_dir / "run.toml").read_text())
    for section, stated in override(load_preset(preset), sizes).items():
        assert {key: run_file[section].get(key) for key in stated} == dict(stated)


def check_went_on(before: list[dict], after: list[dict]) -> None:
    """Learners continued from where they were: their counts are from the start of the run.

    A learner that started from scratch would have trained no more than what this launch made, and
    the segments made before would be missing from the account.
    """
    sizes = dict(size.split("=") for size in SMALL)
    segment = int(sizes["run.games"]) * int(sizes["run.segment"])
    for was, now in zip(before, after, strict=True):
        assert now["own_steps"] > was["own_steps"] > 0
        assert now["updates"] > was["updates"]
        assert now["segments"]["trained"] * segment == now["own_steps"]
        assert {one["epoch"] for one in was["epochs"]} < {one["epoch"] for one in now["epochs"]}


def ledgers(run_dir: Path) -> list[dict]:
    """What each learner has counted, as of its last checkpoint."""
    paths = (run_dir / "ledgers").glob("learner-*.json")
    return [json.loads(path.read_text()) for path in sorted(paths)]


def steps_of(counted: list[dict]) -> int:
    """Agent-steps of all agents together."""
    return sum(ledger["own_steps"] for ledger in counted)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A row for each preset: what it trained, how long that took, and how it ended."""
    rows = [
        (dict(report.user_properties), report)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call" and "preset" in dict(report.user_properties)
    ]
    for number, (properties, report) in enumerate(rows):
        if number == 0:
            terminalreporter.write_line(f"{'preset':<32}{'agent-steps':>12}{'seconds':>9}  result")
        steps = f"{properties.get('steps', 0):,}"
        terminalreporter.write_line(
            f"{properties['preset']:<32}{steps:>12}{report.duration:>9.1f}  {report.outcome}"
        )
