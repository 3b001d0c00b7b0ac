"""Actor and learner must see the same: what the network says of a segment is what it said then."""

import numpy as np
import pytest
import torch
from tests.literal import divergence, softmax

from ssd_learner.segments.batch import stack_games

TICKS = 26  # four segments of 6 steps, and the tick that finishes the last
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


@pytest.fixture
def lived(make_person, make_scenery, episodes, live_through):
    """What an agent reported of a life of four segments, and who it was."""

    def make(**experiment):
        person = make_person(**experiment)
        scenery = make_scenery(starts=episodes, person=person)
        segments = live_through(person, person.lane(), scenery, TICKS)
        assert len(segments) == 4
        return person, segments

    return make


def as_batch(segment):
    return stack_games([segment], torch.device("cpu"))


def unrolled(person, segment):
    """What the learner's network says of a segment, at the weights that acted in it."""
    batch = as_batch(segment)
    with torch.no_grad():
        network = person.network(segment.weights_version)
        return network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_learner_finds_each_action_as_likely_as_the_actor_did(lived, name):
    person, segments = lived(**EXPERIMENTS[name])
    for segment in segments:
        log_policy = unrolled(person, segment).policy_logits[:-1].log_softmax(-1).numpy()
        own = segment.actions[1:-1, :, person.shape.agent]
        log_prob = np.take_along_axis(log_policy, own[..., None].astype(int), -1)[..., 0]
        assert log_prob == pytest.approx(segment.log_prob, abs=1e-5)


@pytest.mark.parametrize("name", [name for name, e in EXPERIMENTS.items() if "symbols" in e])
def test_the_learner_finds_each_symbol_as_likely_as_the_actor_did(lived, name):
    person, segments = lived(**EXPERIMENTS[name])
    for segment in segments:
        log_policy = unrolled(person, segment).symbol_logits[:-1].log_softmax(-1).numpy()
        own = segment.symbols[1:, :, person.shape.agent]
        log_prob = np.take_along_axis(log_policy, own[..., None].astype(int), -1)[..., 0]
        assert log_prob == pytest.approx(segment.symbol_log_prob, abs=1e-5)
        assert segment.symbol_log_prob.std() > 0.1


def test_the_test_above_can_fail(lived):
    person, (segment, other, *_) = lived()
    log_policy = unrolled(person, segment).policy_logits[:-1].log_softmax(-1)
    assert log_policy.amax(-1).std() > 0.1  # the agent has opinions, and they depend on the view
    assert (segment.weights_version, other.weights_version) == (0, 6)


def influence_literally(person, segment, name, clip):
    """c_t of a segment from its raw views and actions: one imagined life per step and action.

    Where influence is of symbols, everyone counts, and what is imagined is what was said.
    """
    k, others, model = (
        person.shape.agent,
        person.shape.others,
        person.network(segment.weights_version),
    )
    speaks = person.experiment.influence_of_symbols
    now = unrolled(person, segment)
    logits = (now.symbol_logits if speaks else now.policy_logits).numpy()
    batch = as_batch(segment)
    memory = model.split_state(batch.state).moa
    influence = np.zeros_like(segment.influence)
    for t in range(len(influence)):
        features = model.features(batch.pixels[t]).moa
        said = None if batch.symbols is None else batch.symbols[t + 1]
        imagined = []
        for tilde in range(logits.shape[-1]):
            did, spoke = batch.actions[t + 1].clone(), None if said is None else said.clone()
            (spoke if speaks else did)[:, k] = tilde
            imagined.append(model.moa.step(features, did, batch.is_first[t], memory, spoke).logits)
        memory = model.moa.step(
            features, batch.actions[t + 1], batch.is_first[t], memory, said
        ).state
        for b in range(influence.shape[1]):
            if segment.is_first[t + 1, b]:  # there is no t + 1 in this episode
                continue
            pi = softmax(logits[t, b])
            total = 0.0
            for place, j in enumerate(others):
                if not (speaks or segment.visible[t, b, j]):
                    continue
                p = [softmax(one[b, place]) for one in imagined]
                marginal = sum(pi[tilde] * p[tilde] for tilde in range(len(pi)))
                taken = (segment.symbols if speaks else segment.actions)[t + 1, b, k]
                total += divergence(name, p[taken], marginal, segment.actions[t + 2, b, j])
            influence[t, b] = min(clip, max(-clip, total))
    return influence


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi"])
@torch.no_grad()
def test_influence_is_credited_to_the_step_whose_action_it_was(lived, name):
    person, segments = lived(divergence=name)
    for segment in segments:
        literal = influence_literally(person, segment, name, clip=10.0)
        assert segment.influence == pytest.approx(literal, abs=1e-5)
        assert (np.abs(literal) > 1e-3).mean() > 0.3


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi"])
@torch.no_grad()
def test_influence_of_symbols_by_one_s_own_model_is_credited_to_the_step_of_the_symbol(lived, name):
    person, segments = lived(influence="moa_communication", symbols=3, divergence=name)
    for segment in segments:
        literal = influence_literally(person, segment, name, clip=10.0)
        assert segment.influence == pytest.approx(literal, abs=1e-5)
        assert (np.abs(literal) > 1e-3).mean() > 0.3


@pytest.mark.parametrize("name", ["kl", "pmi"])
@torch.no_grad()
def test_influence_is_clipped_once_it_is_summed(lived, name):
    person, segments = lived(divergence=name, influence_clip=0.02)
    for segment in segments:
        literal = influence_literally(person, segment, name, clip=0.02)
        assert segment.influence == pytest.approx(literal, abs=1e-5)
        assert (np.abs(segment.influence) == np.float32(0.02)).any()


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi"])
def test_nobody_is_influenced_by_the_last_step_of_an_episode(lived, name):
    _, segments = lived(divergence=name)
    for segment in segments:
        assert not segment.influence[segment.is_first[1:]].any()


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi"])
def test_nobody_is_influenced_who_was_not_seen(lived, name):
    person, segments = lived(divergence=name)
    for segment in segments:
        alone = ~segment.visible[:-1, :, list(person.shape.others)].any(-1)
        assert alone.any()
        assert not segment.influence[alone].any()


def test_a_life_is_the_same_whether_influence_is_reckoned_or_not(lived):
    _, reckoning = lived(influence="moa")
    _, not_reckoning = lived(influence="off", moa_auxiliary=True)
    for one, other in zip(reckoning, not_reckoning, strict=True):
        assert one.state == pytest.approx(other.state, abs=1e-6)
        assert (one.actions == other.actions).all()
        assert (one.log_prob == other.log_prob).all()
        assert one.influence.any()
        assert not other.influence.any()


def test_recurrent_states_are_not_reset_between_segments(lived):
    _, segments = lived()
    assert not segments[0].state.any()
    assert all(segment.state.any(-1).all() for segment in segments[1:3])
