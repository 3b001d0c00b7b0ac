"""What an agent discloses: what it would do, had another done or said otherwise, and nothing else.

By both ways to live: `KernelInference`, and `TorchInference`.
"""

import numpy as np
import pytest
import torch

from ssd_influence.inference.kernel_inference import KernelInference
from ssd_influence.inference.torch_inference import TorchInference

GAMES, ACTIONS, SYMBOLS, AGENT = 5, 7, 6, 1
MIXED = ("influencer", "influencee", "plain", "influencer")
BASIC = {"influence": "basic", "roles": MIXED}
SAID = {"influence": "communication", "symbols": SYMBOLS}
EXPERIMENTS = {
    "leaders among visible others": BASIC,
    "leaders alone": BASIC | {"visible_actions": False},
    "leaders, and symbols": BASIC | {"symbols": SYMBOLS},
    "symbols": SAID | {"visible_actions": False},
    "symbols and visible actions": SAID,
    "symbols that only some ask about": SAID | {"roles": MIXED},
}
every_experiment = pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)


@pytest.fixture(params=[KernelInference, TorchInference], ids=["inference", "stepping"])
def life(request):
    return request.param


@pytest.fixture
def moment(make_network, make_shape, make_segment):
    """Of an experiment: the agent, and a moment at which some episodes start, with a past."""

    def make(experiment, agent=AGENT):
        shape = make_shape(agent)
        network = make_network(shape, **{"influence": "off", **experiment})
        segment, at = make_segment(network, shape), 4
        known = {
            "pixels": segment.pixels[at],
            "actions_tm1": segment.actions[at],
            "is_first_t": segment.is_first[at],
            "leader_actions_t": segment.actions[at + 1][:, list(network.role.leaders)],
            "symbols_tm1": None if segment.symbols is None else segment.symbols[at],
        }
        assert 0 < known["is_first_t"].sum() < GAMES
        return network, known, segment.state[:, : sum(network.cells[:2])]

    return make


def lived(kind, network, known, memory):
    """A decision, and the policy's state after it."""
    life, rng = kind(network, GAMES), np.random.default_rng(4)
    state = life.initial_state()
    state.policy[:] = memory.numpy()
    arrays = {name: None if of is None else of.numpy() for name, of in known.items()}
    draws = (rng.exponential(size=(GAMES, n)).astype(np.float32) for n in (ACTIONS, SYMBOLS))
    decision = life.decide(
        **arrays, action_noise=next(draws), symbol_noise=next(draws), state=state
    )
    return decision, state.policy


@torch.no_grad()
def acted(network, known, memory):
    """[B, A] log π of the network itself."""
    known = dict(known)
    features = network.features(known.pop("pixels")).policy
    state = network.split_state(torch.cat([memory, torch.zeros(GAMES, 0)], 1)).policy
    return network.policy_step(features, **known, state=state).logits.log_softmax(-1)


def swapped(network, known, agent, choice):
    """The same moment, had an agent done or said something else, and all others what they did."""
    of_leaders = network.experiment.influence == "basic"
    name = "leader_actions_t" if of_leaders else "symbols_tm1"
    place = network.role.leaders.index(agent) if of_leaders else agent
    instead = known[name].clone()
    instead[:, place] = choice
    return {**known, name: instead}


@every_experiment
def test_a_response_is_the_policy_with_that_one_input_swapped_and_nothing_else(
    moment, life, experiment
):
    network, known, memory = moment(experiment)
    responses = lived(life, network, known, memory)[0].responses
    values = ACTIONS if experiment["influence"] == "basic" else SYMBOLS
    assert responses.shape == (GAMES, len(network.role.discloses_to), values, ACTIONS)
    for number, agent in enumerate(network.role.discloses_to):
        for choice in range(values):
            wanted = acted(network, swapped(network, known, agent, choice), memory)
            found = torch.from_numpy(responses[:, number, choice])
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@every_experiment
def test_to_imagine_is_not_to_live(make_network, moment, life, experiment):
    network, known, memory = moment(experiment)
    follows = {"roles": MIXED} if experiment["influence"] == "basic" else {"roles": ()}
    silent = make_network(**{**experiment, **follows, "influence": "off"})
    silent.load_state_dict(network.state_dict())
    (asked, after), (unasked, unasked_after) = (
        lived(life, who, known, memory) for who in (network, silent)
    )
    assert asked.responses is not None
    assert unasked.responses is None
    assert (after == unasked_after).all()
    assert (asked.action.logits == unasked.action.logits).all()


@every_experiment
def test_what_was_really_done_or_said_is_answered_by_what_it_really_would_do(
    moment, life, experiment
):
    network, known, memory = moment(experiment)
    decision, _ = lived(life, network, known, memory)
    policy = torch.from_numpy(decision.action.logits).log_softmax(-1).numpy()
    for number, agent in enumerate(network.role.discloses_to):
        if experiment["influence"] == "basic":
            really = known["leader_actions_t"][:, network.role.leaders.index(agent)]
        else:
            really = known["symbols_tm1"][:, agent]
        found = decision.responses[np.arange(GAMES), number, really.long().numpy()]
        assert found == pytest.approx(policy, abs=1e-5)


@every_experiment
def test_responses_are_log_probabilities(moment, life, experiment):
    responses = lived(life, *moment(experiment))[0].responses
    assert responses.dtype == np.float32
    assert responses.max() <= 0
    assert np.exp(responses.astype(np.float64)).sum(-1) == pytest.approx(1, abs=1e-5)


def test_at_an_episode_s_start_no_symbol_has_been_said_that_could_have_been_another(moment, life):
    network, known, memory = moment(SAID)
    decision, _ = lived(life, network, known, memory)
    spread = np.ptp(decision.responses, axis=2).max((1, 2))
    starts = known["is_first_t"].numpy()
    assert (spread[starts] == 0).all()
    assert (spread[~starts] > 0.01).all()


def test_at_an_episode_s_start_leaders_act_and_could_have_acted_otherwise(moment, life):
    decision, _ = lived(life, *moment(BASIC))
    assert (np.ptp(decision.responses, axis=2).max((1, 2)) > 0.01).all()


@pytest.mark.parametrize(
    ("agent", "experiment"),
    [
        (AGENT, {"influence": "moa"}),
        (AGENT, {"influence": "moa_communication", "symbols": SYMBOLS}),
        (AGENT, {"symbols": SYMBOLS}),
        (AGENT, {"leaders": 1}),
        (0, BASIC),
        (2, BASIC),
        (2, SAID | {"roles": MIXED}),
    ],
    ids=[
        "III",
        "III of symbols",
        "II's baseline",
        "I's baseline",
        "leader",
        "plain",
        "plain of II",
    ],
)
def test_nobody_else_discloses_anything(moment, life, agent, experiment):
    assert lived(life, *moment(experiment, agent))[0].responses is None


@every_experiment
def test_one_who_follows_or_hears_must_be_told(moment, life, experiment):
    network, known, memory = moment(experiment)
    name = "leader_actions_t" if experiment["influence"] == "basic" else "symbols_tm1"
    with pytest.raises(ValueError, match=f"{name}: this experiment needs it, found None"):
        lived(life, network, {**known, name: None}, memory)
