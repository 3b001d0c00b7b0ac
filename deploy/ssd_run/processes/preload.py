"""Imports and compiles what all processes of a run need, once, before they are forked.

Nothing here may start a thread, open a socket or use a GPU, since the fork server could not fork.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch

import ssd_actors.cli  # noqa: F401 - for the forked processes
import ssd_env_server.cli
import ssd_learner.cli  # noqa: F401 - the same
from ssd_actors.agent import Agent
from ssd_actors.warmup import warm_up
from ssd_envs.layout import Layout
from ssd_envs.rules.interface import make_rules
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.networks.agent_network import network_class
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.networks.compile_kernels import compile_kernels
from ssd_influence.roles import role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.device import torch_device
from ssd_wire.process.command import reports_errors
from ssd_wire.run_file import Sections, errors_in_section, load_run_file, section


def preload(run_file: Path) -> None:
    """Load everything that a run's processes need.

    Kernels that this machine has never run are compiled here, in one process instead of in all.
    """
    torch.set_num_threads(1)  # more would start threads
    sections = load_run_file(run_file)
    game = section(sections, "game", GameSettings)
    ssd_env_server.cli.compile_kernels(game)
    compile_kernels()
    for agent in _agent_of_each_role(sections, game):
        warm_up(agent)
    torch.optim.RMSprop([torch.zeros(1, requires_grad=True)])  # imports another 800 modules


def check(run_file: Path, devices: Sequence[str]) -> None:
    """Check the devices and the user's own modules; to be called in a process that ends afterwards.

    Raises:
        RunFileError: naming what cannot be imported, or the missing device.
    """
    for device in devices:
        torch_device(device)
    sections = load_run_file(run_file)
    game = section(sections, "game", GameSettings)
    with errors_in_section("game"):
        make_rules(game, Layout(game_spec(game).map))
    for _ in _agent_of_each_role(sections, game):
        pass


def _agent_of_each_role(sections: Sections, game: GameSettings) -> Iterator[Agent]:
    spec = game_spec(game)
    network = section(sections, "network", NetworkSettings, network_class)
    experiment = section(sections, "experiment", ExperimentSettings)
    for number in _agents_of_each_role(experiment, spec.num_agents):
        shape = AgentShape(number, spec.num_agents, spec.num_actions, spec.view, spec.palette)
        with errors_in_section("experiment"):
            agent = Agent(shape, network, experiment, 1, torch.Generator())
        yield agent


def _agents_of_each_role(experiment: ExperimentSettings, num_agents: int) -> Iterable[int]:
    """One agent for each kind of role in this experiment."""
    roles = [role_of(experiment, agent, num_agents) for agent in range(num_agents)]
    return {
        (role.is_leader, bool(role.leaders), role.is_rewarded, bool(role.discloses_to)): role.agent
        for role in roles
    }.values()


if __name__ == "__main__":
    reports_errors(check)(Path(sys.argv[1]), sys.argv[2:])
