"""Load trained agents from a run, and let them act in a game."""

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
    """One trained agent, with its recurrent state in B games.

    Args:
        agent: Its network and weights.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._state = agent.initial_state()

    def act(
        self, pixels: Bytes, actions: Bytes, is_first: NDArray[np.bool_], **others: Bytes
    ) -> Bytes:
        """Sample an action from the policy, and update the recurrent state: uint8 [B].

        Args:
            pixels: As in `decide`.
            actions: As in `decide`.
            is_first: As in `decide`.
            **others: `leader_actions` and `symbols`, as in `decide`.
        """
        return self.decide(pixels, actions, is_first, **others).action.choice

    def decide(
        self,
        pixels: Bytes,
        actions: Bytes,
        is_first: NDArray[np.bool_],
        leader_actions: Bytes | None = None,
        symbols: Bytes | None = None,
    ) -> Decision:
        """Sample an action, and a symbol where there are any, and update the recurrent state.

        Args:
            pixels: uint8 [B, V, V] the agent's views, as palette indices.
            actions: uint8 [B, N] all actions of the step before; not read where `is_first`.
            is_first: bool [B] whether the view is the first of an episode; it resets the state.
            leader_actions: uint8 [B, L] actions of `agent.role.leaders` in this step.
            symbols: uint8 [B, N] all symbols of the step before; not read where `is_first`.

        Raises:
            ValueError: the shapes are not those of B games of N agents; a pixel, action or symbol
                is out of range; or an input that the experiment needs is missing.
        """
        dims, shape = self.agent.dims, self.agent.shape
        games, agents = self.agent.games, shape.num_agents
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
        timestep = Timestep(
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
        return self.agent.decide(timestep, self._state)


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
        games: B, the games in which they will act at the same time.
        seed: For sampling actions.

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
        loaded = Agent(shape, network, experiment, games, rng)
        loaded.load_weights(_newest_weights(run_dir / "checkpoints" / f"agent-{agent}"))
        agents.append(TrainedAgent(loaded))
    return agents


def load_game(run_dir: Path) -> GameSettings:
    """The game of a run.

    Raises:
        RunFileError: when the run file is unusable.
    """
    return section(load_run_file(run_dir / "run.toml"), "game", GameSettings)


def play(
    agents: Sequence[TrainedAgent], settings: GameSettings, seeds: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Let agents play one episode in each of B games.

    Args:
        agents: All N of a game, each for B games; their recurrent states are not used.
        settings: From `load_game`, or of another game that they fit.
        seeds: uint64 [B] of the episodes.

    Returns:
        float64 [B, N] the return of each agent.

    Raises:
        ValueError: when the agents do not fit this game, or are not loaded for B games.
    """
    return play_out([agent.agent for agent in agents], settings, seeds).returns


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
