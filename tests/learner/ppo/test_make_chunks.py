"""Chunks hold what the agent observed and did, with advantages computed over the whole horizon."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import concatenate_time, stack_games

CPU = torch.device("cpu")
STEPS, GAMES = 12, 5  # of a stream: three segments of 4 steps
SCHEDULED = ScheduledValues(learning_rate=0.001, beta=0.6, entropy_weight=0.01)
PLAIN = {"normalise_advantages": False, "normalise_values": False, "algorithm": "ppo"}
CHUNKS = [1, 2, 4, 12]


def unroll_steps(trainer, whole, steps):
    """The network's outputs on the first steps, without chunks."""
    batch = stack_games([whole], CPU)
    symbols = None if batch.symbols is None else batch.symbols[: steps + 1]
    inputs = batch.pixels[:steps], batch.is_first_host[:steps], batch.actions[: steps + 1]
    with torch.no_grad():
        return trainer.network.unroll(*inputs, batch.state, symbols, predictions=steps)


def unroll(trainer, whole):
    """The network's outputs on all steps, without chunks."""
    batch = stack_games([whole], CPU)
    inputs = batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
    with torch.no_grad():
        return trainer.network.unroll(*inputs)


@pytest.fixture(params=literal.EXPERIMENTS)
def experiment(request):
    return literal.EXPERIMENTS[request.param]


@pytest.fixture
def chunk_stream(make_stream):
    """Chunks of one stream, and the long segment that its segments were cut from."""

    def chunk_it(trainer, chunk, **stream):
        whole, parts = make_stream(trainer, **stream)
        return make_chunks(trainer, [concatenate_time(parts, CPU)], SCHEDULED, chunk)[0], whole

    return chunk_it


def places(chunks, steps=STEPS):
    """The number, the first step and the game of each chunk."""
    for number in range(chunks.count):
        piece, game = divmod(number, GAMES)
        yield number, piece * chunks.length, game
    assert chunks.count * chunks.length == steps * GAMES


@pytest.mark.parametrize("chunk", CHUNKS)
def test_the_state_before_a_chunk_equals_that_of_one_unroll_from_the_start(
    make_trainer, chunk_stream, experiment, chunk
):
    trainer = make_trainer(experiment=experiment, **PLAIN)
    chunks, whole = chunk_stream(trainer, chunk)
    states = [torch.from_numpy(whole.state.copy())]
    states += [unroll_steps(trainer, whole, n).state for n in range(chunk, STEPS, chunk)]
    for number, begin, game in places(chunks):
        wanted = states[begin // chunk][game]
        torch.testing.assert_close(chunks.state[number], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_chunk_holds_the_right_steps_of_the_right_game(
    make_trainer, chunk_stream, experiment, chunk
):
    trainer = make_trainer(experiment=experiment, **PLAIN)
    chunks, whole = chunk_stream(trainer, chunk)
    k, others = trainer.shape.agent, list(trainer.shape.others)

    def assert_same(found, name, begin, end):
        assert (found.numpy() == getattr(whole, name)[begin:end, game]).all(), name

    for number, begin, game in places(chunks):
        end = begin + chunk
        assert_same(chunks.pixels[:, number], "pixels", begin, end)
        assert_same(chunks.is_first_host[:, number], "is_first", begin, end)
        assert_same(chunks.is_first[:, number], "is_first", begin, end)
        assert_same(chunks.actions[:, number], "actions", begin, end + 1)  # a_{−1} too
        assert_same(chunks.action_head.log_prob[:, number], "log_prob", begin, end)
        own = whole.actions[begin + 1 : end + 1, game, k]
        assert (chunks.action_head.action[:, number].numpy() == own).all()
        if trainer.experiment.symbols:
            assert_same(chunks.symbols[:, number], "symbols", begin, end + 1)
            assert_same(chunks.symbol_head.log_prob[:, number], "symbol_log_prob", begin, end)
            own = whole.symbols[begin + 1 : end + 1, game, k]
            assert (chunks.symbol_head.action[:, number].numpy() == own).all()
        if trainer.experiment.has_moa:
            next_actions = whole.actions[begin + 2 : end + 2, game][:, others]
            assert (chunks.moa_targets.next_actions[:, number].numpy() == next_actions).all()
            counts = ~whole.is_first[begin + 1 : end + 1, game, None].repeat(len(others), 1)
            if trainer.experiment.moa_only_when_visible:
                counts &= whole.visible[begin:end, game][:, others]
            assert (chunks.moa_targets.mask[:, number].numpy() == counts).all()


def test_chunks_have_symbols_and_moa_targets_only_where_the_experiment_has_them(
    make_trainer, chunk_stream, experiment
):
    trainer = make_trainer(experiment=experiment, **PLAIN)
    chunks, _ = chunk_stream(trainer, 4)
    assert (chunks.moa_targets is not None) == trainer.experiment.has_moa
    assert (chunks.symbols is not None) == bool(trainer.experiment.symbols)
    assert (chunks.symbol_head is not None) == bool(trainer.experiment.symbols)


@pytest.mark.parametrize(
    "learning",
    [
        {"gae_lambda": 1.0},
        {"gae_lambda": 0.9, "episode_end": "truncation", "gamma": 0.9},
        {"gae_lambda": 0.0},
        {"advantages": "vtrace"},
        {"advantages": "vtrace", "episode_end": "truncation", "rho_clip": 1.5, "c_clip": 0.8},
    ],
    ids=[
        "lambda 1",
        "lambda 0.9, truncation",
        "lambda 0",
        "V-trace",
        "V-trace, truncation, other clips",
    ],
)
def test_advantages_and_targets_equal_those_of_whole_games_for_the_rewards_of_each_head(
    make_trainer, chunk_stream, experiment, learning
):
    trainer = make_trainer(experiment=experiment, **PLAIN, **learning)
    chunks, whole = chunk_stream(trainer, 4)
    action_reward, symbol_reward = literal.head_rewards(whole, trainer.experiment, SCHEDULED.beta)
    now = unroll(trainer, whole)
    logits = now.policy_logits, now.symbol_logits
    log_ratio = literal.log_ratio(*logits, whole, trainer.shape.agent)
    heads = [(chunks.action_head, action_reward, now.values)]
    if trainer.experiment.symbols:
        heads.append((chunks.symbol_head, symbol_reward, now.symbol_values))
    for samples, reward, values in heads:
        value = values.double().numpy()
        wanted = literal.estimates(reward, whole.is_first[1:], value, log_ratio, trainer.learning)
        for found, of_games in zip((samples.advantage, samples.target), wanted, strict=True):
            for number, begin, game in places(chunks):
                of_chunk = of_games[begin : begin + 4, game]
                assert found[:, number].numpy() == pytest.approx(of_chunk, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("advantages", ["gae", "vtrace"])
def test_chunks_of_any_length_have_the_same_advantages_and_targets(
    make_trainer, chunk_stream, advantages
):
    trainer = make_trainer(advantages=advantages, **PLAIN)
    found = []
    for chunk in CHUNKS:
        chunks, _ = chunk_stream(trainer, chunk)
        of_games = torch.zeros(2, STEPS, GAMES)
        for number, begin, game in places(chunks):
            for row, of in enumerate((chunks.action_head.advantage, chunks.action_head.target)):
                of_games[row, begin : begin + chunk, game] = of[:, number]
        found.append(of_games)
    for other in found[1:]:
        torch.testing.assert_close(found[0], other, rtol=1e-4, atol=1e-4)


def test_the_chunks_of_several_lanes_are_side_by_side(make_trainer, make_stream):
    trainer = make_trainer(experiment=literal.EXPERIMENTS["communication with MOA"], **PLAIN)
    batches = [
        concatenate_time(make_stream(trainer, count, seed=count)[1], CPU) for count in (2, 3)
    ]  # of 8 and of 12 steps
    alone = [make_chunks(trainer, [batch], SCHEDULED, 4)[0] for batch in batches]
    both, _ = make_chunks(trainer, batches, SCHEDULED, 4)
    assert [of.count for of in (*alone, both)] == [2 * GAMES, 3 * GAMES, 5 * GAMES]
    for name in ("pixels", "is_first_host", "is_first", "actions", "symbols"):
        assert torch.equal(getattr(both, name), torch.cat([getattr(of, name) for of in alone], 1))
    assert torch.equal(both.state, torch.cat([of.state for of in alone]))
    for name in ("action_head", "symbol_head", "moa_targets"):
        parts = [getattr(of, name) for of in alone]
        for found, *pieces in zip(getattr(both, name), *parts, strict=True):
            assert torch.equal(found, torch.cat(pieces, 1))


class TestNormalisedAdvantages:
    """Mean and deviation are those of the whole batch."""

    NORMALISED = PLAIN | {"normalise_advantages": True}

    @pytest.fixture
    def batches(self, make_trainer, make_stream):
        trainer = make_trainer(**PLAIN)
        streams = [make_stream(trainer, count, seed=count)[1] for count in (2, 3)]
        return [concatenate_time(stream, CPU) for stream in streams]

    def advantages(self, trainer, batches):
        chunks, _ = make_chunks(trainer, batches, replace(SCHEDULED, beta=0.0), 4)
        return chunks.action_head.advantage

    def test_they_have_mean_0_and_deviation_1_over_all_lanes(self, make_trainer, batches):
        found = self.advantages(make_trainer(**self.NORMALISED), batches)
        assert found.mean().item() == pytest.approx(0, abs=1e-5)
        assert found.std(correction=0).item() == pytest.approx(1, rel=1e-4)
        assert found[:, : 2 * GAMES].mean().abs() > 1e-3  # not lane by lane

    def test_they_are_a_linear_function_of_the_advantages(self, make_trainer, batches):
        found = self.advantages(make_trainer(**self.NORMALISED), batches)
        plain = self.advantages(make_trainer(**PLAIN), batches)
        wanted = (plain - plain.mean()) / plain.std(correction=0)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)

    def test_they_do_not_depend_on_the_unit_of_rewards(self, make_trainer, batches):
        larger = [replace(batch, reward=30 * batch.reward) for batch in batches]
        found = [self.advantages(self.zero_values(make_trainer), of) for of in (batches, larger)]
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)

    def test_they_do_not_depend_on_a_constant_added_to_all_rewards(self, make_trainer, batches):
        higher = [replace(batch, reward=3 * batch.reward + 2) for batch in batches]
        found = [
            self.advantages(self.zero_values(make_trainer, gae_lambda=0.0), of)
            for of in (batches, higher)
        ]
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)

    def zero_values(self, make_trainer, **learning):
        """A trainer whose critic gives every view a value of 0."""
        trainer = make_trainer(**self.NORMALISED, **learning)
        with torch.no_grad():
            trainer.network.policy.value.weight.zero_()
        return trainer

    def test_they_are_0_where_all_rewards_are_equal(self, make_trainer, batches):
        same = [replace(batch, reward=torch.ones_like(batch.reward)) for batch in batches]
        found = self.advantages(self.zero_values(make_trainer, gae_lambda=0.0), same)
        assert found.abs().max() < 1e-3


@pytest.mark.parametrize("advantages", ["gae", "vtrace"])
def test_measures_before_training_are_mean_rewards_and_the_critic_s_explained_variance(
    make_trainer, make_stream, advantages
):
    trainer = make_trainer(experiment={"influence": "moa"}, advantages=advantages, **PLAIN)
    whole, parts = make_stream(trainer)
    _, measures = make_chunks(trainer, [concatenate_time(parts, CPU)], SCHEDULED, 4)
    assert measures["reward"].item() == pytest.approx(whole.reward.mean(), abs=1e-6)
    assert measures["influence"].item() == pytest.approx(whole.influence.mean(), abs=1e-6)
    reward, _ = literal.head_rewards(whole, trainer.experiment, SCHEDULED.beta)
    now = unroll(trainer, whole)
    log_ratio = literal.log_ratio(now.policy_logits, None, whole, trainer.shape.agent)
    value = now.values.double().numpy()
    table = reward, whole.is_first[1:], value, log_ratio
    _, targets = literal.estimates(*table, trainer.learning)
    wanted = 1 - np.var(targets - value[:-1]) / np.var(targets)
    assert measures["explained_variance"].item() == pytest.approx(wanted, rel=1e-4)
