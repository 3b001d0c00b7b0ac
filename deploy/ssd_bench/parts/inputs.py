"""The agents that are measured, and what they are shown: views of real games.

The games are played at random, so agents see each other about as often as in a young run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from ssd_actors.agent import Agent
from ssd_bench.parts.plans import STEPS, plan_for, spec_of
from ssd_env_server.episodes import Arena
from ssd_env_server.games import LaneGames
from ssd_envs.batch import GameBatch
from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.networks.agent_shape import AgentShape
from ssd_run.plan import Plan
from ssd_wire.messages import Segment, Timestep
from ssd_wire.weights import Weights

AGENT = 0


def shape_of(plan: Plan, agent: int = AGENT) -> AgentShape:
    """An agent of the plan's game."""
    spec = spec_of(plan)
    return AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)


def mind_of(plan: Plan) -> Agent:
    """Agent 0 in one lane of the plan, with fresh weights."""
    noise = torch.Generator().manual_seed(0)
    return Agent(shape_of(plan), plan.network, plan.experiment, plan.run.games, noise)


def weights_of(network: AgentNetwork, version: int) -> Weights:
    """A network's weights, as a learner would publish them."""
    tensors = {name: w.detach().numpy() for name, w in network.named_parameters()}
    return Weights(learner_incarnation=1, version=version, own_steps=0, tensors=tensors)


@cache
def timesteps(game: str, games: int, steps: int = STEPS) -> Sequence[Timestep]:
    """What agent 0 is told in B games over T + 2 steps: those of the run's second segment."""
    return random_play(plan_for(game, "baseline", games), AGENT, steps, steps + 2)


def random_play(plan: Plan, agent: int, steps: int, length: int) -> Sequence[Timestep]:
    """So many timesteps of an agent from T on, in the plan's B games, all acting at random."""
    lane = LaneGames(GameBatch(plan.game, plan.run.games), 0, Arena(1, 0, 0), 1, steps)
    rng, shape = np.random.default_rng(0), (plan.run.games, plan.game.agents)
    shown = []
    for tick in range(1, steps + length):
        lane.step(rng.integers(0, spec_of(plan).num_actions, shape).astype(np.uint8))
        if tick >= steps:
            seen = lane.timesteps()[agent]
            names = ("pixels", "is_first", "reward", "actions", "visible")
            shown.append(replace(seen, **{name: getattr(seen, name).copy() for name in names}))
    return tuple(shown)


def segment_of(game: str, steps: int, games: int, state: int) -> Segment:
    """A segment of those views, acted at random, with S floats of recurrent state per game."""
    return segment(plan_for(game, "baseline"), timesteps(game, games, steps), state)


def segment(plan: Plan, shown: Sequence[Timestep], state: int) -> Segment:
    """A segment of T + 2 timesteps; what else the plan's segments have is made up."""
    reward = np.stack([seen.reward for seen in shown[1:-1]])
    is_first = np.stack([seen.is_first for seen in shown[:-1]])
    actions = np.stack([seen.actions for seen in shown])
    symbols = plan.experiment.symbols
    return Segment(
        epoch=1,
        seq=1,
        lane=0,
        learner_incarnation=1,
        weights_version=0,
        pixels=np.stack([seen.pixels for seen in shown[:-1]]),
        is_first=is_first,
        visible=np.stack([seen.visible for seen in shown[:-1]]),
        actions=actions,
        log_prob=np.full(reward.shape, -np.log(spec_of(plan).num_actions), np.float32),
        reward=reward,
        influence=np.float32(0.01) * ~is_first[1:],
        state=np.zeros((reward.shape[1], state), np.float32),
        symbols=actions[:-1] % symbols if symbols else None,
        symbol_log_prob=np.full(reward.shape, -np.log(symbols), np.float32) if symbols else None,
        shaped_reward=None if plan.experiment.reward == "own" else reward,
    )
