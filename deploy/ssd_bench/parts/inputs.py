"""What the parts work on: the presets' agents, and views of real games.

The games are played at random, so agents see each other about as often as early in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import cache

import numpy as np
import torch

from ssd_actors.agent import Agent
from ssd_env_server.episodes import Arena
from ssd_env_server.lane_games import LaneGames
from ssd_envs.batch import GameBatch
from ssd_envs.spec import game_spec
from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.networks.agent_shape import AgentShape
from ssd_run.presets import load_config
from ssd_run.run_config import RunConfig
from ssd_wire.messages import Segment, Timestep
from ssd_wire.weights import Weights

PLAYED = ("cleanup", "harvest")  # the games that have presets of both kinds
KINDS = ("baseline", "moa")
GAMES = (16, 64, 256)  # B, the games per lane
STEPS = 50  # T
AGENT = 0


@cache
def config_for(game: str, kind: str, games: int = 16) -> RunConfig:
    """The preset of this game and kind of agent, with so many games per lane."""
    return load_config(f"{game}-{kind}", [f"run.games={games}", f"run.segment={STEPS}"])


def shape_of(config: RunConfig, agent: int = AGENT) -> AgentShape:
    """An agent of the run's game."""
    spec = game_spec(config.game)
    return AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)


def agent_of(config: RunConfig) -> Agent:
    """Agent 0 in one lane of the config, with initial weights."""
    rng = torch.Generator().manual_seed(0)
    return Agent(shape_of(config), config.network, config.experiment, config.run.games, rng)


def weights_of(network: AgentNetwork, version: int) -> Weights:
    """A network's weights, as a learner publishes them."""
    tensors = {name: w.detach().numpy() for name, w in network.named_parameters()}
    return Weights(learner_incarnation=1, version=version, own_steps=0, tensors=tensors)


@cache
def timesteps(game: str, games: int, steps: int = STEPS) -> Sequence[Timestep]:
    """What agent 0 observes in B games over T + 2 steps, from step T on."""
    return random_play(config_for(game, "baseline", games), AGENT, steps, steps + 2)


def random_play(config: RunConfig, agent: int, steps: int, length: int) -> Sequence[Timestep]:
    """So many timesteps of an agent from step T on, in B games, with random actions of all."""
    lane = LaneGames(GameBatch(config.game, config.run.games), 0, Arena(1, 0, 0), 1, steps)
    rng, shape = np.random.default_rng(0), (config.run.games, config.game.agents)
    num_actions = game_spec(config.game).num_actions
    played = []
    for tick in range(1, steps + length):
        lane.step(rng.integers(0, num_actions, shape).astype(np.uint8))
        if tick >= steps:
            played.append(deepcopy(lane.timesteps()[agent]))
    return tuple(played)


def segment_of(game: str, steps: int, games: int, state_size: int) -> Segment:
    """A segment of `timesteps`, with S floats of recurrent state per game."""
    return segment(config_for(game, "baseline"), timesteps(game, games, steps), state_size)


def segment(config: RunConfig, played: Sequence[Timestep], state_size: int) -> Segment:
    """A segment of T + 2 timesteps; what a policy would add is made up."""
    reward = np.stack([timestep.reward for timestep in played[1:-1]])
    is_first = np.stack([timestep.is_first for timestep in played[:-1]])
    actions = np.stack([timestep.actions for timestep in played])
    symbols = config.experiment.symbols
    num_actions = game_spec(config.game).num_actions
    return Segment(
        epoch=1,
        seq=1,
        lane=0,
        learner_incarnation=1,
        weights_version=0,
        pixels=np.stack([timestep.pixels for timestep in played[:-1]]),
        is_first=is_first,
        visible=np.stack([timestep.visible for timestep in played[:-1]]),
        actions=actions,
        log_prob=np.full(reward.shape, -np.log(num_actions), np.float32),
        reward=reward,
        influence=np.float32(0.01) * ~is_first[1:],
        state=np.zeros((reward.shape[1], state_size), np.float32),
        symbols=actions[:-1] % symbols if symbols else None,
        symbol_log_prob=np.full(reward.shape, -np.log(symbols), np.float32) if symbols else None,
        shaped_reward=None if config.experiment.reward == "own" else reward,
    )
