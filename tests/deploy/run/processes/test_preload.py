"""What is loaded before the fork: all that is slow, and nothing that a fork would break."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ssd_run.processes.programs import Program
from ssd_run.processes.spawner import Spawner

PROCESSES = {"ssd_actors.cli", "ssd_learner.cli", "ssd_world.cli"}
LIBRARIES = {"torch", "numba", "zmq", "msgpack", "pydantic", "safetensors"}
BY_A_FIRST_OPTIMIZER = {"torch._dynamo"}
KERNELS = {"spawn", "move", "fire", "eat", "grow_and_spoil", "draw"}  # that Cleanup calls
KERNELS |= {
    "tabulate",
    "convolve",
    "relu_dense_relu",
    "carry_over",
    "add_columns",
    "step",
}  # acting
KERNELS |= {"choose", "imagine", "influence"}  # with a model of others
KERNELS |= {"convolve_back", "untabulate"}  # learners


@pytest.mark.timeout(300)  # on a machine that has never run them, kernels are compiled
def test_a_forked_process_finds_loaded_what_takes_long_to_load(run_dir, monkeypatch):
    """That it could be forked at all says that no thread and no CUDA stood in the way."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    spawner = Spawner(run_dir)
    try:
        while not spawner.is_ready():
            time.sleep(0.05)
        command = ("ssd-pretended", "env-0", str(run_dir.root), "tells")
        child = spawner.start(Program("env-0", "pretended_process", command), 0)
        while child.poll() is None:
            time.sleep(0.01)
    finally:
        spawner.close()
    assert child.poll() == 0
    told = [line.split() for line in spawner.log("env-0").read_text().splitlines()]
    loaded = {words[0]: set(words[1:]) for words in told}
    assert (PROCESSES | LIBRARIES | BY_A_FIRST_OPTIMIZER) - loaded["modules"] == set()
    assert KERNELS - loaded["kernels"] == set()
