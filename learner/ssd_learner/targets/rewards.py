"""What an agent is paid, as its learner sees it."""

from __future__ import annotations

from torch import Tensor

from ssd_influence.settings import ExperimentSettings
from ssd_learner.segments.batch import Batch
from ssd_learner.settings import LearningSettings


def rewards(
    batch: Batch, experiment: ExperimentSettings, learning: LearningSettings, beta: float
) -> tuple[Tensor, Tensor]:
    """What acting is paid, and what speaking is: r = α·e + β·c of §4 for the one that influences.

    Where influence is of symbols, that is the communication head, and acting is paid e (§5). Else
    it is the policy, and speaking is paid e. In the place of e stands what a reward scheme made of
    everyone's. The game's part is cut to ± `reward_clip`; influence has a clip of its own.

    Returns:
        [T, B] twice.
    """
    e = batch.reward if batch.shaped_reward is None else batch.shaped_reward
    e = e.clamp(-learning.reward_clip, learning.reward_clip)
    influencing = experiment.alpha * e + beta * batch.influence
    return (e, influencing) if experiment.influence_of_symbols else (influencing, e)


def at_the_horizon(
    reward_t: Tensor, ended_t: Tensor, value_t: Tensor, learning: LearningSettings
) -> Tensor:
    """Rewards, with what would have come after an episode's last step, if anything would.

    The view after it is never seen, since the next one is of a new episode. So the value of the
    last view stands for it.

    Args:
        reward_t: [T, B].
        ended_t: [T, B] bool, whether the episode ended with a_t.
        value_t: [T + 1, B] V(s_t).
        learning: Whether an episode's end is a termination or a truncation.
    """
    if learning.horizon_ends == "termination":
        return reward_t
    return reward_t + learning.gamma * value_t[:-1] * ended_t
