"""What acting and speaking are paid, and what an episode's end is worth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.targets.rewards import bootstrap_truncated, rewards

BETA = 0.3


@pytest.fixture(params=literal.EXPERIMENTS)
def experiment(request):
    return literal.EXPERIMENTS[request.param]


@pytest.mark.parametrize("reward_clip", [float("inf"), 0.5])
def test_acting_and_speaking_are_paid_apart_by_who_is_rewarded_for_influence(
    make_trainer, make_segment, make_batch, experiment, reward_clip
):
    trainer = make_trainer(experiment=experiment, reward_clip=reward_clip)
    settings = trainer.experiment, trainer.learning, BETA
    wanted = literal.paid(make_segment(trainer), *settings)
    for found, of_head in zip(rewards(make_batch(trainer), *settings), wanted, strict=True):
        assert found.numpy() == pytest.approx(of_head, abs=1e-6)


def test_the_clip_cuts_what_the_game_pays_on_both_sides_and_never_influence(
    make_trainer, make_batch
):
    trainer = make_trainer(experiment={"beta": 1.0, "alpha": 2.0}, reward_clip=1.0)
    batch = make_batch(trainer)
    batch.reward[:3, 0] = torch.tensor([-50.0, 50.0, 0.25])
    batch.influence[:] = 7.0
    acting, _ = rewards(batch, trainer.experiment, trainer.learning, beta=1.0)
    assert acting[:3, 0].tolist() == [7.0 - 2.0, 7.0 + 2.0, 7.0 + 0.5]


def test_what_a_scheme_shaped_is_cut_in_its_place(make_trainer, make_batch):
    trainer = make_trainer(experiment=literal.EXPERIMENTS["averse to inequity"], reward_clip=1.0)
    batch = make_batch(trainer)
    batch = replace(batch, shaped_reward=torch.full_like(batch.shaped_reward, -9.0))
    acting, _ = rewards(batch, trainer.experiment, trainer.learning, beta=0.0)
    assert (acting == -1.0).all()


STEPS, GAMES = 6, 4


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    reward = torch.from_numpy(rng.normal(0, 1, (STEPS, GAMES)))
    ended = torch.from_numpy(rng.random((STEPS, GAMES)) < 0.4)
    ended[0, 0], ended[-1, 1] = True, True
    return reward, ended, torch.from_numpy(rng.normal(0, 2, (STEPS + 1, GAMES)))


def test_where_an_episode_s_end_is_a_termination_nothing_comes_after_it(make_trainer, table):
    learning = make_trainer(horizon_ends="termination").learning
    assert torch.equal(bootstrap_truncated(*table, learning), table[0])


def test_where_it_is_a_truncation_the_value_of_the_last_view_stands_for_what_would_have_come(
    make_trainer, table
):
    learning = make_trainer(horizon_ends="truncation", gamma=0.9).learning
    reward, ended, value = table
    found = bootstrap_truncated(*table, learning)
    for t, b in np.ndindex(STEPS, GAMES):
        wanted = reward[t, b] + (0.9 * value[t, b] if ended[t, b] else 0.0)
        assert found[t, b].item() == pytest.approx(wanted.item(), abs=1e-12)
