import pytest
import torch

from ssd_influence.settings import NetworkSettings
from ssd_learner.checkpoint import Clocks, read_checkpoint, write_checkpoint
from ssd_learner.intake import Counts
from ssd_learner.losses import losses, vtrace_update

STEPS_OF_A_BATCH = 8 * 5


def weights(trainer):
    return {name: tensor.copy() for name, tensor in trainer.tensors().items()}


def same(some, others):
    return all((some[name] == others[name]).all() for name in some)


def through_a_file(trainer, folder):
    """The trainer's state, as a checkpoint gives it back."""
    clocks = Clocks(1, "run", trainer.own_steps, trainer.version, Counts(), ())
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
    batch = make_batch(young)
    assert vtrace_update(old, batch).gradient_norm > 2 * vtrace_update(young, batch).gradient_norm


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_rate_reported_is_the_rate_used(make_trainer, make_batch, optimizer):
    trainer = make_trainer(optimizer=optimizer, lr_init=0.01, lr_end=0.0, lr_anneal=1)
    vtrace_update(trainer, make_batch(trainer))
    before = weights(trainer)
    assert vtrace_update(trainer, make_batch(trainer)).learning_rate == 0
    assert same(weights(trainer), before)


def test_a_gradient_longer_than_the_clip_is_cut_to_it(make_trainer, make_batch):
    trainer = make_trainer(gradient_clip=0.01)
    report = vtrace_update(trainer, make_batch(trainer))
    used = torch.cat([weight.grad.flatten() for weight in trainer.network.parameters()])
    assert report.gradient_norm > 0.02
    assert used.norm().item() == pytest.approx(0.01, rel=1e-3)


def test_a_gradient_shorter_than_the_clip_is_left_alone(make_trainer, make_batch):
    trainer = make_trainer(gradient_clip=1e6)
    report = vtrace_update(trainer, make_batch(trainer))
    used = torch.cat([weight.grad.flatten() for weight in trainer.network.parameters()])
    assert used.norm().item() == pytest.approx(report.gradient_norm, rel=1e-5)


def test_an_update_reports_the_losses_it_began_with(make_trainer, make_batch):
    trainer, batch = make_trainer(experiment={"beta": 0.5}), None
    batch = make_batch(trainer)
    weights = trainer.weights()
    settings = trainer.experiment, trainer.learning
    loss = losses(trainer.network, batch, trainer.shape, *settings, weights)
    report = vtrace_update(trainer, batch)
    assert report.policy_loss == pytest.approx(loss.acting.policy.item())
    assert report.value_loss == pytest.approx(loss.acting.value.item())
    assert report.moa_loss == pytest.approx(loss.moa.item())
    assert report.influence == pytest.approx(batch.influence.mean().item())
    assert report.reward == pytest.approx(batch.reward.mean().item())


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_who_is_restored_from_a_checkpoint_is_who_was_saved_bit_for_bit(
    make_trainer, make_batch, tmp_path, optimizer
):
    trainer = make_trainer(optimizer=optimizer)
    for update in range(3):
        vtrace_update(trainer, make_batch(trainer, seed=update))
    restored = make_trainer(optimizer=optimizer, seed=77)
    restored.restore(through_a_file(trainer, tmp_path), trainer.own_steps, trainer.version)
    ours, theirs = trainer.state(), restored.state()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (restored.own_steps, restored.version) == (trainer.own_steps, trainer.version)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_next_update_after_a_restore_is_the_one_that_would_have_come(
    make_trainer, make_batch, tmp_path, optimizer
):
    trainer = make_trainer(optimizer=optimizer)
    for update in range(3):
        vtrace_update(trainer, make_batch(trainer, seed=update))
    restored = make_trainer(optimizer=optimizer, seed=77)
    restored.restore(through_a_file(trainer, tmp_path), trainer.own_steps, trainer.version)
    batch = make_batch(trainer, seed=9)
    assert vtrace_update(trainer, batch) == vtrace_update(restored, batch)
    assert same(weights(trainer), weights(restored))


def test_a_trainer_that_never_learnt_can_be_restored(make_trainer, tmp_path):
    trainer, restored = make_trainer(), make_trainer(seed=77)
    restored.restore(through_a_file(trainer, tmp_path), 0, 0)
    assert same(weights(trainer), weights(restored))


@pytest.mark.parametrize(
    "other",
    [
        {"sizes": NetworkSettings(conv_channels=2, hidden=13, lstm=9, moa_lstm=14)},
        {"experiment": {"influence": "off"}},
    ],
    ids=["other sizes", "no MOA"],
)
def test_another_network_s_weights_are_refused_and_nothing_changes(make_trainer, other):
    trainer = make_trainer()
    before = weights(trainer)
    with pytest.raises(ValueError, match="wanted tensors"):
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
