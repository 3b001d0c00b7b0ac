"""Rewards made of all agents' rewards: two baselines of the paper. Needs no torch.

Prosocial agents (§10.5.2) also value what the others get. Inequity-averse agents (Hughes et al.
2018) are penalised for having less than others, and a little for having more, by rewards smoothed
over time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_influence.array_types import F32, F64, Bools
from ssd_influence.settings import ExperimentSettings

Floats = npt.NDArray[np.floating]


def prosocial(rewards: Floats, agent: int, eta: float) -> F64:
    """Of all agents' rewards [B, N]: e_k + η Σ_{i≠k} e_i, [B]."""
    others: F64 = np.delete(rewards, agent, 1).sum(1, dtype=np.float64)
    return rewards[:, agent] + eta * others


def smoothed(smoothed_tm1: F64, rewards_t: Floats, smoothing: float) -> F64:
    """All agents' ê_t = γλ · ê_{t−1} + e_t: [B, N] each."""
    return smoothing * smoothed_tm1 + rewards_t


def inequity_averse(
    rewards: Floats, smoothed: F64, agent: int, disadvantageous: float, advantageous: float
) -> F64:
    """The reward of agent k less its penalties for inequity.

        e_k − α/(N−1) Σ_{i≠k} max(ê_i − ê_k, 0) − β/(N−1) Σ_{i≠k} max(ê_k − ê_i, 0)

    Args:
        rewards: [B, N] all agents' e; only k's own is used, unsmoothed.
        smoothed: [B, N] all agents' ê, these rewards included.
        agent: k.
        disadvantageous: α, the weight of having less.
        advantageous: β, the weight of having more.

    Returns:
        [B].
    """
    ahead = np.delete(smoothed, agent, 1) - smoothed[:, agent, None]  # [B, N − 1] others minus k
    less: F64 = np.maximum(ahead, 0).mean(1)
    more: F64 = np.maximum(-ahead, 0).mean(1)
    return rewards[:, agent] - disadvantageous * less - advantageous * more


class SocialReward:
    """Replaces an agent's reward in B games, step by step.

    Args:
        experiment: which scheme, and its weights.
        agent: k.
        num_agents: N.
        num_games: B.

    Raises:
        ValueError: the experiment keeps the agent's own reward, or there is no other agent.
    """

    def __init__(
        self, experiment: ExperimentSettings, agent: int, num_agents: int, num_games: int
    ) -> None:
        if experiment.reward == "own":
            raise ValueError('a social reward needs a scheme, but reward = "own"')
        if num_agents < 2:
            raise ValueError(f'reward = "{experiment.reward}" needs another agent')
        self._experiment, self._agent = experiment, agent
        self._smoothed = np.zeros((num_games, num_agents))

    def shape(self, rewards: F32, is_first: Bools) -> F32:
        """The shaped reward of one step.

        Args:
            rewards: [B, N] all agents' rewards of one step, which are clipped first. A clip of the
                shaped reward instead would hide what an agent gained or lost by its action, as the
                penalties for inequity are often larger.
            is_first: [B] of the timestep that carries them. Where it is true, the step was the last
                of its episode, and smoothing starts again from 0.

        Returns:
            [B].
        """
        experiment, agent = self._experiment, self._agent
        rewards = rewards.clip(-experiment.reward_clip, experiment.reward_clip)
        if experiment.reward == "prosocial":
            return prosocial(rewards, agent, experiment.prosocial_eta).astype(np.float32)
        smoothed_t = smoothed(self._smoothed, rewards, experiment.smoothing)
        weights = experiment.disadvantageous, experiment.advantageous
        shaped = inequity_averse(rewards, smoothed_t, agent, *weights)
        self._smoothed = np.where(is_first[:, None], 0.0, smoothed_t)
        return shaped.astype(np.float32)
