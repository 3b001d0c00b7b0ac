"""How an agent lives on a CPU gives the numbers of its network, step by step."""

import numpy as np
import pytest
import torch

from ssd_influence.inference.kernel_inference import KernelInference
from ssd_influence.inference.torch_inference import TorchInference
from ssd_influence.kernels import lstm_step as lstm
from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.settings import ExperimentSettings, NetworkSettings

GAMES, ACTIONS, SYMBOLS, AGENT = 5, 7, 6, 1
MIXED = ("influencer", "influencee", "plain", "influencer")
EXPERIMENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "visible actions": {"influence": "off"},
    "a model of others": {"influence": "moa"},
    "a model of others, not seeing them act": {"influence": "moa", "visible_actions": False},
    "leaders among visible others": {"influence": "basic", "roles": MIXED},
    "leaders alone": {"influence": "basic", "roles": MIXED, "visible_actions": False},
    "leaders whom nobody answers": {"leaders": 1},
    "symbols": {"influence": "communication", "visible_actions": False},
    "symbols and visible actions": {"influence": "communication"},
    "symbols that only some ask about": {"influence": "communication", "roles": MIXED},
    "symbols that nobody asks about": {"influence": "off", "symbols": SYMBOLS},
    "leaders and symbols": {"influence": "basic", "roles": MIXED, "symbols": SYMBOLS},
    "a model of what others do and say": {"influence": "moa", "symbols": SYMBOLS},
    "influence of symbols by a model": {"influence": "moa_communication"},
}


def noise(values=ACTIONS):
    return np.random.default_rng(4).exponential(size=(GAMES, values)).astype(np.float32)


def news(network, segment, t) -> tuple[tuple, dict]:
    """What an agent is shown and told at t, as `decide` takes it."""
    leaders = segment.actions[t + 1][:, list(network.role.leaders)]
    said = None if segment.symbols is None else segment.symbols[t].numpy()
    told = {
        "leader_actions_t": leaders.numpy(),
        "symbols_tm1": said,
        "symbol_noise": noise(SYMBOLS),
    }
    return (
        segment.pixels[t].numpy(),
        segment.actions[t].numpy(),
        segment.is_first[t].numpy(),
    ), told


def same(found, wanted) -> None:
    """Both None, or equal to rounding."""
    if wanted is None:
        assert found is None
    else:
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_a_life_on_the_cpu_is_the_network_s_own(make_network, make_shape, make_segment, experiment):
    if experiment.get("influence", "").endswith("communication"):
        experiment = {**experiment, "symbols": SYMBOLS}
    network = make_network(**{"influence": "off", **experiment})
    segment = make_segment(network, make_shape())
    lives = KernelInference(network, GAMES), TorchInference(network, GAMES)
    states, games = [life.initial_state() for life in lives], np.array([0, 2, 3])
    spread = []
    for t in range(len(segment.pixels) - 1):
        shown, told = news(network, segment, t)
        found, wanted = (
            life.decide(*shown, noise(), state, **told)
            for life, state in zip(lives, states, strict=True)
        )
        for one, other in ((found.action, wanted.action), (found.symbol, wanted.symbol)):
            assert (one is None) == (other is None)
            for part, of_other in zip(one or (), other or (), strict=True):
                same(part, of_other)
        same(found.responses, wanted.responses)
        if found.responses is not None:
            spread.append(np.ptp(found.responses, axis=2).max())
        if network.moa is not None:
            said = None if segment.symbols is None else segment.symbols[t + 1].numpy()
            happened = segment.actions[t + 1].numpy(), shown[2]
            imagined, as_wanted = (
                life.predict_others(*happened, state, games, said)
                for life, state in zip(lives, states, strict=True)
            )
            same(imagined, as_wanted)
            spread.append(np.ptp(imagined, axis=1).max())
        same(*(state.flat() for state in states))
    assert not spread or max(spread) > 0.01  # else nothing would make a difference
    assert found.action.logits.std() > 0.05


def test_what_was_drawn_is_the_most_of_probability_over_noise(make_network):
    network = make_network()
    life, draws = KernelInference(network, GAMES), noise()
    pixels = np.zeros((GAMES, 9, 9), np.uint8)
    nobody, is_first = np.zeros((GAMES, 4), np.uint8), np.ones(GAMES, np.bool_)
    choice = life.decide(pixels, nobody, is_first, draws, life.initial_state()).action
    p = torch.from_numpy(choice.logits).softmax(-1).numpy()
    assert choice.choice.tolist() == (p / draws).argmax(1).tolist()
    taken = p[np.arange(GAMES), choice.choice]
    assert np.exp(choice.log_prob) == pytest.approx(taken, rel=1e-5)


def test_new_weights_count_once_they_are_taken_over(make_network, make_shape, make_segment):
    network = make_network()
    segment, life = make_segment(network, make_shape()), KernelInference(network, GAMES)
    seen = [of[0].numpy() for of in (segment.pixels, segment.actions, segment.is_first)]

    def logits():
        return life.decide(*seen, noise(), life.initial_state()).action.logits

    before = logits()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.1)
    life.reload_weights()
    assert np.abs(logits() - before).max() > 1e-3
    assert (logits() == logits()).all()


@pytest.mark.parametrize("place", range(26))
def test_a_weight_that_is_no_number_is_not_hidden(make_network, make_shape, make_segment, place):
    network = make_network(symbols=SYMBOLS)
    segment = make_segment(network, make_shape())
    names = [name for name, _ in network.named_parameters() if ".value." not in name]
    assert len(names) == 26
    with torch.no_grad():
        network.get_parameter(names[place]).fill_(float("nan"))
    life = KernelInference(network, GAMES)
    state = life.initial_state()
    shown, told = news(network, segment, 0)
    decision = life.decide(*shown, noise(), state, **told)
    happened = segment.actions[1].numpy(), shown[2]
    imagined = life.predict_others(*happened, state, np.arange(GAMES), segment.symbols[1].numpy())
    found = decision.action.logits, decision.symbol.logits, imagined
    assert any(np.isnan(of).any() for of in found)


def test_where_nobody_is_asked_for_the_model_still_learns_what_happened(make_network):
    life = KernelInference(make_network(), GAMES)
    nobody, is_first = np.zeros((GAMES, 4), np.uint8), np.zeros(GAMES, np.bool_)
    asked, unasked = life.initial_state(), life.initial_state()
    life.predict_others(nobody, is_first, asked, np.arange(GAMES))
    told = life.predict_others(nobody, is_first, unasked, np.empty(0, np.int64))
    assert told.shape == (0, ACTIONS, 3 * ACTIONS)
    assert (asked.moa == unasked.moa).all()
    assert asked.moa.any()


def test_a_network_without_a_model_of_others_has_nothing_to_recall(make_network):
    life = KernelInference(make_network(influence="off"), GAMES)
    nobody, is_first = np.zeros((GAMES, 4), np.uint8), np.zeros(GAMES, np.bool_)
    with pytest.raises(ValueError, match="no model of other agents"):
        life.predict_others(nobody, is_first, life.initial_state(), np.arange(GAMES))


@pytest.mark.parametrize("extreme", [0.0, 1e-8, 0.3, 5.0, 20.0, 88.0, 1e4, 1e30])
def test_the_cell_is_exact_up_to_rounding_wherever_its_gates_stand(extreme):
    signs = np.array(
        [[i, f, g, o] for i in (-1, 1) for f in (-1, 1) for g in (-1, 1) for o in (-1, 1)]
    )
    gates = (extreme * signs).astype(np.float32)  # [16, 4 · 1]
    before = np.linspace(-2, 2, 16, dtype=np.float32)
    state = np.stack([np.zeros(16, np.float32), before], 1)
    lstm.step(gates, np.zeros(16, np.bool_), state)
    i, f, g, o = torch.from_numpy(extreme * signs).double().unbind(1)
    c = f.sigmoid() * torch.from_numpy(before).double() + i.sigmoid() * g.tanh()
    assert state[:, 1] == pytest.approx(c.numpy(), abs=1e-6)
    assert state[:, 0] == pytest.approx((o.sigmoid() * c.tanh()).numpy(), abs=1e-6)


def test_the_paper_s_agent_lives_with_the_paper_s_sizes(make_shape):
    network = AgentNetwork(make_shape(), NetworkSettings(), ExperimentSettings(influence="moa"))
    state = KernelInference(network, 3).initial_state()
    assert [part.shape for part in state] == [(3, 256), (3, 256)]
    assert state.flat().shape == (3, network.state_size)
