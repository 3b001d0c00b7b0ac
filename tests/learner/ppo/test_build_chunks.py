"""A batch in chunks: what the agent saw, did and was paid, as one look at whole games has it."""

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
WEIGHTS = ScheduledValues(learning_rate=0.001, beta=0.6, entropy=0.01)
PLAIN = {"normalise_advantages": False, "normalise_values": False, "algorithm": "ppo"}
CHUNKS = [1, 2, 4, 12]


def looked_at(trainer, whole, steps):
    """What the network says of the first steps at once, without chunks."""
    batch = stack_games([whole], CPU)
    symbols = None if batch.symbols is None else batch.symbols[: steps + 1]
    known = batch.pixels[:steps], batch.is_first_host[:steps], batch.actions[: steps + 1]
    with torch.no_grad():
        return trainer.network.unroll(*known, batch.state, symbols, predictions=steps)


def values(trainer, whole):
    """[L + 1, B] of acting, and of speaking where anything is said."""
    batch = stack_games([whole], CPU)
    known = batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
    with torch.no_grad():
        unroll = trainer.network.unroll(*known)
    return unroll.values.double().numpy(), unroll.symbol_values


@pytest.fixture(params=literal.EXPERIMENTS)
def experiment(request):
    return literal.EXPERIMENTS[request.param]


@pytest.fixture
def make_chunks(make_stream):
    """Chunks of one stream, and the long segment that its segments were cut from."""

    def make(trainer, chunk, **stream):
        whole, parts = make_stream(trainer, **stream)
        return make_chunks(trainer, [concatenate_time(parts, CPU)], WEIGHTS, chunk)[0], whole

    return make


def places(chunks, steps=STEPS):
    """Of each chunk: its number, the step it begins with, and its game."""
    for number in range(chunks.count):
        piece, game = divmod(number, GAMES)
        yield number, piece * chunks.steps, game
    assert chunks.count * chunks.steps == steps * GAMES


@pytest.mark.parametrize("chunk", CHUNKS)
def test_the_state_before_a_chunk_is_that_of_one_look_from_the_beginning(
    make_trainer, make_chunks, experiment, chunk
):
    trainer = make_trainer(experiment=experiment, **PLAIN)
    chunks, whole = make_chunks(trainer, chunk)
    states = [torch.from_numpy(whole.state.copy())]
    states += [looked_at(trainer, whole, n).state for n in range(chunk, STEPS, chunk)]
    for number, begin, game in places(chunks):
        wanted = states[begin // chunk][game]
        torch.testing.assert_close(chunks.state[number], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_chunk_is_the_right_stretch_of_the_right_game(
    make_trainer, make_chunks, experiment, chunk
):
    trainer = make_trainer(experiment=experiment, **PLAIN)
    chunks, whole = make_chunks(trainer, chunk)
    k, others = trainer.shape.agent, list(trainer.shape.others)

    def same(found, name, begin, end):
        assert (found.numpy() == getattr(whole, name)[begin:end, game]).all(), name

    for number, begin, game in places(chunks):
        end = begin + chunk
        same(chunks.pixels[:, number], "pixels", begin, end)
        same(chunks.is_first_host[:, number], "is_first", begin, end)
        same(chunks.actions[:, number], "actions", begin, end + 1)  # from the one before it on
        same(chunks.action_head.log_prob[:, number], "log_prob", begin, end)
        own = whole.actions[begin + 1 : end + 1, game, k]
        assert (chunks.action_head.chosen[:, number].numpy() == own).all()
        if trainer.experiment.symbols:
            same(chunks.symbols[:, number], "symbols", begin, end + 1)
            same(chunks.symbol_head.log_prob[:, number], "symbol_log_prob", begin, end)
            own = whole.symbols[begin + 1 : end + 1, game, k]
            assert (chunks.symbol_head.chosen[:, number].numpy() == own).all()
        if trainer.experiment.has_moa:
            next_of_others = whole.actions[begin + 2 : end + 2, game][:, others]
            assert (chunks.moa_targets.targets[:, number].numpy() == next_of_others).all()
            counts = ~whole.is_first[begin + 1 : end + 1, game, None].repeat(len(others), 1)
            if trainer.experiment.moa_only_when_visible:
                counts &= whole.visible[begin:end, game][:, others]
            assert (chunks.moa_targets.mask[:, number].numpy() == counts).all()


def test_what_an_experiment_has_not_no_chunk_has(make_trainer, make_chunks, experiment):
    trainer = make_trainer(experiment=experiment, **PLAIN)
    chunks, _ = make_chunks(trainer, 4)
    assert (chunks.moa_targets is not None) == trainer.experiment.has_moa
    assert (chunks.symbols is not None) == bool(trainer.experiment.symbols)
    assert (chunks.symbol_head is not None) == bool(trainer.experiment.symbols)


@pytest.mark.parametrize(
    "learning",
    [
        {"gae_lambda": 1.0},
        {"gae_lambda": 0.9, "horizon_ends": "truncation", "gamma": 0.9},
        {"gae_lambda": 0.0, "reward_clip": 0.7},
    ],
    ids=["lambda 1", "lambda 0.9, truncation", "lambda 0, clipped rewards"],
)
def test_advantages_and_targets_are_those_of_whole_games_for_what_each_head_is_paid(
    make_trainer, make_chunks, experiment, learning
):
    trainer = make_trainer(experiment=experiment, **PLAIN, **learning)
    chunks, whole = make_chunks(trainer, 4)
    acts, says = literal.paid(whole, trainer.experiment, trainer.learning, WEIGHTS.beta)
    of_acting, of_speaking = values(trainer, whole)
    heads = [(chunks.action_head, acts, of_acting)]
    if trainer.experiment.symbols:
        heads.append((chunks.symbol_head, says, of_speaking.double().numpy()))
    for choices, reward, value in heads:
        wanted = literal.estimates(reward, whole.is_first[1:], value, trainer.learning)
        for found, of_game in zip((choices.advantage, choices.target), wanted, strict=True):
            for number, begin, game in places(chunks):
                stretch = of_game[begin : begin + 4, game]
                assert found[:, number].numpy() == pytest.approx(stretch, rel=1e-4, abs=1e-4)


def test_chunks_of_any_length_have_the_same_advantages_and_targets(make_trainer, make_chunks):
    trainer = make_trainer(**PLAIN)
    found = []
    for chunk in CHUNKS:
        chunks, _ = make_chunks(trainer, chunk)
        of_games = torch.zeros(2, STEPS, GAMES)
        for number, begin, game in places(chunks):
            for row, of in enumerate((chunks.action_head.advantage, chunks.action_head.target)):
                of_games[row, begin : begin + chunk, game] = of[:, number]
        found.append(of_games)
    for other in found[1:]:
        torch.testing.assert_close(found[0], other, rtol=1e-4, atol=1e-4)


def test_games_of_several_lanes_stand_side_by_side(make_trainer, make_stream):
    trainer = make_trainer(experiment=literal.EXPERIMENTS["communication by MOA"], **PLAIN)
    joined = [
        concatenate_time(make_stream(trainer, count, seed=count)[1], CPU) for count in (2, 3)
    ]  # of 8 and of 12 steps
    alone = [make_chunks(trainer, [batch], WEIGHTS, 4)[0] for batch in joined]
    both, _ = make_chunks(trainer, joined, WEIGHTS, 4)
    assert [of.count for of in (*alone, both)] == [2 * GAMES, 3 * GAMES, 5 * GAMES]
    for name in ("pixels", "is_first_host", "actions", "symbols"):
        assert torch.equal(getattr(both, name), torch.cat([getattr(of, name) for of in alone], 1))
    assert torch.equal(both.state, torch.cat([of.state for of in alone]))
    for name in ("acting", "speaking", "foreseen"):
        parts = [getattr(of, name) for of in alone]
        for found, *pieces in zip(getattr(both, name), *parts, strict=True):
            assert torch.equal(found, torch.cat(pieces, 1))


class TestNormalisedAdvantages:
    """Of a batch, all of it together."""

    NORMAL = PLAIN | {"normalise_advantages": True}

    @pytest.fixture
    def batches(self, make_trainer, make_stream):
        trainer = make_trainer(**PLAIN)
        return [
            concatenate_time(make_stream(trainer, count, seed=count)[1], CPU) for count in (2, 3)
        ]

    def advantages(self, trainer, batches):
        return make_chunks(trainer, batches, replace(WEIGHTS, beta=0.0), 4)[0].action_head.advantage

    def test_have_mean_0_and_deviation_1_over_all_lanes(self, make_trainer, batches):
        found = self.advantages(make_trainer(**self.NORMAL), batches)
        assert found.mean().item() == pytest.approx(0, abs=1e-5)
        assert found.std(correction=0).item() == pytest.approx(1, rel=1e-4)
        assert found[:, : 2 * GAMES].mean().abs() > 1e-3  # not lane by lane

    def test_keep_their_order_and_ratios(self, make_trainer, batches):
        found = self.advantages(make_trainer(**self.NORMAL), batches)
        plain = self.advantages(make_trainer(**PLAIN), batches)
        wanted = (plain - plain.mean()) / plain.std(correction=0)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)

    def test_are_the_same_of_rewards_in_any_unit(self, make_trainer, batches):
        larger = [replace(batch, reward=30 * batch.reward) for batch in batches]
        found = [self.advantages(self.worthless(make_trainer), of) for of in (batches, larger)]
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)

    def test_are_the_same_where_all_rewards_are_higher(self, make_trainer, batches):
        higher = [replace(batch, reward=3 * batch.reward + 2) for batch in batches]
        found = [
            self.advantages(self.worthless(make_trainer, gae_lambda=0.0), of)
            for of in (batches, higher)
        ]
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)

    def worthless(self, make_trainer, **learning):
        """To whom every view is worth 0."""
        trainer = make_trainer(**self.NORMAL, **learning)
        with torch.no_grad():
            trainer.network.policy.value.weight.zero_()
        return trainer

    def test_are_0_where_there_is_nothing_to_choose(self, make_trainer, batches):
        same = [replace(batch, reward=torch.ones_like(batch.reward)) for batch in batches]
        found = self.advantages(self.worthless(make_trainer, gae_lambda=0.0), same)
        assert found.abs().max() < 1e-3


def test_it_tells_what_the_agent_earned_and_how_much_of_its_returns_the_critic_foresaw(
    make_trainer, make_stream
):
    trainer = make_trainer(experiment={"influence": "moa"}, **PLAIN)
    whole, parts = make_stream(trainer)
    _, told = make_chunks(trainer, [concatenate_time(parts, CPU)], WEIGHTS, 4)
    assert told["reward"].item() == pytest.approx(whole.reward.mean(), abs=1e-6)
    assert told["influence"].item() == pytest.approx(whole.influence.mean(), abs=1e-6)
    reward, _ = literal.paid(whole, trainer.experiment, trainer.learning, WEIGHTS.beta)
    value, _ = values(trainer, whole)
    advantages, returns = literal.estimates(reward, whole.is_first[1:], value, trainer.learning)
    wanted = 1 - np.var(advantages) / np.var(returns)
    assert told["explained_variance"].item() == pytest.approx(wanted, rel=1e-4)
