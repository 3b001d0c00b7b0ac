"""How many passes a batch gets, how many updates a pass has, and what the report says of them."""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from tests.learner.ppo.on_policy import on_policy

from ssd_learner.ppo import update
from ssd_learner.ppo.update import train_ppo
from ssd_learner.segments.batch import concatenate_time, stack_games
from ssd_learner.training import train
from ssd_learner.vtrace.update import vtrace_update

CPU = torch.device("cpu")
STEPS_OF_A_BATCH = 8 * 5
FOUR_UPDATES = {"algorithm": "ppo", "chunk": 4, "minibatch": 10}  # a pass, of ten chunks


def never_stop():
    return True


@pytest.fixture
def train_once(make_trainer, make_segment):
    """Trains a new trainer on one on-policy segment."""

    def run(poll=never_stop, **learning):
        trainer = make_trainer(**FOUR_UPDATES | learning)
        segment = on_policy(trainer, make_segment(trainer))
        torch.manual_seed(3)
        return trainer, train(trainer, [segment], poll)

    return run


@pytest.mark.parametrize("passes", [1, 3])
def test_the_version_counts_updates_and_own_steps_count_each_step_once(train_once, passes):
    trainer, report = train_once(passes=passes)
    assert trainer.version == 4 * passes
    assert trainer.own_steps == STEPS_OF_A_BATCH
    assert report.passes == passes


@pytest.mark.parametrize(
    ("minibatch", "updates"),
    [(1, 10), (4, 10), (10, 4), (13, 3), (20, 2), (27, 1), (40, 1), (1000, 1)],
)
def test_an_update_has_about_minibatch_own_steps_and_at_least_one_chunk(
    train_once, minibatch, updates
):
    trainer, _ = train_once(passes=1, minibatch=minibatch)
    assert trainer.version == updates


@dataclass
class RecordedUpdates:
    """Minibatches and their scalars, in order."""

    minibatches: list = field(default_factory=list)
    scalars: list = field(default_factory=list)


@pytest.fixture
def recorded(monkeypatch):
    original, recorded = update.minibatch_loss, RecordedUpdates()

    def recording(trainer, minibatch, scheduled, *, with_moa):
        loss, scalars = original(trainer, minibatch, scheduled, with_moa=with_moa)
        recorded.minibatches.append(minibatch)
        recorded.scalars.append(scalars)
        return loss, scalars

    monkeypatch.setattr(update, "minibatch_loss", recording)
    return recorded


def test_without_a_chunk_length_chunks_are_whole_segments(make_trainer, make_stream, recorded):
    trainer = make_trainer(algorithm="ppo", passes=1, minibatch=20)
    train(trainer, make_stream(trainer)[1], never_stop)
    assert [minibatch.length for minibatch in recorded.minibatches] == [4] * 3


def mean(scalars, name):
    return np.mean([of[name].item() for of in scalars])


def test_kl_and_clipped_share_are_of_the_last_pass_and_losses_of_all_passes(train_once, recorded):
    _, report = train_once(passes=3, ratio_clip=0.01)
    assert len(recorded.scalars) == 12
    for name in ("kl", "clipped_share"):
        last = mean(recorded.scalars[8:], name)
        assert getattr(report, name) == pytest.approx(last, rel=1e-5)
        assert last != pytest.approx(mean(recorded.scalars, name), rel=1e-2)
    for name in ("policy_loss", "value_loss", "entropy"):
        wanted = mean(recorded.scalars, name)
        assert getattr(report, name) == pytest.approx(wanted, rel=1e-4, abs=1e-7)


def test_a_pass_trains_on_every_chunk_once(train_once, recorded):
    train_once(passes=2)
    for one_pass in (recorded.minibatches[:4], recorded.minibatches[4:]):
        found = torch.cat([minibatch.action_head.log_prob[0] for minibatch in one_pass])
        assert len(found) == len(set(found.tolist())) == 10


@pytest.fixture
def kl_of_passes(train_once):
    """KL of each pass without a limit."""
    return [train_once(passes=passes)[1].kl for passes in (1, 2, 3, 4)]


def test_no_pass_follows_one_whose_kl_exceeds_the_limit(train_once, kl_of_passes):
    assert kl_of_passes == sorted(kl_of_passes)
    limits = [(below + above) / 2 for below, above in pairwise((0, *kl_of_passes))]
    for passes, limit in enumerate(limits, start=1):
        trainer, report = train_once(passes=4, kl_limit=limit)
        assert report.passes == passes
        assert trainer.version == 4 * passes
        assert report.kl == pytest.approx(kl_of_passes[passes - 1], rel=1e-4)


@pytest.mark.parametrize("changed", ["log_prob", "symbol_log_prob"])
def test_the_kl_is_that_of_actions_and_symbols_together(make_trainer, make_segment, changed):
    experiment = {"influence": "communication", "symbols": 3}
    still = {"lr_init": 1e-9, "lr_end": 0.0, "passes": 3}
    trainer = make_trainer(experiment=experiment, kl_limit=0.3, **FOUR_UPDATES, **still)
    segment = on_policy(trainer, make_segment(trainer))
    report = train(trainer, [segment], never_stop)
    assert (report.passes, report.kl) == (3, pytest.approx(0, abs=1e-4))
    drifted = replace(segment, **{changed: getattr(segment, changed) - 1})
    report = train(trainer, [drifted], never_stop)
    assert (report.passes, report.kl) == (1, pytest.approx(math.e - 2, rel=1e-3))


class StopAtPoll:
    """Returns false from one poll only."""

    def __init__(self, nth):
        self.nth, self.polls = nth, 0

    def __call__(self):
        self.polls += 1
        return self.polls != self.nth


@pytest.mark.parametrize("nth", [1, 2, 4, 5, 7, 8, 9])
def test_when_asked_to_stop_the_current_pass_is_the_last(train_once, nth):
    poll = StopAtPoll(nth)
    trainer, report = train_once(poll, passes=3)
    assert report.passes == math.ceil(nth / 4)
    assert poll.polls == trainer.version == 4 * report.passes
    assert trainer.own_steps == STEPS_OF_A_BATCH


def test_vtrace_polls_after_every_update_and_trains_on_all_segments(make_trainer, make_segment):
    trainer, poll = make_trainer(update_games=2), StopAtPoll(1)
    report = train(trainer, [make_segment(trainer)], poll)
    assert poll.polls == trainer.version == 3  # of 2, 2 and 1 games
    assert trainer.own_steps == STEPS_OF_A_BATCH
    assert report.passes == 1


def test_a_report_on_several_updates_has_the_mean_of_each_value(make_trainer, make_segment):
    trainer, apart = (make_trainer(update_games=3) for _ in range(2))
    segment = make_segment(trainer)
    report = train(trainer, [segment], never_stop)
    batch = stack_games([segment], CPU)
    updates = [vtrace_update(apart, part) for part in batch.split_games(3)]
    assert len(updates) == 2
    for name, value in vars(report).items():
        parts = [getattr(update, name) for update in updates]
        assert value == (None if None in parts else pytest.approx(sum(parts) / 2)), name


def test_schedules_advance_between_batches_only(make_trainer, make_segment):
    schedules = {"lr_init": 0.01, "lr_end": 0.002, "lr_anneal": 2 * STEPS_OF_A_BATCH}
    schedules |= {"entropy": 0.1, "entropy_end": 0.0, "entropy_anneal": STEPS_OF_A_BATCH}
    experiment = {"influence": "moa", "beta": 0.8, "beta_ramp": 4 * STEPS_OF_A_BATCH}
    trainer = make_trainer(experiment=experiment, passes=2, **FOUR_UPDATES, **schedules)
    reports = [train(trainer, [make_segment(trainer)], never_stop) for _ in range(3)]
    assert [r.learning_rate for r in reports] == pytest.approx([0.01, 0.006, 0.002])
    assert [r.entropy_weight for r in reports] == pytest.approx([0.1, 0.0, 0.0])
    assert [r.beta for r in reports] == pytest.approx([0.0, 0.2, 0.4])


def test_the_last_update_of_a_batch_uses_the_learning_rate_of_the_first(make_trainer, make_segment):
    schedule = {"lr_init": 0.01, "lr_end": 0.0, "lr_anneal": 1}
    trainer = make_trainer(passes=2, **FOUR_UPDATES, **schedule)
    for rate in (0.01, 0.0):
        train(trainer, [make_segment(trainer)], never_stop)
        rates = {group["name"]: group["lr"] for group in trainer.optimizer.param_groups}
        assert rates == {"policy": rate, "value": rate, "moa": trainer.learning.moa_lr}


@pytest.mark.parametrize(
    "learning",
    [{"algorithm": "ppo"}, {"algorithm": "ppo", "advantages": "vtrace"}, {"algorithm": "vtrace"}],
    ids=["PPO", "PPO with V-trace's advantages", "V-trace"],
)
def test_a_batch_of_one_step_of_one_game_can_be_trained_on(make_trainer, make_segment, learning):
    trainer = make_trainer(**learning)
    batch, *_ = concatenate_time([make_segment(trainer, steps=1)], CPU).split_games(1)
    if learning["algorithm"] == "ppo":
        report = train_ppo(trainer, [batch], 1, never_stop)
    else:
        report = vtrace_update(trainer, batch)
    assert np.isfinite(report.values).all()
    assert all(weight.isfinite().all() for weight in trainer.network.parameters())
