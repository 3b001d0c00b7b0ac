"""How often a batch is gone through, when that ends, and what is told of it."""

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ssd_learner.ppo import update as ppo
from ssd_learner.segments.batch import concatenate_time, stack_games
from ssd_learner.training import train
from ssd_learner.vtrace.update import vtrace_update

CPU = torch.device("cpu")
STEPS_OF_A_BATCH = 8 * 5
FOUR_UPDATES = {"algorithm": "ppo", "chunk": 4, "minibatch": 10}  # a pass, of ten chunks
GOES_ON = (lambda: True,)


def on_policy(trainer, segment):
    """The segment, as if this agent with these very weights had acted in it."""
    batch = stack_games([segment], CPU)
    with torch.no_grad():
        unroll = trainer.network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )
    own = batch.actions[1:-1, :, trainer.shape.agent, None]
    log_prob = unroll.policy_logits[:-1].log_softmax(-1).gather(-1, own).squeeze(-1)
    return replace(segment, log_prob=log_prob.numpy())


@pytest.fixture
def learnt(make_trainer, make_segment):
    """Makes a trainer, and has it learn one batch that it acted in itself."""

    def make(tend=lambda: True, **learning):
        trainer = make_trainer(**FOUR_UPDATES | learning)
        segment = on_policy(trainer, make_segment(trainer))
        torch.manual_seed(3)
        return trainer, train(trainer, [segment], tend)

    return make


@pytest.mark.parametrize("passes", [1, 3])
def test_the_version_counts_updates_and_own_steps_each_step_once(learnt, passes):
    trainer, report = learnt(passes=passes)
    assert trainer.version == 4 * passes
    assert trainer.own_steps == STEPS_OF_A_BATCH
    assert report.passes == passes


@pytest.mark.parametrize(
    ("minibatch", "updates"),
    [(1, 10), (4, 10), (10, 4), (13, 3), (20, 2), (27, 1), (40, 1), (1000, 1)],
)
def test_an_update_is_of_about_a_minibatch_s_own_steps_and_at_least_one_chunk(
    learnt, minibatch, updates
):
    trainer, _ = learnt(passes=1, minibatch=minibatch)
    assert trainer.version == updates


def test_without_a_chunk_gradients_flow_through_whole_segments(make_trainer, make_stream, spied):
    trainer = make_trainer(algorithm="ppo", passes=1, minibatch=20)
    train(trainer, make_stream(trainer)[1], *GOES_ON)
    assert [part.steps for part in spied.parts] == [4] * 3


@pytest.fixture
def spied(monkeypatch):
    """All minibatches and their numbers, in order."""
    really = ppo.losses

    spied = SimpleNamespace(parts=[], told=[])

    def losses(trainer, part, weights, moa):
        loss, numbers = really(trainer, part, weights, moa)
        spied.parts.append(part)
        spied.told.append(numbers)
        return loss, numbers

    monkeypatch.setattr(ppo, "losses", losses)
    return spied


def mean(told, name):
    return np.mean([numbers[name].item() for numbers in told])


def test_kl_and_the_clipped_share_are_told_of_the_last_pass_and_losses_of_all(learnt, spied):
    _, report = learnt(passes=3, ratio_clip=0.01)
    assert len(spied.told) == 12
    for name in ("kl", "clipped_share"):
        last = mean(spied.told[8:], name)
        assert getattr(report, name) == pytest.approx(last, rel=1e-5)
        assert last != pytest.approx(mean(spied.told, name), rel=1e-2)
    for name in ("policy_loss", "value_loss", "entropy"):
        assert getattr(report, name) == pytest.approx(mean(spied.told, name), rel=1e-4, abs=1e-7)


def test_in_a_pass_every_chunk_is_trained_on_once(learnt, spied):
    learnt(passes=2)
    for updates in (spied.parts[:4], spied.parts[4:]):
        seen = torch.cat([part.action_head.log_prob[0] for part in updates])
        assert len(seen) == len(set(seen.tolist())) == 10


@pytest.fixture
def kl_after(learnt):
    """KL of each pass, were there no limit."""
    return [learnt(passes=passes)[1].kl for passes in (1, 2, 3, 4)]


def test_the_batch_is_left_after_the_pass_whose_kl_is_above_the_limit(learnt, kl_after):
    assert kl_after == sorted(kl_after)
    limits = [(below + above) / 2 for below, above in pairwise((0, *kl_after))]
    for passes, limit in enumerate(limits, start=1):
        trainer, report = learnt(passes=4, kl_limit=limit)
        assert report.passes == passes
        assert trainer.version == 4 * passes
        assert report.kl == pytest.approx(kl_after[passes - 1], rel=1e-4)


class Tending:
    """Says no to the learner's nth question alone."""

    def __init__(self, nth):
        self.nth, self.asked = nth, 0

    def __call__(self):
        self.asked += 1
        return self.asked != self.nth


@pytest.mark.parametrize("nth", [1, 2, 4, 5, 7, 8, 9])
def test_who_is_asked_to_stop_ends_with_the_pass_under_way(learnt, nth):
    tend = Tending(nth)
    trainer, report = learnt(tend, passes=3)
    assert report.passes == math.ceil(nth / 4)
    assert tend.asked == trainer.version == 4 * report.passes
    assert trainer.own_steps == STEPS_OF_A_BATCH


def test_vtrace_tends_after_every_update_and_trains_on_all_segments(make_trainer, make_segment):
    trainer, tend = make_trainer(update_games=2), Tending(1)
    report = train(trainer, [make_segment(trainer)], tend)
    assert tend.asked == trainer.version == 3  # of 2, 2 and 1 games
    assert trainer.own_steps == STEPS_OF_A_BATCH
    assert report.passes == 1


def test_a_report_of_several_updates_has_the_mean_of_what_each_tells(make_trainer, make_segment):
    trainer, apart = (make_trainer(update_games=3) for _ in range(2))
    segment = make_segment(trainer)
    report = train(trainer, [segment], *GOES_ON)
    updates = [vtrace_update(apart, part) for part in stack_games([segment], CPU).split(3)]
    assert len(updates) == 2
    for name, told in vars(report).items():
        parts = [getattr(update, name) for update in updates]
        assert told == (None if None in parts else pytest.approx(sum(parts) / 2)), name


def test_clocks_stand_still_within_a_batch(make_trainer, make_segment):
    clocks = {"lr_init": 0.01, "lr_end": 0.002, "lr_anneal": 2 * STEPS_OF_A_BATCH}
    clocks |= {"entropy": 0.1, "entropy_end": 0.0, "entropy_anneal": STEPS_OF_A_BATCH}
    experiment = {"influence": "moa", "beta": 0.8, "beta_ramp": 4 * STEPS_OF_A_BATCH}
    trainer = make_trainer(experiment=experiment, passes=2, **FOUR_UPDATES, **clocks)
    reports = [train(trainer, [make_segment(trainer)], *GOES_ON) for _ in range(3)]
    assert [r.learning_rate for r in reports] == pytest.approx([0.01, 0.006, 0.002])
    assert [r.entropy_weight for r in reports] == pytest.approx([0.1, 0.0, 0.0])
    assert [r.beta for r in reports] == pytest.approx([0.0, 0.2, 0.4])


def test_the_last_update_of_a_batch_uses_the_rate_of_its_beginning(make_trainer, make_segment):
    clocks = {"lr_init": 0.01, "lr_end": 0.0, "lr_anneal": 1}
    trainer = make_trainer(passes=2, **FOUR_UPDATES, **clocks)
    for rate in (0.01, 0.0):
        train(trainer, [make_segment(trainer)], *GOES_ON)
        groups = {group["part"]: group["lr"] for group in trainer.optimizer.param_groups}
        assert groups == {"policy": rate, "value": rate, "moa": trainer.learning.moa_lr}


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_one_step_of_one_game_is_a_batch_too(make_trainer, make_segment, algorithm):
    trainer = make_trainer(algorithm=algorithm)
    batch, *_ = concatenate_time([make_segment(trainer, steps=1)], CPU).split(1)
    if algorithm == "ppo":
        report = ppo.learn(trainer, [batch], 1, *GOES_ON)
    else:
        report = vtrace_update(trainer, batch)
    assert np.isfinite(report.numbers).all()
    assert all(weight.isfinite().all() for weight in trainer.network.parameters())
