"""`ssd-bench` as its users start it: a whole run, its processes, its memory, its cores."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click import ClickException
from click.testing import CliRunner

from ssd_bench.cli import main
from ssd_bench.processes import cpu_seconds, memory
from ssd_bench.results import machine
from ssd_bench.results.rows import GOAL, read
from ssd_bench.whole_runs import time_to_return
from ssd_bench.whole_runs.throughput import ceiling_of
from ssd_run.presets import load_config

SMALL = (
    "game.agents=2",
    "game.horizon=100",
    "run.games=4",
    "run.segment=20",
    "learning.horizon=20",
)
BENCH = "from ssd_bench.cli import main; main()"
ORPHANS = """
import subprocess, sys
grown = "import sys, time; x = {}; print(flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", grown], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def is_gone(pid):
    """Whether a process has ended: no more than its exit code may be left of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def start_bench(tmp_path, *arguments, measured="--preset"):
    sets = [f"--set={assignment}" for assignment in SMALL]
    return subprocess.Popen(
        [sys.executable, "-c", BENCH, f"{measured}=cleanup-moa", *sets, *arguments],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(300)
def test_a_whole_run_is_measured_and_its_files_are_deleted(tmp_path):
    kept = tmp_path / "bench.json"
    options = ("--runs=1", "--seconds=1", "--warmup=0", f"--json={kept}")
    bench = start_bench(tmp_path, *options)
    output, _ = bench.communicate(timeout=280)
    assert bench.returncode == 0, output
    (row,) = read(kept).rows
    assert row.name == "whole/cleanup-moa"
    assert len(row.samples) == 1
    known = {"updates/s", "MiB", "CPU µs env", "CPU µs actor", "CPU µs learner"}
    assert set(row.also) == known | {"s to first updates"}
    assert min(sample for samples in row.also.values() for sample in samples) > 0
    assert list(tmp_path.glob("ssd-*")) == []
    assert "did not stop cleanly" not in output


@pytest.mark.timeout(300)
def test_the_time_to_a_return_is_measured_in_seconds_and_in_agent_steps_for_each_seed(tmp_path):
    kept = tmp_path / "bench.json"
    options = ("--goal=-1000", "--seed=3", "--runs=1", f"--json={kept}")
    bench = start_bench(tmp_path, *options, measured="--to-return")
    output, _ = bench.communicate(timeout=280)
    assert bench.returncode == 0, output
    (row,) = read(kept).rows
    assert (row.name, row.unit) == ("return/cleanup-moa/-1000", GOAL)
    assert row.rate == pytest.approx(1 / row.also["s"][0])
    assert row.also["agent-steps"][0] >= 100 * 2 * 100  # of 100 episodes that were played
    assert "seed 3" in output
    assert list(tmp_path.glob("ssd-*")) == []


def test_a_return_that_is_not_reached_in_time_ends_with_the_last_return():
    config = load_config("cleanup-moa", SMALL)
    with pytest.raises(ClickException, match="no return of 1e\\+09 in 3 s: the last is"):
        time_to_return.measure(config, 1e9, range(1), longest=3.0)


@pytest.mark.timeout(300)
def test_a_bench_that_is_terminated_stops_its_run_and_deletes_it(tmp_path):
    bench = start_bench(tmp_path, "--runs=1", "--seconds=1000")
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("ssd-bench-*/run/processes/learner-*.json")):
        assert time.monotonic() < deadline
        assert bench.poll() is None
        time.sleep(0.1)
    started = [one.pid for one in psutil.Process(bench.pid).children(recursive=True)]
    bench.send_signal(signal.SIGTERM)
    output, _ = bench.communicate(timeout=100)
    assert bench.returncode != 0, output
    assert len(started) >= 3
    assert all(is_gone(pid) for pid in started)
    assert list(tmp_path.glob("ssd-*")) == []


def test_memory_is_that_of_a_process_and_all_its_descendants():
    ballast = "b'x' * (50 << 20)"
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHANS.format(ballast)], stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    try:
        assert memory(child) > 50 << 20
        assert memory(parent.pid) > memory(child)
    finally:
        os.kill(child, signal.SIGKILL)
        parent.communicate()


def test_a_process_that_has_ended_uses_no_memory():
    assert memory(2**22 + 1) == 0


def test_cpu_seconds_grow_with_work_and_not_with_sleep():
    before = cpu_seconds(os.getpid())
    began = time.process_time()
    while time.process_time() - began < 0.3:
        pass
    assert cpu_seconds(os.getpid()) - before >= 0.25
    assert cpu_seconds(2**22 + 1) == 0.0


@pytest.mark.parametrize(
    ("preset", "assignments", "ceiling"),
    [
        ("cleanup-moa", (), "torch/cleanup/moa/run"),
        ("harvest-baseline", ("run.games=64",), "torch/harvest/baseline/run"),
        ("harvest-moa-aux", (), None),
        ("cleanup-moa", ("game.agents=3",), None),
        ("cleanup-moa", ("network.lstm=64",), None),
    ],
)
def test_a_run_is_compared_with_networks_of_its_own_sizes_only(preset, assignments, ceiling):
    assert ceiling_of(load_config(preset, assignments)) == ceiling


def test_machine_facts_are_json_with_cores_and_libraries():
    facts = json.loads(json.dumps(machine.facts()))
    assert facts["cores"] == len(os.sched_getaffinity(0))
    assert {"cpu", "torch", "numba", "commit", "date", "load_average"} <= set(facts)


def test_parts_can_be_listed_without_measuring_them():
    outcome = CliRunner().invoke(main, ["--list", "--game=all"])
    assert outcome.exit_code == 0
    names = outcome.output.split()
    assert {"step/cleanup/moa/B64", "vtrace/harvest/baseline/T50-B32"} <= set(names)
