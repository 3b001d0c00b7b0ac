"""Value targets are normalised, and denormalised values stay the same (PopArt)."""

import numpy as np
import pytest
import torch
from tests.learner.literal import EXPERIMENTS

from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import concatenate_time
from ssd_learner.targets.value_normalisation import MIN_DEVIATION, STEP_SIZE, ValueNormaliser

CPU = torch.device("cpu")
CELLS = 12


@pytest.fixture
def head():
    return torch.nn.Linear(CELLS, 1)


@pytest.fixture
def normaliser(head):
    return ValueNormaliser(head)


def random_targets(mean, deviation, count=200):
    return mean + deviation * torch.randn(count)


def test_before_the_first_batch_the_head_s_output_is_the_value(normaliser):
    output = torch.randn(5)
    assert torch.equal(normaliser.denormalise(output), output)


def test_an_update_leaves_all_values_the_same(head, normaliser):
    h = torch.randn(50, CELLS)
    for mean, deviation in ((3, 2), (-40, 90), (-41, 0.1), (0, 1)):
        before = normaliser.denormalise(head(h))
        normaliser.update(random_targets(mean, deviation))
        after, largest = normaliser.denormalise(head(h)), before.abs().max().item()
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (7, 0.5), (-300, 40)])
def test_the_targets_of_the_first_batch_get_mean_0_and_deviation_1(normaliser, mean, deviation):
    batch = random_targets(mean, deviation)
    normaliser.update(batch)
    targets = normaliser.normalise(batch)
    assert targets.mean().item() == pytest.approx(0, abs=1e-3)
    assert targets.std(correction=0).item() == pytest.approx(1, rel=1e-2)


def test_the_weight_of_a_batch_decays_with_its_age(normaliser):
    batches = [random_targets(mean, 2) for mean in (3, -1, 5, 8)]
    for batch in batches:
        normaliser.update(batch)
    weights = [STEP_SIZE * (1 - STEP_SIZE) ** age for age in (3, 2, 1, 0)]
    mean, mean_square = (
        sum(w * of(batch).item() for w, batch in zip(weights, batches, strict=True)) / sum(weights)
        for of in (torch.mean, lambda batch: batch.square().mean())
    )
    assert normaliser.mean.item() == pytest.approx(mean, rel=1e-5)
    wanted = (mean_square - mean**2) ** 0.5
    assert normaliser.deviation.item() == pytest.approx(wanted, rel=1e-4)


def literal_statistics(batches):
    """Weighted mean and deviation of all targets in float64, by the squares of deviations."""
    ages = reversed(range(len(batches)))
    weights = np.array([STEP_SIZE * (1 - STEP_SIZE) ** age for age in ages])
    weights /= weights.sum()
    arrays = [batch.double().numpy() for batch in batches]
    mean = sum(w * of.mean() for w, of in zip(weights, arrays, strict=True))
    squares = (((of - mean) ** 2).mean() for of in arrays)
    return mean, sum(w * of for w, of in zip(weights, squares, strict=True)) ** 0.5


@pytest.mark.parametrize("mean", [0.0, 99.0, -5000.0])
@pytest.mark.parametrize("deviation", [0.03, 2.0])
def test_the_deviation_is_right_where_the_mean_is_far_larger(normaliser, mean, deviation):
    batches = [random_targets(mean + shift, deviation) for shift in (0.0, 0.02, -0.01)]
    for batch in batches:
        normaliser.update(batch)
    wanted_mean, wanted_deviation = literal_statistics(batches)
    assert normaliser.mean.item() == pytest.approx(wanted_mean, rel=1e-12)
    assert normaliser.deviation.item() == pytest.approx(wanted_deviation, rel=1e-5)
    found = normaliser.normalise(batches[-1])
    wanted = (batches[-1].double().numpy() - wanted_mean) / wanted_deviation
    assert found.dtype == torch.float32
    assert found.numpy() == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_normalise_and_denormalise_are_inverse(normaliser):
    normaliser.update(random_targets(5, 3))
    values = random_targets(5, 3, count=9)
    torch.testing.assert_close(normaliser.denormalise(normaliser.normalise(values)), values)


def test_the_deviation_of_constant_targets_is_the_minimum(head, normaliser):
    normaliser.update(torch.full((20,), 2.0))
    assert normaliser.deviation.item() == pytest.approx(MIN_DEVIATION)
    assert all(weight.isfinite().all() for weight in head.parameters())


def test_a_restored_normaliser_continues_as_the_saved_one(head, normaliser):
    for mean, deviation in ((3, 2), (9, 1)):
        normaliser.update(random_targets(mean, deviation))
    other_head = torch.nn.Linear(CELLS, 1)
    other_head.load_state_dict(head.state_dict())
    restored = ValueNormaliser(other_head)
    restored.restore(normaliser.state().clone())
    assert torch.equal(restored.state(), normaliser.state())
    batch = random_targets(5, 4)
    for one in (normaliser, restored):
        one.update(batch)
    assert torch.equal(restored.state(), normaliser.state())
    assert torch.equal(other_head.weight, head.weight)


def test_an_older_checkpoint_s_float32_is_restored(normaliser):
    normaliser.update(random_targets(3, 2))
    older = normaliser.state().float()
    normaliser.restore(older)
    assert normaliser.state().dtype == torch.float64
    assert torch.equal(normaliser.state().float(), older)


# In a whole batch.

PPO = {"algorithm": "ppo", "normalise_advantages": False}


@pytest.fixture
def make_communicating(make_trainer, make_stream):
    """Makes a trainer with different rewards for actions and symbols, and a batch."""

    def make(**learning):
        experiment = EXPERIMENTS["communication"]
        trainer = make_trainer(experiment=experiment, **PPO | learning)
        with torch.no_grad():
            trainer.network.policy.value.bias.fill_(0.3)
        return trainer, concatenate_time(make_stream(trainer, seed=3)[1], CPU)

    return make


def value_outputs(trainer, batch):
    inputs = batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
    with torch.no_grad():
        unroll = trainer.network.unroll(*inputs)
    return {"action": unroll.values, "symbol": unroll.symbol_values}


def test_the_targets_of_both_heads_are_normalised_and_their_values_stay_the_same(
    make_communicating,
):
    trainer, batch = make_communicating()
    before = value_outputs(trainer, batch)
    chunks, _ = make_chunks(trainer, [batch], trainer.scheduled_values(), 4)
    after = value_outputs(trainer, batch)
    for head, samples in (("action", chunks.action_head), ("symbol", chunks.symbol_head)):
        assert samples.target.mean().item() == pytest.approx(0, abs=1e-4)
        assert samples.target.std(correction=0).item() == pytest.approx(1, rel=1e-3)
        values = trainer.value_normalisers[head].denormalise(after[head])
        torch.testing.assert_close(values, before[head], rtol=1e-4, atol=1e-4)
    states = {head: of.state() for head, of in trainer.value_normalisers.items()}
    assert not torch.equal(states["action"], states["symbol"])


def test_advantages_are_in_units_of_reward_with_or_without_normalised_values(make_communicating):
    plain, batch = make_communicating(normalise_values=False)
    normalising, _ = make_communicating()
    scheduled = plain.scheduled_values()
    make_chunks(normalising, [batch], scheduled, 4)  # from now on outputs differ from values
    found, _ = make_chunks(normalising, [batch], scheduled, 4)
    wanted, _ = make_chunks(plain, [batch], scheduled, 4)
    for one, other in (
        (found.action_head, wanted.action_head),
        (found.symbol_head, wanted.symbol_head),
    ):
        torch.testing.assert_close(one.advantage, other.advantage, rtol=1e-3, atol=1e-3)


def test_without_normalised_values_targets_are_in_units_of_reward(make_communicating):
    trainer, batch = make_communicating(normalise_values=False)
    assert trainer.value_normalisers == {}
    before = value_outputs(trainer, batch)["action"]
    chunks, _ = make_chunks(trainer, [batch], trainer.scheduled_values(), 12)
    assert torch.equal(value_outputs(trainer, batch)["action"], before)
    found = chunks.action_head.target - chunks.action_head.advantage
    torch.testing.assert_close(found, before[:-1], rtol=1e-4, atol=1e-4)


def test_vtrace_normalises_no_values(make_trainer):
    assert make_trainer(algorithm="vtrace").value_normalisers == {}
