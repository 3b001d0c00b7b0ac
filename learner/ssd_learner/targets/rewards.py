"""The rewards that each head of the agent learns from."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ssd_influence.settings import ExperimentSettings
from ssd_learner.segments.batch import Batch
from ssd_learner.settings import LearningSettings


class HeadRewards(NamedTuple):
    """Rewards of the two heads, [T, B] each."""

    action: Tensor
    symbol: Tensor


def head_rewards(batch: Batch, experiment: ExperimentSettings, beta: float) -> HeadRewards:
    """Rewards of the action head and of the communication head.

    One of them is rewarded for influence, with r = α·e + β·c of §4. Where influence is exerted
    through symbols it is the communication head, and actions are rewarded with e alone (§5).
    Otherwise it is the action head, and symbols are rewarded with e alone.

    e is the environment's reward, clipped to ± `reward_clip`. Where the experiment has a reward
    scheme, actors have clipped everyone's rewards and shaped e from them, and it may be larger. The
    influence reward c has its own clip.
    """
    if batch.shaped_reward is None:
        e = batch.reward.clamp(-experiment.reward_clip, experiment.reward_clip)
    else:
        e = batch.shaped_reward
    with_influence = experiment.alpha * e + beta * batch.influence
    if experiment.influence_of_symbols:
        return HeadRewards(action=e, symbol=with_influence)
    return HeadRewards(action=with_influence, symbol=e)


def bootstrap_truncated(
    reward_t: Tensor, ended_t: Tensor, value_t: Tensor, learning: LearningSettings
) -> Tensor:
    """Rewards, plus the value of what an episode's end cut off where that is a truncation.

    The view after the last step is never observed, because the next one belongs to a new episode.
    The value of the last observed view takes its place.

    Args:
        reward_t: [T, B].
        ended_t: [T, B] bool, whether the episode ended with a_t.
        value_t: [T+1, B] V(s_t).
        learning: Says whether the end of an episode is a termination or a truncation.
    """
    if learning.episode_end == "termination":
        return reward_t
    return reward_t + learning.gamma * value_t[:-1] * ended_t
