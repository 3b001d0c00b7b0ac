"""Rewards made of everyone's: two schemes that the paper compares itself with. Needs no torch.

Prosocial agents (§10.5.2) live by what all of them get. Inequity-averse ones (Hughes et al. 2018)
mind having less than others, and a little having more, by rewards smoothed over time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_influence.settings import ExperimentSettings

F64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]


def prosocial(rewards: Floats, agent: int, eta: float) -> F64:
    """Of everyone's rewards [B, N]: e_k + η Σ_{i≠k} e_i, [B]."""
    others: F64 = np.delete(rewards, agent, 1).sum(1, dtype=np.float64)
    return rewards[:, agent] + eta * others


def smoothed(smoothed_tm1: F64, rewards_t: Floats, smoothing: float) -> F64:
    """Everyone's ê_t = γλ · ê_{t−1} + e_t: [B, N] each."""
    return smoothing * smoothed_tm1 + rewards_t


def inequity_averse(
    rewards: Floats, smoothed: F64, agent: int, disadvantageous: float, advantageous: float
) -> F64:
    """What is left of a reward to one who minds that others have more, or less.

        e_k − α/(N−1) Σ_{i≠k} max(ê_i − ê_k, 0) − β/(N−1) Σ_{i≠k} max(ê_k − ê_i, 0)

    Args:
        rewards: [B, N] everyone's e; only k's own is taken, as it is.
        smoothed: [B, N] everyone's ê, these rewards in it.
        agent: k.
        disadvantageous: α, the weight of having less.
        advantageous: β, the weight of having more.

    Returns:
        [B].
    """
    ahead = np.delete(smoothed, agent, 1) - smoothed[:, agent, None]  # [B, N − 1] the others, of k
    less: F64 = np.maximum(ahead, 0).mean(1)
    more: F64 = np.maximum(-ahead, 0).mean(1)
    return rewards[:, agent] - disadvantageous * less - advantageous * more


class SocialReward:
    """What stands in the place of an agent's reward in B games, step after step.

    Args:
        experiment: which scheme, and its weights.
        agent: k.
        num_agents: N.
        games: B.

    Raises:
        ValueError: rewards are the agent's own, or there is nobody else to compare with.
    """

    def __init__(
        self, experiment: ExperimentSettings, agent: int, num_agents: int, games: int
    ) -> None:
        if experiment.reward == "own":
            raise ValueError('a social reward is made of others\' rewards: reward = "own" is not')
        if num_agents < 2:
            raise ValueError(f'reward = "{experiment.reward}" needs another agent')
        self._experiment, self._agent = experiment, agent
        self._smoothed = np.zeros((games, num_agents))

    def shape(
        self, rewards: npt.NDArray[np.float32], is_first: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float32]:
        """The reward of one step.

        Args:
            rewards: [B, N] float32, everyone's for one step.
            is_first: [B] bool, of the timestep that carries them: where the next episode has begun,
                that step was the last of the one before, and what is smoothed starts again from 0.

        Returns:
            [B] float32.
        """
        experiment, agent = self._experiment, self._agent
        if experiment.reward == "prosocial":
            return prosocial(rewards, agent, experiment.prosocial_eta).astype(np.float32)
        now = smoothed(self._smoothed, rewards, experiment.smoothing)
        weights = experiment.disadvantageous, experiment.advantageous
        shaped = inequity_averse(rewards, now, agent, *weights)
        self._smoothed = np.where(is_first[:, None], 0.0, now)
        return shaped.astype(np.float32)
