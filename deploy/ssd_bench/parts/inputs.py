"""The agents that are measured, and what they are shown: views of real games.

The games are played at random, so agents see each other about as often as in a young run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from ssd_actors.mind import Mind
from ssd_bench.parts.plans import STEPS, plan_for, spec_of
from ssd_envs.batch import GameBatch
from ssd_influence.network import AgentNetwork, AgentShape
from ssd_run.plan import Plan
from ssd_wire.messages import Segment, Timestep
from ssd_wire.weights import Weights
from ssd_world.episodes import Arena
from ssd_world.games import LaneGames

AGENT = 0


def shape_of(plan: Plan) -> AgentShape:
    """Agent 0 of the plan's game."""
    spec = spec_of(plan)
    return AgentShape(AGENT, spec.num_agents, spec.num_actions, spec.view, spec.palette)


def mind_of(plan: Plan) -> Mind:
    """Agent 0 in one lane of the plan, with fresh weights."""
    noise = torch.Generator().manual_seed(0)
    return Mind(shape_of(plan), plan.network, plan.experiment, plan.run.games, noise)


def weights_of(network: AgentNetwork, version: int) -> Weights:
    """A network's weights, as a learner would publish them."""
    tensors = {name: w.detach().numpy() for name, w in network.named_parameters()}
    return Weights(learner=1, version=version, own_steps=0, tensors=tensors)


@cache
def timesteps(game: str, games: int, steps: int = STEPS) -> Sequence[Timestep]:
    """What agent 0 is told in B games over T + 2 steps: those of the run's second segment."""
    plan = plan_for(game, "baseline", games)
    lane = LaneGames(GameBatch(plan.game, games), 0, Arena(1, 0, 0), 1, steps)
    rng = np.random.default_rng(0)
    shown = []
    for tick in range(1, 2 * steps + 2):
        actions = rng.integers(0, spec_of(plan).num_actions, (games, plan.game.agents))
        lane.step(actions.astype(np.uint8))
        if tick >= steps:
            shown.append(_kept(lane.timesteps()[AGENT]))
    return tuple(shown)


def _kept(seen: Timestep) -> Timestep:
    names = ("pixels", "first", "reward", "actions", "visible")
    return replace(seen, **{name: getattr(seen, name).copy() for name in names})


def segment_of(game: str, steps: int, games: int, state: int) -> Segment:
    """A segment of those views, acted at random.

    Args:
        game: Of which game.
        steps: T.
        games: B.
        state: S, floats of recurrent state per game.
    """
    shown = timesteps(game, games, steps)
    num_actions = spec_of(plan_for(game, "baseline")).num_actions
    return Segment(
        epoch=1,
        seq=1,
        lane=0,
        learner=1,
        version=0,
        pixels=np.stack([seen.pixels for seen in shown[:-1]]),
        first=np.stack([seen.first for seen in shown[:-1]]),
        visible=np.stack([seen.visible for seen in shown[:-1]]),
        actions=np.stack([seen.actions for seen in shown]),
        log_prob=np.full((steps, games), -np.log(num_actions), np.float32),
        reward=np.stack([seen.reward for seen in shown[1:-1]]),
        influence=np.full((steps, games), 0.01, np.float32),
        state=np.zeros((games, state), np.float32),
    )
