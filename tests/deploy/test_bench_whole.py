"""`ssd-bench` as its users start it: a whole run, its processes, its memory, its cores."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from ssd_lab.bench import machine
from ssd_lab.bench.cli import main
from ssd_lab.bench.processes import agents, cpu_seconds, family, memory, pin, split
from ssd_lab.bench.rows import read
from ssd_lab.bench.whole import Study
from ssd_lab.plan import validate
from ssd_lab.presets import load_preset
from ssd_wire.runfile import override

SMALL = (
    "game.agents=2",
    "game.horizon=100",
    "run.games=4",
    "run.segment=20",
    "learning.horizon=20",
)
BENCH = "from ssd_lab.bench.cli import main; main()"
ORPHANS = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True);"


def gone(pid):
    """Whether a process has ended: no more than its exit code may be left of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def start_bench(tmp_path, *arguments):
    sets = [f"--set={assignment}" for assignment in SMALL]
    return subprocess.Popen(
        [sys.executable, "-c", BENCH, "--preset=cleanup-moa", *sets, *arguments],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(300)
def test_a_whole_run_is_measured_and_nothing_is_left_of_it(tmp_path):
    kept = tmp_path / "bench.json"
    options = ("--runs=1", "--seconds=1", "--warmup=0", "--pin=split", f"--json={kept}")
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
def test_a_bench_that_is_asked_to_end_stops_its_run_and_removes_it(tmp_path):
    bench = start_bench(tmp_path, "--runs=1", "--seconds=1000")
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("ssd-bench-*/run/processes/learner-*.json")):
        assert time.monotonic() < deadline
        assert bench.poll() is None
        time.sleep(0.1)
    started = family(bench.pid)[1:]
    bench.send_signal(signal.SIGTERM)
    output, _ = bench.communicate(timeout=100)
    assert bench.returncode != 0, output
    assert len(started) >= 3
    assert all(gone(pid) for pid in started)
    assert list(tmp_path.glob("ssd-*")) == []


def test_a_family_is_a_process_and_all_its_descendants():
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{ORPHANS} p.wait()"], stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    try:
        assert family(parent.pid) == [parent.pid, child]
        assert {parent.pid, child} <= set(family(os.getpid()))
    finally:
        os.kill(child, signal.SIGKILL)
        parent.communicate()


def test_memory_is_that_of_all_processes_and_of_one_that_is_gone_none():
    ballast = bytearray(50 << 20)
    ballast[:: 1 << 12] = b"x" * len(ballast[:: 1 << 12])
    ours = memory([os.getpid()])
    assert ours > 50 << 20
    assert memory([os.getpid(), 2**22 + 1]) == pytest.approx(ours, rel=0.1)


def test_cpu_seconds_grow_with_work_and_not_with_sleep():
    before = cpu_seconds(os.getpid())
    began = time.process_time()
    while time.process_time() - began < 0.3:
        pass
    assert cpu_seconds(os.getpid()) - before >= 0.25
    assert cpu_seconds(2**22 + 1) is None


def test_a_pinned_process_keeps_all_its_threads_on_its_cores():
    everywhere = os.sched_getaffinity(0)
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        pin({"learner-0": os.getpid()}, split)
        wanted = set(split("learner-0", sorted(everywhere)))
        assert os.sched_getaffinity(0) == wanted
        assert os.sched_getaffinity(thread.native_id) == wanted
    finally:
        over.set()
        thread.join()
        os.sched_setaffinity(0, everywhere)
        for task in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(task.name), everywhere)


@pytest.mark.parametrize(
    ("place", "role", "cores", "wanted"),
    [
        (split, "learner-3", (0, 1), [1]),
        (split, "actor-0-3", (0, 1), [0]),
        (split, "env-0", (0, 1), [0]),
        (split, "learner-0", (4, 5, 6), [5, 6]),
        (split, "actor-0-0", (7,), [7]),
        (split, "learner-0", (7,), [7]),
        (agents, "learner-3", (0, 1), [1]),
        (agents, "actor-0-12", (0, 1, 2, 3, 4), [2]),
        (agents, "env-0", (0, 1), [0, 1]),
        (agents, "nursery", (0, 1), [0, 1]),
        (split, "nursery", (0, 1), [0, 1]),
    ],
)
def test_a_role_has_its_cores(place, role, cores, wanted):
    assert list(place(role, cores)) == wanted


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
def test_a_run_is_held_against_networks_of_its_own_sizes_only(preset, assignments, ceiling):
    plan = validate(override(load_preset(preset), assignments))
    assert Study(preset, plan, assignments, 1.0, 1.0, None).ceiling == ceiling


def test_machine_facts_are_json_and_tell_cores_and_libraries():
    facts = json.loads(json.dumps(machine.facts()))
    assert facts["cores"] == len(os.sched_getaffinity(0))
    assert {"cpu", "torch", "numba", "commit", "date", "load_average"} <= set(facts)


def test_parts_can_be_listed_without_measuring_them():
    outcome = CliRunner().invoke(main, ["--list", "--game=all"])
    assert outcome.exit_code == 0
    names = outcome.output.split()
    assert {"live/cleanup/moa/B64", "learn/harvest/baseline/T50-B32", "torch/sgemm"} <= set(names)
