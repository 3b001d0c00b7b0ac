"""Initial weights, schedules, optimizer, gradient clips, and saving and restoring a trainer."""

import pytest
import torch

from ssd_influence.settings import NetworkSettings
from ssd_learner.checkpoints.checkpoint_file import (
    TrainingProgress,
    read_checkpoint,
    write_checkpoint,
)
from ssd_learner.segments.epochs import SegmentCounts
from ssd_learner.training import train
from ssd_learner.vtrace.losses import batch_losses
from ssd_learner.vtrace.update import vtrace_update

STEPS_OF_A_BATCH = 8 * 5


def never_stop():
    return True


def weights(trainer):
    return {name: tensor.copy() for name, tensor in trainer.tensors().items()}


def are_equal(some, others):
    return all((some[name] == others[name]).all() for name in some)


def through_a_file(trainer, folder):
    """The trainer's state, written to a checkpoint and read from it."""
    progress = TrainingProgress(1, "run", trainer.own_steps, trainer.version, SegmentCounts(), ())
    return read_checkpoint(write_checkpoint(folder, progress, trainer.state(), keep=1))[1]


def test_seed_and_agent_determine_the_initial_weights(make_trainer):
    one, other = (weights(make_trainer(agent=2, seed=8)) for _ in range(2))
    assert are_equal(one, other)


@pytest.mark.parametrize(("agent", "seed"), [(2, 9), (3, 8)], ids=["another seed", "another agent"])
def test_other_seeds_and_agents_have_other_initial_weights(make_trainer, agent, seed):
    one, other = weights(make_trainer(agent=2, seed=8)), weights(make_trainer(agent, seed))
    for name, tensor in one.items():
        if not name.endswith(("bias", "bias_ih_l0", "bias_hh_l0")):  # those start at 0 or 1
            assert (tensor != other[name]).any(), name


def test_own_steps_and_version_count_steps_and_updates(make_trainer, make_batch):
    trainer = make_trainer()
    assert (trainer.own_steps, trainer.version) == (0, 0)
    for update in (1, 2, 3):
        vtrace_update(trainer, make_batch(trainer, seed=update))
        assert (trainer.own_steps, trainer.version) == (update * STEPS_OF_A_BATCH, update)


def test_the_learning_rate_is_annealed_linearly_and_then_constant(make_trainer, make_batch):
    trainer = make_trainer(lr_init=0.01, lr_end=0.002, lr_anneal=4 * STEPS_OF_A_BATCH)
    rates = [vtrace_update(trainer, make_batch(trainer)).learning_rate for _ in range(6)]
    assert rates == pytest.approx([0.01, 0.008, 0.006, 0.004, 0.002, 0.002])


def test_beta_is_ramped_up_with_own_steps(make_trainer, make_batch):
    trainer = make_trainer(experiment={"beta": 0.8, "beta_ramp": 4 * STEPS_OF_A_BATCH})
    betas = [vtrace_update(trainer, make_batch(trainer)).beta for _ in range(6)]
    assert betas == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 0.8])


def test_the_entropy_weight_is_annealed_linearly_and_then_constant(make_trainer, make_batch):
    trainer = make_trainer(entropy=0.1, entropy_end=0.02, entropy_anneal=4 * STEPS_OF_A_BATCH)
    found = [vtrace_update(trainer, make_batch(trainer)).entropy_weight for _ in range(6)]
    assert found == pytest.approx([0.1, 0.08, 0.06, 0.04, 0.02, 0.02])


def test_without_an_end_the_entropy_weight_is_constant(make_trainer):
    learning = make_trainer(entropy=0.1).learning
    assert {learning.entropy_at(0), learning.entropy_at(10**12)} == {0.1}


def test_the_loss_uses_the_scheduled_entropy_weight(make_trainer, make_batch):
    before, after = (
        make_trainer(entropy=0.0, entropy_end=50.0, entropy_anneal=1) for _ in range(2)
    )
    after.own_steps = 1
    batch = make_batch(before)
    norms = [vtrace_update(trainer, batch).policy_gradient_norm for trainer in (before, after)]
    assert norms[1] > 2 * norms[0]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_reported_learning_rate_is_that_of_all_weights_but_the_moa_s(
    make_trainer, make_batch, optimizer
):
    trainer = make_trainer(optimizer=optimizer, lr_init=0.01, lr_end=0.0, lr_anneal=1)
    vtrace_update(trainer, make_batch(trainer))
    before = weights(trainer)
    assert vtrace_update(trainer, make_batch(trainer)).learning_rate == 0
    changed = {name for name, tensor in weights(trainer).items() if (tensor != before[name]).any()}
    assert changed == {name for name in before if name.startswith("moa.")}


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_moa_has_its_own_learning_rate(make_trainer, make_batch, optimizer):
    slow, fast = (make_trainer(optimizer=optimizer, moa_lr=rate) for rate in (0.001, 0.002))
    before = weights(slow)
    for trainer in (slow, fast):
        vtrace_update(trainer, make_batch(slow))
    for name, tensor in weights(slow).items():
        once, twice = tensor - before[name], weights(fast)[name] - before[name]
        factor = 2 if name.startswith("moa.") else 1
        assert twice == pytest.approx(factor * once, rel=1e-3, abs=1e-6), name


ONE_UPDATE = {"passes": 1, "minibatch": 1000}
CLIPS = {"policy": "gradient_clip", "value": "value_clip", "moa": "moa_clip"}


def used_norm(trainer, group):
    """Of the gradient that a group's weights were updated with."""
    return torch.cat([weight.grad.flatten() for weight in trainer.groups[group]]).norm().item()


def reported_norms(report):
    return {group: getattr(report, f"{group}_gradient_norm") for group in CLIPS}


@pytest.mark.parametrize("group", CLIPS)
def test_each_group_s_gradient_is_clipped_by_its_own_setting(make_trainer, make_segment, group):
    clips = dict.fromkeys(CLIPS.values(), 1e6) | {CLIPS[group]: 1e-3}
    trainer = make_trainer(algorithm="ppo", **ONE_UPDATE, **clips)
    found = reported_norms(train(trainer, [make_segment(trainer)], never_stop))
    assert found.pop(group) > 2e-3
    assert used_norm(trainer, group) == pytest.approx(1e-3, rel=1e-3)
    assert {other: used_norm(trainer, other) for other in found} == pytest.approx(found, rel=1e-5)


def test_vtrace_clips_the_value_heads_together_with_the_policy(make_trainer, make_batch):
    trainer = make_trainer(gradient_clip=0.01, moa_clip=1e6)
    report = vtrace_update(trainer, make_batch(trainer))
    assert trainer.groups.keys() == {"policy", "moa"}
    value_weight = trainer.network.policy.value.weight
    assert any(weight is value_weight for weight in trainer.groups["policy"])
    assert report.policy_gradient_norm > 0.02
    assert report.value_gradient_norm is None
    assert used_norm(trainer, "policy") == pytest.approx(0.01, rel=1e-3)
    assert used_norm(trainer, "moa") == pytest.approx(report.moa_gradient_norm, rel=1e-5)


class TestWeightDecay:
    """Applies to PPO with Adam."""

    @pytest.fixture
    def update_once(self, make_trainer, make_segment):
        """The weights before and after one update, by parameter name."""

        def run(**learning):
            experiment = {"influence": "moa"}
            given = {"algorithm": "ppo"} | ONE_UPDATE | {"lr_init": 0.01, "moa_lr": 0.02} | learning
            trainer = make_trainer(experiment=experiment, normalise_values=False, **given)
            before = weights(trainer)
            train(trainer, [make_segment(trainer)], never_stop)
            return before, weights(trainer)

        return run

    def test_without_it_a_step_is_as_long_as_the_learning_rate(self, update_once):
        before, after = update_once(weight_decay=0.0)
        for name, weight in after.items():
            rate = 0.02 if name.startswith("moa.") else 0.01
            assert abs(weight - before[name]).max() == pytest.approx(rate, rel=0.02), name

    def test_each_weight_shrinks_in_proportion_to_itself_and_the_learning_rate(self, update_once):
        before, without = update_once(weight_decay=0.0)
        _, decayed = update_once(weight_decay=0.5)
        for name, weight in without.items():
            rate = 0.02 if name.startswith("moa.") else 0.01
            wanted = weight - 0.5 * rate * before[name]
            assert decayed[name] == pytest.approx(wanted, rel=1e-4, abs=1e-6), name

    @pytest.mark.parametrize("other", [{"algorithm": "vtrace"}, {"optimizer": "rmsprop"}])
    def test_it_does_not_apply_to_vtrace_or_rmsprop(self, update_once, other):
        _, without = update_once(weight_decay=0.0, **other)
        _, decayed = update_once(weight_decay=0.5, **other)
        assert are_equal(without, decayed)


def test_each_weight_is_in_one_group(make_trainer):
    for algorithm in ("ppo", "vtrace"):
        experiment = {"influence": "moa_communication", "symbols": 3}
        trainer = make_trainer(algorithm=algorithm, experiment=experiment)
        grouped = [weight for group in trainer.groups.values() for weight in group]
        assert len(grouped) == len(set(grouped))
        assert set(grouped) == set(trainer.network.parameters())


def test_a_report_has_the_losses_before_the_update(make_trainer, make_batch):
    trainer = make_trainer(experiment={"beta": 0.5})
    batch = make_batch(trainer)
    losses = batch_losses(trainer, batch, trainer.scheduled_values())
    report = vtrace_update(trainer, batch)
    assert report.policy_loss == pytest.approx(losses.action.policy.item())
    assert report.value_loss == pytest.approx(losses.action.value.item())
    assert report.moa_loss == pytest.approx(losses.moa.loss.item())
    assert report.influence == pytest.approx(batch.influence.mean().item())
    assert report.reward == pytest.approx(batch.reward.mean().item())


PPO = {"algorithm": "ppo", "chunk": 4, "minibatch": 8, "passes": 2}
COMMUNICATION = {"influence": "moa_communication", "symbols": 3}


@pytest.fixture(
    params=[
        {"optimizer": "adam"},
        {"optimizer": "rmsprop"},
        {"optimizer": "adam", "experiment": COMMUNICATION} | PPO,
        {"optimizer": "rmsprop"} | PPO,
        {"advantages": "vtrace"} | PPO,
    ],
    ids=["V-trace, Adam", "V-trace, RMSprop", "PPO, Adam", "PPO, RMSprop", "PPO with V-trace"],
)
def saved_and_new(request, make_trainer, make_segment):
    """A trainer after three batches, and a new one with other weights."""
    trainer, other = (make_trainer(**request.param, seed=seed) for seed in (5, 77))
    for number in range(3):
        train(trainer, [make_segment(trainer, seed=number)], never_stop)
    return trainer, other


def assert_same_state(one, other):
    ours, theirs = one.state(), other.state()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_restored_trainer_equals_the_saved_one_bit_for_bit(saved_and_new, tmp_path):
    trainer, restored = saved_and_new
    restored.restore(through_a_file(trainer, tmp_path), trainer.own_steps, trainer.version)
    assert_same_state(trainer, restored)
    assert (restored.own_steps, restored.version) == (trainer.own_steps, trainer.version)


def test_a_restored_trainer_continues_as_the_saved_one_would_have(
    saved_and_new, tmp_path, make_segment
):
    trainer, restored = saved_and_new
    state = through_a_file(trainer, tmp_path)
    own_steps, version = trainer.own_steps, trainer.version
    segments = [make_segment(trainer, seed=9)]
    wanted = train(trainer, segments, never_stop)
    restored.restore(state, own_steps, version)
    assert train(restored, segments, never_stop) == wanted
    assert_same_state(trainer, restored)


def test_an_untrained_trainer_can_be_restored(make_trainer, tmp_path):
    trainer, restored = make_trainer(), make_trainer(seed=77)
    restored.restore(through_a_file(trainer, tmp_path), 0, 0)
    assert are_equal(weights(trainer), weights(restored))


@pytest.mark.parametrize(
    "other",
    [
        {"sizes": NetworkSettings(conv_channels=2, hidden=13, lstm=9, moa_lstm=14)},
        {"experiment": {"influence": "off"}},
        {"algorithm": "ppo"},
    ],
    ids=["other sizes", "no MOA", "normalised values"],
)
def test_another_network_s_state_is_refused_and_changes_nothing(make_trainer, other):
    trainer = make_trainer()
    before = weights(trainer)
    with pytest.raises(ValueError, match=r"wanted shape .*, found .* tensors differ"):
        trainer.restore(make_trainer(**other).state(), 10, 10)
    assert are_equal(weights(trainer), before)
    assert (trainer.own_steps, trainer.version) == (0, 0)


def test_another_optimizer_s_state_is_refused_and_changes_nothing(make_trainer, make_batch):
    other = make_trainer(optimizer="rmsprop", seed=77)
    vtrace_update(other, make_batch(other))
    trainer = make_trainer(optimizer="adam")
    before = weights(trainer)
    with pytest.raises(ValueError, match="optimizer"):
        trainer.restore(other.state(), other.own_steps, other.version)
    assert are_equal(weights(trainer), before)
