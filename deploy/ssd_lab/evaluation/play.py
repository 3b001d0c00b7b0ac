"""Trained agents outside a run: load them, and let them act in a game."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ssd_actors.agent import Agent
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.inference.decision import Decision
from ssd_influence.networks.agent_network import network_class
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_lab.evaluation.trajectories import play_out
from ssd_learner.checkpoints.checkpoint_file import (
    CheckpointError,
    newest_checkpoint,
    read_checkpoint,
)
from ssd_wire.messages import Timestep
from ssd_wire.run_file import load_run_file, section
from ssd_wire.weights import Weights

Bytes = NDArray[np.uint8]


class TrainedAgent:
    """One trained agent, and what it remembers of B games.

    Args:
        mind: Its network, with the weights it thinks with.
    """

    def __init__(self, mind: Agent) -> None:
        self.mind = mind
        self._memory = mind.initial_state()

    def act(
        self, pixels: Bytes, actions: Bytes, is_first: NDArray[np.bool_], **told: Bytes
    ) -> Bytes:
        """Look at the games, remember, and draw an action from the policy: uint8 [B].

        Args:
            pixels: as `decide` has it.
            actions: the same.
            is_first: the same.
            **told: `leader_actions` and `symbols`, the same.
        """
        return self.decide(pixels, actions, is_first, **told).action.choice

    def decide(
        self,
        pixels: Bytes,
        actions: Bytes,
        is_first: NDArray[np.bool_],
        leader_actions: Bytes | None = None,
        symbols: Bytes | None = None,
    ) -> Decision:
        """Look at the games, remember, act, and speak where the experiment has it.

        Args:
            pixels: uint8 [B, V, V] the agent's views, as palette indices.
            actions: uint8 [B, N] what everyone did in the step before; not read where `is_first`.
            is_first: bool [B] whether the view is the first of an episode: there memory is wiped.
            leader_actions: uint8 [B, L] what those in `mind.role.leaders` do now.
            symbols: uint8 [B, N] what everyone said in the step before; not read where `is_first`.

        Raises:
            ValueError: these are not B games of N agents, a pixel is no palette index, an action
                or a symbol none of the run's, or something is missing that the agent is told.
        """
        dims, shape = self.mind.dims, self.mind.shape
        games, agents = self.mind.games, shape.num_agents
        if actions.shape != (games, agents) or not len(pixels) == len(is_first) == games:
            found = f"{len(pixels)} views, {len(is_first)} is_first, actions {list(actions.shape)}"
            raise ValueError(f"wanted games by agents [{games}, {agents}], found {found}")
        _check_below(shape.num_actions, actions=actions[~is_first])
        if dims.L:
            _check_shape((games, dims.L), leader_actions=leader_actions)
            _check_below(shape.num_actions, leader_actions=leader_actions)
        if dims.V:
            _check_shape((games, agents), symbols=symbols)
            _check_below(dims.V, symbols=symbols)
        seen = Timestep(
            env_incarnation=0,
            lane=0,
            tick=0,
            pixels=pixels,
            is_first=is_first,
            reward=np.zeros(games, np.float32),
            actions=actions,
            visible=np.zeros((games, agents), np.bool_),
            leader_actions=leader_actions if dims.L else None,
            symbols=symbols if dims.V else None,
        )
        return self.mind.decide(seen, self._memory)


def _check_shape(wanted: tuple[int, ...], **given: Bytes | None) -> None:
    for name, array in given.items():
        found = None if array is None else array.shape
        if found != wanted:
            raise ValueError(f"{name}: wanted {list(wanted)}, found {found and list(found)}")


def _check_below(limit: int, **given: Bytes | None) -> None:
    for name, array in given.items():
        if array is not None and (largest := array.max(initial=0)) >= limit:
            raise ValueError(f"{name}: wanted numbers below {limit}, found {largest}")


def load_agents(run_dir: Path, games: int = 1, seed: int = 0) -> list[TrainedAgent]:
    """All agents of a run with the weights of their newest checkpoints.

    Args:
        run_dir: The run directory that `ssd-train` made.
        games: In how many games at once they will act.
        seed: Of the actions they draw.

    Raises:
        RunFileError: when the run file is unusable.
        CheckpointError: when an agent has no usable checkpoint.
    """
    sections = load_run_file(run_dir / "run.toml")
    spec = game_spec(load_game(run_dir))
    experiment = section(sections, "experiment", ExperimentSettings)
    network = section(sections, "network", NetworkSettings, network_class)
    agents = []
    for agent in range(spec.num_agents):
        shape = AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)
        rng = torch.Generator().manual_seed(seed * spec.num_agents + agent)
        mind = Agent(shape, network, experiment, games, rng)
        mind.load_weights(_newest_weights(run_dir / "checkpoints" / f"agent-{agent}"))
        agents.append(TrainedAgent(mind))
    return agents


def load_game(run_dir: Path) -> GameSettings:
    """The game that a run's agents have trained in.

    Raises:
        RunFileError: when the run file is unusable.
    """
    return section(load_run_file(run_dir / "run.toml"), "game", GameSettings)


def play(
    agents: Sequence[TrainedAgent], settings: GameSettings, seeds: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Let agents play one episode in each of B games.

    Args:
        agents: All N of a game, each for B games; whatever they remember counts for nothing.
        settings: The game, as `load_game` has it, or another that they fit.
        seeds: uint64 [B] of the episodes.

    Returns:
        float64 [B, N] what each agent earned.

    Raises:
        ValueError: when the agents are not such as this game wants, or not loaded for B games.
    """
    return play_out([agent.mind for agent in agents], settings, seeds).returns


def _newest_weights(folder: Path) -> Weights:
    path = newest_checkpoint(folder)
    if path is None:
        raise CheckpointError(f"{folder}: wanted a checkpoint, found none")
    progress, tensors = read_checkpoint(path)
    weights = {
        name.removeprefix("weights/"): tensor.numpy()
        for name, tensor in tensors.items()
        if name.startswith("weights/")
    }
    return Weights(0, progress.version, progress.own_steps, weights)
