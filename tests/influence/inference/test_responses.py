"""Responses: what an agent discloses of how it would act, had another agent chosen otherwise.

Each test runs with `KernelInference` and with `TorchInference`.
"""

import numpy as np
import pytest
import torch

from ssd_influence.inference.kernel_inference import KernelInference
from ssd_influence.inference.torch_inference import TorchInference

GAMES, ACTIONS, SYMBOLS, AGENT = 5, 7, 6, 1
MIXED = ("influencer", "influencee", "plain", "influencer")
BASIC = {"influence": "basic", "roles": MIXED}
COMMUNICATION = {"influence": "communication", "symbols": SYMBOLS}
EXPERIMENTS = {
    "leaders among visible others": BASIC,
    "leaders alone": BASIC | {"visible_actions": False},
    "leaders, and symbols": BASIC | {"symbols": SYMBOLS},
    "symbols": COMMUNICATION | {"visible_actions": False},
    "symbols and visible actions": COMMUNICATION,
    "symbols, disclosed to some only": COMMUNICATION | {"roles": MIXED},
}
every_experiment = pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)


@pytest.fixture(params=[KernelInference, TorchInference], ids=["kernels", "torch"])
def inference_class(request):
    return request.param


@pytest.fixture
def step_of(make_network, make_shape, make_segment):
    """For an experiment: a network, its inputs at a step where some episodes start, its state."""

    def make(experiment, agent=AGENT):
        shape = make_shape(agent)
        network = make_network(shape, **{"influence": "off", **experiment})
        segment, t = make_segment(network, shape), 4
        inputs = {
            "pixels": segment.pixels[t],
            "actions_tm1": segment.actions[t],
            "is_first_t": segment.is_first[t],
            "leader_actions_t": segment.actions[t + 1][:, list(network.role.leaders)],
            "symbols_tm1": None if segment.symbols is None else segment.symbols[t],
        }
        assert 0 < inputs["is_first_t"].sum() < GAMES
        return network, inputs, segment.state[:, : sum(network.cells[:2])]

    return make


def decide(inference_class, network, inputs, state_tm1):
    """A decision, and the policy's state after it."""
    inference, rng = inference_class(network, GAMES), np.random.default_rng(4)
    state = inference.initial_state()
    state.policy[:] = state_tm1.numpy()
    arrays = {name: None if of is None else of.numpy() for name, of in inputs.items()}
    noise = [rng.exponential(size=(GAMES, n)).astype(np.float32) for n in (ACTIONS, SYMBOLS)]
    decision = inference.decide(**arrays, action_noise=noise[0], symbol_noise=noise[1], state=state)
    return decision, state.policy


@torch.no_grad()
def log_policy(network, inputs, state_tm1):
    """[B, A] log π of the network itself."""
    inputs = dict(inputs)
    features = network.features(inputs.pop("pixels")).policy
    state = network.split_state(torch.cat([state_tm1, torch.zeros(GAMES, 0)], 1)).policy
    return network.policy_step(features, **inputs, state=state).logits.log_softmax(-1)


def replaced(network, inputs, agent, choice):
    """The same inputs with another choice of one agent."""
    is_basic = network.experiment.influence == "basic"
    name = "leader_actions_t" if is_basic else "symbols_tm1"
    place = network.role.leaders.index(agent) if is_basic else agent
    changed = inputs[name].clone()
    changed[:, place] = choice
    return {**inputs, name: changed}


@every_experiment
def test_a_response_is_the_policy_with_that_one_input_replaced(
    step_of, inference_class, experiment
):
    network, inputs, state = step_of(experiment)
    responses = decide(inference_class, network, inputs, state)[0].responses
    values = ACTIONS if experiment["influence"] == "basic" else SYMBOLS
    assert responses.shape == (GAMES, len(network.role.discloses_to), values, ACTIONS)
    for number, agent in enumerate(network.role.discloses_to):
        for choice in range(values):
            wanted = log_policy(network, replaced(network, inputs, agent, choice), state)
            found = torch.from_numpy(responses[:, number, choice])
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@every_experiment
def test_computing_responses_changes_neither_policy_nor_state(
    make_network, step_of, inference_class, experiment
):
    network, inputs, state = step_of(experiment)
    roles = {"roles": MIXED} if experiment["influence"] == "basic" else {"roles": ()}
    without = make_network(**{**experiment, **roles, "influence": "off"})
    without.load_state_dict(network.state_dict())
    (decision, after), (plain_decision, plain_after) = (
        decide(inference_class, which, inputs, state) for which in (network, without)
    )
    assert decision.responses is not None
    assert plain_decision.responses is None
    assert (after == plain_after).all()
    assert (decision.action.logits == plain_decision.action.logits).all()


@every_experiment
def test_the_response_to_the_real_choice_is_the_real_policy(step_of, inference_class, experiment):
    network, inputs, state = step_of(experiment)
    decision, _ = decide(inference_class, network, inputs, state)
    policy = torch.from_numpy(decision.action.logits).log_softmax(-1).numpy()
    for number, agent in enumerate(network.role.discloses_to):
        if experiment["influence"] == "basic":
            real = inputs["leader_actions_t"][:, network.role.leaders.index(agent)]
        else:
            real = inputs["symbols_tm1"][:, agent]
        found = decision.responses[np.arange(GAMES), number, real.long().numpy()]
        assert found == pytest.approx(policy, abs=1e-5)


@every_experiment
def test_responses_are_log_probabilities(step_of, inference_class, experiment):
    responses = decide(inference_class, *step_of(experiment))[0].responses
    assert responses.dtype == np.float32
    assert responses.max() <= 0
    assert np.exp(responses.astype(np.float64)).sum(-1) == pytest.approx(1, abs=1e-5)


def test_at_an_episode_s_start_all_responses_to_symbols_are_the_same(step_of, inference_class):
    network, inputs, state = step_of(COMMUNICATION)
    decision, _ = decide(inference_class, network, inputs, state)
    spread = np.ptp(decision.responses, axis=2).max((1, 2))
    starts = inputs["is_first_t"].numpy()
    assert (spread[starts] == 0).all()
    assert (spread[~starts] > 0.01).all()


def test_at_an_episode_s_start_responses_to_leaders_actions_differ(step_of, inference_class):
    decision, _ = decide(inference_class, *step_of(BASIC))
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
        (2, COMMUNICATION | {"roles": MIXED}),
    ],
    ids=[
        "MOA",
        "MOA with symbols",
        "baseline with symbols",
        "baseline with leaders",
        "a leader",
        "plain, basic",
        "plain, communication",
    ],
)
def test_agents_without_disclosures_have_no_responses(step_of, inference_class, agent, experiment):
    assert decide(inference_class, *step_of(experiment, agent))[0].responses is None


@every_experiment
def test_missing_leader_actions_or_symbols_are_refused(step_of, inference_class, experiment):
    network, inputs, state = step_of(experiment)
    name = "leader_actions_t" if experiment["influence"] == "basic" else "symbols_tm1"
    with pytest.raises(ValueError, match=f"{name}: this experiment needs it, found None"):
        decide(inference_class, network, {**inputs, name: None}, state)
