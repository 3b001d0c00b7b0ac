import pytest
import torch

from ssd_influence.settings import NetworkSettings
from ssd_learner.checkpoints.checkpoint_file import Progress, read_checkpoint, write_checkpoint
from ssd_learner.segments.epochs import SegmentCounts
from ssd_learner.training import train
from ssd_learner.vtrace.losses import losses, vtrace_update

STEPS_OF_A_BATCH = 8 * 5


def weights(trainer):
    return {name: tensor.copy() for name, tensor in trainer.tensors().items()}


def same(some, others):
    return all((some[name] == others[name]).all() for name in some)


def through_a_file(trainer, folder):
    """The trainer's state, as a checkpoint gives it back."""
    clocks = Progress(1, "run", trainer.own_steps, trainer.version, SegmentCounts(), ())
    return read_checkpoint(write_checkpoint(folder, clocks, trainer.state(), keep=1))[1]


def test_the_first_weights_follow_from_seed_and_agent(make_trainer):
    assert same(weights(make_trainer(agent=2, seed=8)), weights(make_trainer(agent=2, seed=8)))


@pytest.mark.parametrize(("agent", "seed"), [(2, 9), (3, 8)], ids=["another seed", "another agent"])
def test_no_two_agents_and_no_two_seeds_start_alike(make_trainer, agent, seed):
    ours, theirs = weights(make_trainer(agent=2, seed=8)), weights(make_trainer(agent, seed))
    for name, tensor in ours.items():
        if not name.endswith(("bias", "bias_ih_l0", "bias_hh_l0")):  # those start at 0 or 1
            assert (tensor != theirs[name]).any(), name


def test_own_steps_and_version_count_what_was_trained(make_trainer, make_batch):
    trainer = make_trainer()
    assert (trainer.own_steps, trainer.version) == (0, 0)
    for update in (1, 2, 3):
        vtrace_update(trainer, make_batch(trainer, seed=update))
        assert (trainer.own_steps, trainer.version) == (update * STEPS_OF_A_BATCH, update)


def test_the_learning_rate_is_annealed_linearly_and_stays_at_its_end(make_trainer, make_batch):
    trainer = make_trainer(lr_init=0.01, lr_end=0.002, lr_anneal=4 * STEPS_OF_A_BATCH)
    rates = [vtrace_update(trainer, make_batch(trainer)).learning_rate for _ in range(6)]
    assert rates == pytest.approx([0.01, 0.008, 0.006, 0.004, 0.002, 0.002])


def test_beta_is_ramped_by_own_steps(make_trainer, make_batch):
    trainer = make_trainer(experiment={"beta": 0.8, "beta_ramp": 4 * STEPS_OF_A_BATCH})
    betas = [vtrace_update(trainer, make_batch(trainer)).beta for _ in range(6)]
    assert betas == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 0.8])


def test_the_weight_of_entropy_is_annealed_linearly_and_stays_at_its_end(make_trainer, make_batch):
    trainer = make_trainer(entropy=0.1, entropy_end=0.02, entropy_anneal=4 * STEPS_OF_A_BATCH)
    weights = []
    for _ in range(6):
        weights.append(trainer.learning.entropy_at(trainer.own_steps))
        vtrace_update(trainer, make_batch(trainer))
    assert weights == pytest.approx([0.1, 0.08, 0.06, 0.04, 0.02, 0.02])


def test_the_weight_of_entropy_stays_as_it_is_without_an_end(make_trainer):
    learning = make_trainer(entropy=0.1).learning
    assert {learning.entropy_at(0), learning.entropy_at(10**12)} == {0.1}


def test_the_entropy_weight_of_its_clock_is_the_one_in_the_loss(make_trainer, make_batch):
    young = make_trainer(entropy=0.0, entropy_end=50.0, entropy_anneal=1)
    old = make_trainer(entropy=0.0, entropy_end=50.0, entropy_anneal=1)
    old.own_steps = 1
    norms = [
        vtrace_update(trainer, make_batch(young)).policy_gradient_norm for trainer in (young, old)
    ]
    assert norms[1] > 2 * norms[0]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_rate_reported_is_the_rate_used_for_all_but_the_moa(
    make_trainer, make_batch, optimizer
):
    trainer = make_trainer(optimizer=optimizer, lr_init=0.01, lr_end=0.0, lr_anneal=1)
    vtrace_update(trainer, make_batch(trainer))
    before = weights(trainer)
    assert vtrace_update(trainer, make_batch(trainer)).learning_rate == 0
    changed = {name for name, tensor in weights(trainer).items() if (tensor != before[name]).any()}
    assert changed == {name for name in before if name.startswith("moa.")}


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_moa_s_rate_is_its_own(make_trainer, make_batch, optimizer):
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


def norm_used(trainer, part):
    """Of the gradient that a part of the weights went down in the last update."""
    return torch.cat([weight.grad.flatten() for weight in trainer.parts[part]]).norm().item()


def norms_reported(report):
    return {part: getattr(report, f"{part}_gradient_norm") for part in CLIPS}


@pytest.mark.parametrize("part", CLIPS)
def test_a_gradient_longer_than_its_part_s_clip_is_cut_to_it_and_the_others_are_left_alone(
    make_trainer, make_segment, part
):
    clips = dict.fromkeys(CLIPS.values(), 1e6) | {CLIPS[part]: 1e-3}
    trainer = make_trainer(algorithm="ppo", **ONE_UPDATE, **clips)
    found = norms_reported(train(trainer, [make_segment(trainer)], lambda: True))
    assert found.pop(part) > 2e-3
    assert norm_used(trainer, part) == pytest.approx(1e-3, rel=1e-3)
    assert {other: norm_used(trainer, other) for other in found} == pytest.approx(found, rel=1e-5)


def test_by_vtrace_values_are_clipped_with_the_policy(make_trainer, make_batch):
    trainer = make_trainer(gradient_clip=0.01, moa_clip=1e6)
    report = vtrace_update(trainer, make_batch(trainer))
    assert trainer.parts.keys() == {"policy", "moa"}
    assert any(weight is trainer.network.policy.value.weight for weight in trainer.parts["policy"])
    assert report.policy_gradient_norm > 0.02
    assert report.value_gradient_norm is None
    assert norm_used(trainer, "policy") == pytest.approx(0.01, rel=1e-3)
    assert norm_used(trainer, "moa") == pytest.approx(report.moa_gradient_norm, rel=1e-5)


class TestWithPpoAndAdam:
    """Weights shrink."""

    @pytest.fixture
    def stepped(self, make_trainer, make_segment):
        """The weights before one update and after, by parameter name."""

        def make(**learning):
            experiment = {"influence": "moa"}
            given = {"algorithm": "ppo"} | ONE_UPDATE | {"lr_init": 0.01, "moa_lr": 0.02} | learning
            trainer = make_trainer(experiment=experiment, normalise_values=False, **given)
            before = weights(trainer)
            train(trainer, [make_segment(trainer)], lambda: True)
            return before, weights(trainer)

        return make

    def test_a_step_is_as_long_as_the_rate_of_its_part(self, stepped):
        before, after = stepped(weight_decay=0.0)
        for name, weight in after.items():
            rate = 0.02 if name.startswith("moa.") else 0.01
            assert abs(weight - before[name]).max() == pytest.approx(rate, rel=0.02), name

    def test_each_weight_shrinks_by_its_share_of_itself(self, stepped):
        before, without = stepped(weight_decay=0.0)
        _, shrunk = stepped(weight_decay=0.5)
        for name, weight in without.items():
            rate = 0.02 if name.startswith("moa.") else 0.01
            wanted = weight - 0.5 * rate * before[name]
            assert shrunk[name] == pytest.approx(wanted, rel=1e-4, abs=1e-6), name

    @pytest.mark.parametrize("other", [{"algorithm": "vtrace"}, {"optimizer": "rmsprop"}])
    def test_no_other_weights_shrink(self, stepped, other):
        _, without = stepped(weight_decay=0.0, **other)
        _, shrunk = stepped(weight_decay=0.5, **other)
        assert same(without, shrunk)


def test_each_weight_is_of_one_part(make_trainer):
    for algorithm in ("ppo", "vtrace"):
        experiment = {"influence": "moa_communication", "symbols": 3}
        trainer = make_trainer(algorithm=algorithm, experiment=experiment)
        ours = [weight for part in trainer.parts.values() for weight in part]
        assert len(ours) == len(set(ours))
        assert set(ours) == set(trainer.network.parameters())


def test_an_update_reports_the_losses_it_began_with(make_trainer, make_batch):
    trainer = make_trainer(experiment={"beta": 0.5})
    batch = make_batch(trainer)
    weights = trainer.scheduled_values()
    settings = trainer.experiment, trainer.learning
    loss = losses(trainer.network, batch, trainer.shape, *settings, weights)
    report = vtrace_update(trainer, batch)
    assert report.policy_loss == pytest.approx(loss.action_head.policy.item())
    assert report.value_loss == pytest.approx(loss.action_head.value.item())
    assert report.moa_loss == pytest.approx(loss.moa.item())
    assert report.influence == pytest.approx(batch.influence.mean().item())
    assert report.reward == pytest.approx(batch.reward.mean().item())


PPO = {"algorithm": "ppo", "chunk": 4, "minibatch": 8, "passes": 2}
SPEAKING = {"influence": "moa_communication", "symbols": 3}


@pytest.fixture(
    params=[
        {"optimizer": "adam"},
        {"optimizer": "rmsprop"},
        {"optimizer": "adam", "experiment": SPEAKING} | PPO,
        {"optimizer": "rmsprop"} | PPO,
    ],
    ids=["V-trace, Adam", "V-trace, RMSProp", "PPO, Adam", "PPO, RMSProp"],
)
def trained(request, make_trainer, make_segment):
    """A trainer that has learnt, and who is to become it."""
    trainer, other = (make_trainer(**request.param, seed=seed) for seed in (5, 77))
    for number in range(3):
        train(trainer, [make_segment(trainer, seed=number)], lambda: True)
    return trainer, other


def test_who_is_restored_from_a_checkpoint_is_who_was_saved_bit_for_bit(trained, tmp_path):
    trainer, restored = trained
    restored.restore(through_a_file(trainer, tmp_path), trainer.own_steps, trainer.version)
    ours, theirs = trainer.state(), restored.state()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (restored.own_steps, restored.version) == (trainer.own_steps, trainer.version)


def test_what_comes_after_a_restore_is_what_would_have_come(trained, tmp_path, make_segment):
    trainer, restored = trained
    kept = through_a_file(trainer, tmp_path)
    at = trainer.own_steps, trainer.version
    segments = [make_segment(trainer, seed=9)]
    wanted = train(trainer, segments, lambda: True)
    restored.restore(kept, *at)
    assert train(restored, segments, lambda: True) == wanted
    ours, theirs = trainer.state(), restored.state()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_trainer_that_never_learnt_can_be_restored(make_trainer, tmp_path):
    trainer, restored = make_trainer(), make_trainer(seed=77)
    restored.restore(through_a_file(trainer, tmp_path), 0, 0)
    assert same(weights(trainer), weights(restored))


@pytest.mark.parametrize(
    "other",
    [
        {"sizes": NetworkSettings(conv_channels=2, hidden=13, lstm=9, moa_lstm=14)},
        {"experiment": {"influence": "off"}},
        {"algorithm": "ppo"},
    ],
    ids=["other sizes", "no MOA", "values of another scale"],
)
def test_another_network_s_weights_are_refused_and_nothing_changes(make_trainer, other):
    trainer = make_trainer()
    before = weights(trainer)
    with pytest.raises(ValueError, match=r"wanted shape .*, found .* tensors differ"):
        trainer.restore(make_trainer(**other).state(), 10, 10)
    assert same(weights(trainer), before)
    assert (trainer.own_steps, trainer.version) == (0, 0)


def test_another_optimizer_s_state_is_refused_and_nothing_changes(make_trainer, make_batch):
    other = make_trainer(optimizer="rmsprop", seed=77)
    vtrace_update(other, make_batch(other))
    trainer = make_trainer(optimizer="adam")
    before = weights(trainer)
    with pytest.raises(ValueError, match="optimizer"):
        trainer.restore(other.state(), other.own_steps, other.version)
    assert same(weights(trainer), before)
