"""The rewards of actions and of symbols, and the value of a truncated episode's future."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.targets.rewards import bootstrap_truncated, head_rewards

BETA = 0.3


@pytest.fixture(params=literal.EXPERIMENTS)
def experiment(request):
    return literal.EXPERIMENTS[request.param]


@pytest.mark.parametrize("reward_clip", [float("inf"), 0.5])
def test_influence_is_added_to_the_rewards_of_the_head_that_exerts_it(
    make_trainer, make_segment, make_batch, experiment, reward_clip
):
    trainer = make_trainer(experiment=experiment | {"reward_clip": reward_clip})
    settings = trainer.experiment, BETA
    found = head_rewards(make_batch(trainer), *settings)
    wanted = literal.head_rewards(make_segment(trainer), *settings)
    assert found.action.numpy() == pytest.approx(wanted[0], abs=1e-6)
    assert found.symbol.numpy() == pytest.approx(wanted[1], abs=1e-6)


def test_the_clip_applies_to_environment_rewards_on_both_sides_and_never_to_influence(
    make_trainer, make_batch
):
    trainer = make_trainer(experiment={"beta": 1.0, "alpha": 2.0, "reward_clip": 1.0})
    batch = make_batch(trainer)
    batch.reward[:3, 0] = torch.tensor([-50.0, 50.0, 0.25])
    batch.influence[:] = 7.0
    rewards = head_rewards(batch, trainer.experiment, beta=1.0)
    assert rewards.action[:3, 0].tolist() == [7.0 - 2.0, 7.0 + 2.0, 7.0 + 0.5]


def test_rewards_shaped_by_actors_are_not_clipped_again(make_trainer, make_batch):
    experiment = literal.EXPERIMENTS["inequity averse"] | {"reward_clip": 1.0}
    trainer = make_trainer(experiment=experiment)
    batch = make_batch(trainer)
    batch = replace(batch, shaped_reward=torch.full_like(batch.shaped_reward, -9.0))
    rewards = head_rewards(batch, trainer.experiment, beta=0.0)
    assert (rewards.action == -9.0).all()


STEPS, GAMES = 6, 4


@pytest.fixture
def table():
    """Rewards, ends of episodes and values."""
    rng = np.random.default_rng(2)
    reward = torch.from_numpy(rng.normal(0, 1, (STEPS, GAMES)))
    ended = torch.from_numpy(rng.random((STEPS, GAMES)) < 0.4)
    ended[0, 0], ended[-1, 1] = True, True
    return reward, ended, torch.from_numpy(rng.normal(0, 2, (STEPS + 1, GAMES)))


def test_a_termination_adds_nothing_to_rewards(make_trainer, table):
    learning = make_trainer(episode_end="termination").learning
    assert torch.equal(bootstrap_truncated(*table, learning), table[0])


def test_a_truncation_adds_the_discounted_value_of_the_last_view(make_trainer, table):
    learning = make_trainer(episode_end="truncation", gamma=0.9).learning
    reward, ended, value = table
    found = bootstrap_truncated(*table, learning)
    for t, b in np.ndindex(STEPS, GAMES):
        wanted = reward[t, b] + (0.9 * value[t, b] if ended[t, b] else 0.0)
        assert found[t, b].item() == pytest.approx(wanted.item(), abs=1e-12)
