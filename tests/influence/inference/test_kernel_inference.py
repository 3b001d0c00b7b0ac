"""`KernelInference` gives the numbers of `TorchInference`, step by step."""

import numpy as np
import pytest
import torch

from ssd_influence.inference.kernel_inference import KernelInference
from ssd_influence.inference.torch_inference import TorchInference
from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.settings import ExperimentSettings, NetworkSettings

GAMES, ACTIONS, SYMBOLS = 5, 7, 6
MIXED = ("influencer", "influencee", "plain", "influencer")
EXPERIMENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "visible actions": {"influence": "off"},
    "a model of others": {"influence": "moa"},
    "a model of others, invisible actions": {"influence": "moa", "visible_actions": False},
    "leaders among visible others": {"influence": "basic", "roles": MIXED},
    "leaders alone": {"influence": "basic", "roles": MIXED, "visible_actions": False},
    "leaders without responses": {"leaders": 1},
    "symbols": {"influence": "communication", "visible_actions": False},
    "symbols and visible actions": {"influence": "communication"},
    "symbols, disclosed to some only": {"influence": "communication", "roles": MIXED},
    "symbols without responses": {"influence": "off", "symbols": SYMBOLS},
    "leaders and symbols": {"influence": "basic", "roles": MIXED, "symbols": SYMBOLS},
    "a model of others, and symbols": {"influence": "moa", "symbols": SYMBOLS},
    "influence of symbols by a model": {"influence": "moa_communication"},
}


def noise(values=ACTIONS):
    return np.random.default_rng(4).exponential(size=(GAMES, values)).astype(np.float32)


def inputs_at(network, segment, t) -> tuple[tuple, dict]:
    """The arguments of `decide` at t."""
    leader_actions = segment.actions[t + 1][:, list(network.role.leaders)]
    if_any = {
        "leader_actions_t": leader_actions.numpy(),
        "symbols_tm1": None if segment.symbols is None else segment.symbols[t].numpy(),
        "symbol_noise": noise(SYMBOLS),
    }
    always = segment.pixels[t], segment.actions[t], segment.is_first[t]
    return tuple(of.numpy() for of in always), if_any


def assert_same(found, wanted) -> None:
    """Both None, or equal up to rounding."""
    if wanted is None:
        assert found is None
    else:
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_kernels_and_torch_give_the_same_decisions_predictions_and_states(
    make_network, make_shape, make_segment, experiment
):
    if experiment.get("influence", "").endswith("communication"):
        experiment = {**experiment, "symbols": SYMBOLS}
    network = make_network(**{"influence": "off", **experiment})
    segment = make_segment(network, make_shape())
    both = KernelInference(network, GAMES), TorchInference(network, GAMES)
    states, rows = [inference.initial_state() for inference in both], np.array([0, 2, 3])
    spread = []
    for t in range(len(segment.pixels) - 1):
        always, if_any = inputs_at(network, segment, t)
        found, wanted = (
            inference.decide(*always, noise(), state, **if_any)
            for inference, state in zip(both, states, strict=True)
        )
        for one, other in ((found.action, wanted.action), (found.symbol, wanted.symbol)):
            assert (one is None) == (other is None)
            for field, of_other in zip(one or (), other or (), strict=True):
                assert_same(field, of_other)
        assert_same(found.responses, wanted.responses)
        if found.responses is not None:
            spread.append(np.ptp(found.responses, axis=2).max())
        if network.moa is not None:
            symbols = None if segment.symbols is None else segment.symbols[t + 1].numpy()
            choices = segment.actions[t + 1].numpy(), always[2]
            found_logits, wanted_logits = (
                inference.predict_others(*choices, state, rows, symbols)
                for inference, state in zip(both, states, strict=True)
            )
            assert_same(found_logits, wanted_logits)
            spread.append(np.ptp(found_logits, axis=1).max())
        assert_same(*(state.flat() for state in states))
    assert not spread or max(spread) > 0.01  # the alternatives make a difference
    assert found.action.logits.std() > 0.05


def test_the_sample_is_the_argmax_of_probability_over_noise(make_network):
    network = make_network()
    inference = KernelInference(network, GAMES)
    pixels = np.zeros((GAMES, 9, 9), np.uint8)
    actions, is_first = np.zeros((GAMES, 4), np.uint8), np.ones(GAMES, np.bool_)
    decision = inference.decide(pixels, actions, is_first, noise(), inference.initial_state())
    sample = decision.action
    p = torch.from_numpy(sample.logits).softmax(-1).numpy()
    assert sample.choice.tolist() == (p / noise()).argmax(1).tolist()
    taken = p[np.arange(GAMES), sample.choice]
    assert np.exp(sample.log_prob) == pytest.approx(taken, rel=1e-5)


def test_new_weights_are_used_after_reload_weights(make_network, make_shape, make_segment):
    network = make_network()
    segment, inference = make_segment(network, make_shape()), KernelInference(network, GAMES)
    inputs = [of[0].numpy() for of in (segment.pixels, segment.actions, segment.is_first)]

    def logits():
        return inference.decide(*inputs, noise(), inference.initial_state()).action.logits

    before = logits()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.1)
    inference.reload_weights()
    assert np.abs(logits() - before).max() > 1e-3
    assert (logits() == logits()).all()


@pytest.mark.parametrize("place", range(26))
def test_a_nan_in_any_weight_stays_visible(make_network, make_shape, make_segment, place):
    network = make_network(symbols=SYMBOLS)
    segment = make_segment(network, make_shape())
    names = [name for name, _ in network.named_parameters() if ".value." not in name]
    assert len(names) == 26
    with torch.no_grad():
        network.get_parameter(names[place]).fill_(float("nan"))
    inference = KernelInference(network, GAMES)
    state = inference.initial_state()
    always, if_any = inputs_at(network, segment, 0)
    decision = inference.decide(*always, noise(), state, **if_any)
    choices, symbols = (segment.actions[1].numpy(), always[2]), segment.symbols[1].numpy()
    predicted = inference.predict_others(*choices, state, np.arange(GAMES), symbols)
    found = decision.action.logits, decision.symbol.logits, predicted
    assert any(np.isnan(of).any() for of in found)


def test_the_moa_s_state_advances_in_games_that_are_not_predicted_for(make_network):
    inference = KernelInference(make_network(), GAMES)
    actions, is_first = np.zeros((GAMES, 4), np.uint8), np.zeros(GAMES, np.bool_)
    all_games, no_games = inference.initial_state(), inference.initial_state()
    inference.predict_others(actions, is_first, all_games, np.arange(GAMES))
    found = inference.predict_others(actions, is_first, no_games, np.empty(0, np.int64))
    assert found.shape == (0, ACTIONS, 3 * ACTIONS)
    assert (all_games.moa == no_games.moa).all()
    assert all_games.moa.any()


def test_without_a_moa_there_are_no_predictions(make_network):
    inference = KernelInference(make_network(influence="off"), GAMES)
    actions, is_first = np.zeros((GAMES, 4), np.uint8), np.zeros(GAMES, np.bool_)
    with pytest.raises(ValueError, match="no model of other agents"):
        inference.predict_others(actions, is_first, inference.initial_state(), np.arange(GAMES))


def test_the_state_of_the_paper_s_agent_has_the_paper_s_sizes(make_shape):
    network = AgentNetwork(make_shape(), NetworkSettings(), ExperimentSettings(influence="moa"))
    state = KernelInference(network, 3).initial_state()
    assert [part.shape for part in state] == [(3, 256), (3, 256)]
    assert state.flat().shape == (3, network.state_size)
