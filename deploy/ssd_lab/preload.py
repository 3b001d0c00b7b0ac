"""What all processes of a run import and compile, done once, before they are forked.

Nothing here may start a thread, open a socket or touch a GPU: the nursery refuses to fork then.
"""

from __future__ import annotations

from pathlib import Path

import torch

import ssd_actors.cli  # noqa: F401 - for those who are forked
import ssd_learner.cli  # noqa: F401 - the same
import ssd_world.cli
from ssd_actors.mind import Mind
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.network import AgentShape
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_influence.sight import compile_kernels
from ssd_wire.runfile import load_run_file, section


def preload(run_file: Path) -> None:
    """Have everything in memory that a run's processes need.

    Kernels are compiled here when this machine has never run them: in one process, not in all.
    """
    torch.set_num_threads(1)  # more would be threads
    sections = load_run_file(run_file)
    game = section(sections, "game", GameSettings)
    ssd_world.cli.compile_kernels(game)
    compile_kernels()
    spec = game_spec(game)
    shape = AgentShape(0, spec.num_agents, spec.num_actions, spec.view, spec.palette)
    network = section(sections, "network", NetworkSettings)
    experiment = section(sections, "experiment", ExperimentSettings)
    Mind(shape, network, experiment, 1, torch.Generator()).rehearse()
    torch.optim.RMSprop([torch.zeros(1, requires_grad=True)])  # imports another 800 modules
