"""Runs and agents that have learned nothing yet, to be evaluated."""

import math

import pytest
import torch

from ssd_envs.spec import game_spec
from ssd_influence.networks.agent_shape import AgentShape
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.trainer import Trainer
from ssd_run.presets import load_config

SMALL = ("network.lstm=8", "network.moa_lstm=8")


@pytest.fixture
def saved_run(tmp_path):
    """Makes the directory of a run that was stopped before it learned anything."""

    def make(preset, *assignments, name="run"):
        config = load_config(preset, (*SMALL, *assignments))
        run_dir = tmp_path / name
        spec = game_spec(config.game)
        for agent in range(spec.num_agents):
            folder = run_dir / "checkpoints" / f"agent-{agent}"
            folder.mkdir(parents=True)
            shape = AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)
            trainer = Trainer(
                shape,
                config.network,
                config.experiment,
                config.learning,
                torch.device("cpu"),
                seed=1,
            )
            checkpointer = Checkpointer(folder, None, math.inf, keep=1)
            checkpointer.save(trainer, SegmentReceiver(agent, 1, "same", 1))
        (run_dir / "run.toml").write_text(config.toml())
        return run_dir

    return make
