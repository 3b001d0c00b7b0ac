"""From a segment, the learner's network computes what the actor's computed when it acted."""

import numpy as np
import pytest
import torch
from tests.actors.actor.fakes.agent_setup import (
    EPISODE_STARTS,
    AgentSetup,
    TimestepSource,
    run_lane,
)
from tests.literal import divergence, softmax

from ssd_learner.segments.batch import stack_games

TICKS = 26  # four segments of 6 steps, and the tick that completes the last
EXPERIMENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "visible actions": {"influence": "off"},
    "MOA as auxiliary task": {"influence": "off", "moa_auxiliary": True},
    "influence": {"influence": "moa"},
    "influence, nothing else": {"influence": "moa", "visible_actions": False},
    "visible actions, led": {"influence": "off", "leaders": 1},
    "basic influence, led": {"influence": "basic", "leaders": 1, "influencee_reward": True},
    "basic influence, leading": {"influence": "basic", "leaders": 2, "influencee_reward": True},
    "basic influence, nothing else seen": {
        "influence": "basic",
        "leaders": 1,
        "visible_actions": False,
    },
    "communication": {"influence": "communication", "symbols": 3, "visible_actions": False},
    "communication, actions visible": {"influence": "communication", "symbols": 3},
    "communication by MOA": {"influence": "moa_communication", "symbols": 3},
    "prosocial": {"influence": "off", "reward": "prosocial"},
}


def play(**experiment):
    """An agent, and the segments that its lane completed in `TICKS` ticks."""
    setup = AgentSetup(**experiment)
    source = TimestepSource(starts=EPISODE_STARTS, setup=setup)
    segments = run_lane(setup, setup.lane(), source, TICKS)
    assert len(segments) == 4
    return setup, segments


def as_batch(segment):
    return stack_games([segment], torch.device("cpu"))


def unrolled(setup, segment):
    """What the learner's network computes from a segment, with the weights that acted in it."""
    batch = as_batch(segment)
    with torch.no_grad():
        network = setup.network(segment.weights_version)
        return network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_learner_computes_each_action_s_log_probability_as_the_actor_did(name):
    setup, segments = play(**EXPERIMENTS[name])
    for segment in segments:
        log_policy = unrolled(setup, segment).policy_logits[:-1].log_softmax(-1).numpy()
        own = segment.actions[1:-1, :, setup.shape.agent]
        log_prob = np.take_along_axis(log_policy, own[..., None].astype(int), -1)[..., 0]
        assert log_prob == pytest.approx(segment.log_prob, abs=1e-5)


@pytest.mark.parametrize("name", [name for name, e in EXPERIMENTS.items() if "symbols" in e])
def test_the_learner_computes_each_symbol_s_log_probability_as_the_actor_did(name):
    setup, segments = play(**EXPERIMENTS[name])
    for segment in segments:
        log_policy = unrolled(setup, segment).symbol_logits[:-1].log_softmax(-1).numpy()
        own = segment.symbols[1:, :, setup.shape.agent]
        log_prob = np.take_along_axis(log_policy, own[..., None].astype(int), -1)[..., 0]
        assert log_prob == pytest.approx(segment.symbol_log_prob, abs=1e-5)
        assert segment.symbol_log_prob.std() > 0.1


def test_the_test_above_can_fail():
    setup, (segment, other, *_) = play()
    log_policy = unrolled(setup, segment).policy_logits[:-1].log_softmax(-1)
    assert log_policy.amax(-1).std() > 0.1  # the policy is not uniform, and depends on the view
    assert (segment.weights_version, other.weights_version) == (0, 6)


def influence_literally(setup, segment, name, clip):
    """c_t of a segment from its raw views and actions: one step of the MOA for each alternative.

    Where influence is that of symbols, everyone counts, and the alternatives are symbols.
    """
    k, others, network = (
        setup.shape.agent,
        setup.shape.others,
        setup.network(segment.weights_version),
    )
    of_symbols = setup.experiment.influence_of_symbols
    unroll, batch = unrolled(setup, segment), as_batch(segment)
    logits = (unroll.symbol_logits if of_symbols else unroll.policy_logits).numpy()
    state = network.split_state(batch.state).moa
    chosen = segment.symbols if of_symbols else segment.actions
    influence = np.zeros_like(segment.influence)
    for t in range(len(influence)):
        features, is_first = network.features(batch.pixels[t]).moa, batch.is_first[t]
        actions = batch.actions[t + 1]
        symbols = None if batch.symbols is None else batch.symbols[t + 1]
        predicted = []  # [C] of [B, J, A]
        for alternative in range(logits.shape[-1]):
            new = (symbols if of_symbols else actions).clone()
            new[:, k] = alternative
            inputs = (
                (actions, is_first, state, new) if of_symbols else (new, is_first, state, symbols)
            )
            predicted.append(network.moa.step(features, *inputs).logits)
        state = network.moa.step(features, actions, is_first, state, symbols).state
        for b in range(influence.shape[1]):
            if segment.is_first[t + 1, b]:  # there is no t + 1 in this episode
                continue
            pi = softmax(logits[t, b])
            total = 0.0
            for place, j in enumerate(others):
                if not (of_symbols or segment.visible[t, b, j]):
                    continue
                p = [softmax(one[b, place]) for one in predicted]
                marginal = sum(pi[c] * p[c] for c in range(len(pi)))
                taken = chosen[t + 1, b, k]
                total += divergence(name, p[taken], marginal, segment.actions[t + 2, b, j])
            influence[t, b] = min(clip, max(-clip, total))
    return influence


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi"])
@torch.no_grad()
def test_influence_is_recorded_at_the_step_of_the_action(name):
    setup, segments = play(divergence=name)
    for segment in segments:
        literal = influence_literally(setup, segment, name, clip=10.0)
        assert segment.influence == pytest.approx(literal, abs=1e-5)
        assert (np.abs(literal) > 1e-3).mean() > 0.3


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi"])
@torch.no_grad()
def test_influence_of_symbols_by_the_moa_is_recorded_at_the_step_of_the_symbol(name):
    setup, segments = play(influence="moa_communication", symbols=3, divergence=name)
    for segment in segments:
        literal = influence_literally(setup, segment, name, clip=10.0)
        assert segment.influence == pytest.approx(literal, abs=1e-5)
        assert (np.abs(literal) > 1e-3).mean() > 0.3


@pytest.mark.parametrize("name", ["kl", "pmi"])
@torch.no_grad()
def test_influence_is_clipped_after_it_is_summed(name):
    setup, segments = play(divergence=name, influence_clip=0.02)
    for segment in segments:
        literal = influence_literally(setup, segment, name, clip=0.02)
        assert segment.influence == pytest.approx(literal, abs=1e-5)
        assert (np.abs(segment.influence) == np.float32(0.02)).any()


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi"])
def test_the_last_step_of_an_episode_has_no_influence(name):
    _, segments = play(divergence=name)
    for segment in segments:
        assert not segment.influence[segment.is_first[1:]].any()


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi"])
def test_agents_that_were_not_visible_do_not_count(name):
    setup, segments = play(divergence=name)
    for segment in segments:
        nobody_visible = ~segment.visible[:-1, :, list(setup.shape.others)].any(-1)
        assert nobody_visible.any()
        assert not segment.influence[nobody_visible].any()


def test_actions_are_the_same_whether_influence_is_computed_or_not():
    _, with_influence = play(influence="moa")
    _, without_influence = play(influence="off", moa_auxiliary=True)
    for one, other in zip(with_influence, without_influence, strict=True):
        assert one.state == pytest.approx(other.state, abs=1e-6)
        assert (one.actions == other.actions).all()
        assert (one.log_prob == other.log_prob).all()
        assert one.influence.any()
        assert not other.influence.any()


def test_recurrent_states_are_not_reset_between_segments():
    _, segments = play()
    assert not segments[0].state.any()
    assert all(segment.state.any(-1).all() for segment in segments[1:3])
