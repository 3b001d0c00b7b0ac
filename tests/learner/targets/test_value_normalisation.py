"""A critic's targets have one size, and its values stay what they were (PopArt)."""

import pytest
import torch
from tests.learner.literal import EXPERIMENTS

from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import concatenate_time
from ssd_learner.targets.value_normalisation import RATE, SMALLEST, ValueNormaliser

CPU = torch.device("cpu")
CELLS = 12


@pytest.fixture
def head():
    return torch.nn.Linear(CELLS, 1)


@pytest.fixture
def scale(head):
    return ValueNormaliser(head)


def drawn(mean, deviation, count=200):
    return mean + deviation * torch.randn(count)


def test_before_any_batch_the_head_s_output_is_the_value(scale):
    output = torch.randn(5)
    assert torch.equal(scale.values(output), output)


def test_an_update_leaves_all_values_as_they_were(head, scale):
    h = torch.randn(50, CELLS)
    for batch in (drawn(3, 2), drawn(-40, 90), drawn(-41, 0.1), drawn(0, 1)):
        before = scale.values(head(h))
        scale.update(batch)
        largest = before.abs().max().item()
        torch.testing.assert_close(scale.values(head(h)), before, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (7, 0.5), (-300, 40)])
def test_the_targets_of_the_first_batch_have_mean_0_and_deviation_1(scale, mean, deviation):
    batch = drawn(mean, deviation)
    scale.update(batch)
    targets = scale.targets(batch)
    assert targets.mean().item() == pytest.approx(0, abs=1e-3)
    assert targets.std(correction=0).item() == pytest.approx(1, rel=1e-2)


def test_later_batches_weigh_less_and_less_as_they_grow_old(scale):
    batches = [drawn(mean, 2) for mean in (3, -1, 5, 8)]
    for batch in batches:
        scale.update(batch)
    weights = [RATE * (1 - RATE) ** age for age in (3, 2, 1, 0)]
    means, squares = (
        sum(w * of(batch).item() for w, batch in zip(weights, batches, strict=True)) / sum(weights)
        for of in (torch.mean, lambda batch: batch.square().mean())
    )
    assert scale.mean.item() == pytest.approx(means, rel=1e-5)
    assert scale.deviation.item() == pytest.approx((squares - means**2) ** 0.5, rel=1e-4)


def test_targets_and_values_undo_one_another(scale):
    scale.update(drawn(5, 3))
    values = drawn(5, 3, count=9)
    torch.testing.assert_close(scale.values(scale.targets(values)), values)


def test_targets_that_are_all_the_same_have_a_size_too(head, scale):
    scale.update(torch.full((20,), 2.0))
    assert scale.deviation.item() == pytest.approx(SMALLEST)
    assert all(weight.isfinite().all() for weight in head.parameters())


def test_who_is_restored_goes_on_as_the_one_that_was_saved(head, scale):
    for batch in (drawn(3, 2), drawn(9, 1)):
        scale.update(batch)
    twin = torch.nn.Linear(CELLS, 1)
    twin.load_state_dict(head.state_dict())
    restored = ValueNormaliser(twin)
    restored.restore(scale.state().clone())
    assert torch.equal(restored.state(), scale.state())
    batch = drawn(5, 4)
    for one in (scale, restored):
        one.update(batch)
    assert torch.equal(restored.state(), scale.state())
    assert torch.equal(twin.weight, head.weight)


# In a whole batch.

PPO = {"algorithm": "ppo", "normalise_advantages": False}


@pytest.fixture
def spoken(make_trainer, make_stream):
    """Makes one that acts and speaks for different rewards, and a batch of it."""

    def make(**learning):
        experiment = EXPERIMENTS["communication"]
        trainer = make_trainer(experiment=experiment, **PPO | learning)
        with torch.no_grad():
            trainer.network.policy.value.bias.fill_(0.3)
        return trainer, concatenate_time(make_stream(trainer, seed=3)[1], CPU)

    return make


def outputs(trainer, batch):
    with torch.no_grad():
        known = batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        unroll = trainer.network.unroll(*known)
    return {"acting": unroll.values, "speaking": unroll.symbol_values}


def test_a_batch_is_learnt_from_with_targets_of_mean_0_and_deviation_1_and_values_stay(spoken):
    trainer, batch = spoken()
    before = outputs(trainer, batch)
    chunks, _ = make_chunks(trainer, [batch], trainer.scheduled_values(), 4)
    after = outputs(trainer, batch)
    for head, choices in (("acting", chunks.action_head), ("speaking", chunks.symbol_head)):
        assert choices.target.mean().item() == pytest.approx(0, abs=1e-4)
        assert choices.target.std(correction=0).item() == pytest.approx(1, rel=1e-3)
        values = trainer.scales[head].values(after[head])
        torch.testing.assert_close(values, before[head], rtol=1e-4, atol=1e-4)
    states = {head: scale.state() for head, scale in trainer.scales.items()}
    assert not torch.equal(states["acting"], states["speaking"])


def test_advantages_are_in_rewards_whatever_the_scale(spoken):
    plain, batch = spoken(normalise_values=False)
    scaled, _ = spoken()
    weights = plain.weights()
    make_chunks(
        scaled, [batch], weights, 4
    )  # the second time the head's output is no value any more
    found, _ = make_chunks(scaled, [batch], weights, 4)
    wanted, _ = make_chunks(plain, [batch], weights, 4)
    for one, other in ((found.acting, wanted.acting), (found.speaking, wanted.speaking)):
        torch.testing.assert_close(one.advantage, other.advantage, rtol=1e-3, atol=1e-3)


def test_without_normalised_values_targets_are_in_rewards(spoken):
    trainer, batch = spoken(normalise_values=False)
    assert trainer.scales == {}
    before = outputs(trainer, batch)["acting"]
    chunks, _ = make_chunks(trainer, [batch], trainer.scheduled_values(), 12)
    assert torch.equal(outputs(trainer, batch)["acting"], before)
    found = chunks.action_head.target - chunks.action_head.advantage
    torch.testing.assert_close(found, before[:-1], rtol=1e-4, atol=1e-4)


def test_vtrace_has_no_scale_of_values(make_trainer):
    assert make_trainer(algorithm="vtrace").scales == {}
