"""What is loaded before the fork: all that is slow, and nothing that a fork would break."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ssd_envs.kernels.beams import fire_beams
from ssd_envs.kernels.moves import eat_apples, move_agents
from ssd_envs.kernels.spawn import spawn_agents
from ssd_envs.kernels.views import draw_views
from ssd_envs.rules.cleanup import grow_apples_and_waste
from ssd_influence.kernels import convolution, dense, divergences, lstm_step
from ssd_run.presets import load_preset
from ssd_run.processes.preload import check
from ssd_run.processes.programs import Program
from ssd_run.processes.spawner import Spawner
from ssd_run.run_config import validate
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import override

PROCESSES = {"ssd_actors.cli", "ssd_learner.cli", "ssd_env_server.cli"}
LIBRARIES = {"torch", "numba", "zmq", "msgpack", "pydantic", "safetensors"}
BY_A_FIRST_OPTIMIZER = {"torch._dynamo"}
CLEANUP = (spawn_agents, move_agents, fire_beams, eat_apples, grow_apples_and_waste, draw_views)
ACTING = (
    convolution.build_row_table,
    convolution.convolve_relu,
    dense.relu_dense_relu,
    lstm_step.copy_hidden,
    lstm_step.add_one_hot,
    lstm_step.step,
)
WITH_A_MODEL_OF_OTHERS = (dense.sample, lstm_step.counterfactual_step, divergences.influence_reward)
LEARNING = (convolution.convolve_relu_gradient, convolution.row_table_gradient)
KERNELS = {each.__name__ for each in (*CLEANUP, *ACTING, *WITH_A_MODEL_OF_OTHERS, *LEARNING)}


@pytest.mark.timeout(300)  # on a machine that has never run them, kernels are compiled
def test_a_forked_process_has_all_slow_libraries_and_kernels_loaded(run_dir, monkeypatch):
    """That it could be forked at all says that no thread and no CUDA stood in the way."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    spawner = Spawner(run_dir)
    try:
        while not spawner.is_ready():
            time.sleep(0.05)
        command = ("ssd-fake", "env-0", str(run_dir.root), "prints")
        child = spawner.start(Program("env-0", "fake_process", command), 0)
        while child.poll() is None:
            time.sleep(0.01)
    finally:
        spawner.close()
    assert child.poll() == 0
    printed = [line.split() for line in spawner.log_file("env-0").read_text().splitlines()]
    loaded = {words[0]: set(words[1:]) for words in printed}
    assert (PROCESSES | LIBRARIES | BY_A_FIRST_OPTIMIZER) - loaded["modules"] == set()
    assert KERNELS - loaded["kernels"] == set()


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        ("network.kind=no_such:Net", r"^\[network\] no_such:Net: .* found ModuleNotFoundError: .*"),
        (
            "experiment.influence=no_such:Own",
            r"^\[experiment\] no_such:Own: .* ModuleNotFoundError.*",
        ),
    ],
)
def test_a_failed_import_names_its_section_and_gives_a_hint(assignment, named, tmp_path):
    sections = override(load_preset("cleanup-moa"), [assignment])
    (tmp_path / "run.toml").write_text(validate(sections).toml())
    with pytest.raises(RunFileError, match=f"{named}is the folder .* on PYTHONPATH\\?$"):
        check(tmp_path / "run.toml", [])
