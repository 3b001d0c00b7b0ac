"""Custom networks: named in the run file, written in torch, stepped by `TorchInference`."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from ssd_influence.inference.factory import make_inference
from ssd_influence.inference.kernel_inference import KernelInference
from ssd_influence.inference.torch_inference import TorchInference
from ssd_influence.networks.agent_network import AgentNetwork, Features, make_network
from ssd_influence.networks.lstm import LstmState
from ssd_influence.networks.policy import PolicyStep
from ssd_influence.settings import ExperimentSettings, NetworkSettings

SMALL = {"conv_channels": 2, "hidden": 13, "lstm": 17, "moa_lstm": 19}
GAMES = 5


class Blurred(AgentNetwork):
    """Squashes features by a setting of its own."""

    def __init__(self, shape, network, experiment):
        super().__init__(shape, network, experiment)
        self.scale = network.own["scale"]

    def features(self, pixels):
        return Features(*(None if f is None else f * self.scale for f in super().features(pixels)))


class Forgetful(AgentNetwork):
    """Remembers nothing but its last logits, in the place of h; there is no c."""

    def __init__(self, shape, network, experiment):
        super().__init__(shape, network, experiment)
        self.head = nn.Linear(network.hidden + shape.num_actions, shape.num_actions)

    @property
    def cells(self):
        return [self.shape.num_actions, 0]

    def policy_step(self, features_t, _actions_tm1, is_first_t, state, *_told):
        h, c = state.reset(is_first_t)
        logits = self.head(torch.cat([features_t, h], -1))
        return PolicyStep(logits, logits.sum(-1), LstmState(logits, c))


@pytest.fixture(autouse=True)
def _mine(monkeypatch) -> None:
    module = ModuleType("mine")
    module.Blurred, module.Forgetful = Blurred, Forgetful
    module.Stranger, module.number = nn.Linear, 3
    monkeypatch.setitem(sys.modules, "mine", module)


def own(shape, name, experiment=None, **settings) -> AgentNetwork:
    network = NetworkSettings(kind=f"mine:{name}", own=settings, **SMALL)
    return make_network(shape, network, ExperimentSettings.model_validate(experiment or {}))


def test_the_paper_s_network_lives_by_the_fast_way_and_one_s_own_by_its_own_methods(make_shape):
    ours = make_network(make_shape(), NetworkSettings(**SMALL), ExperimentSettings())
    assert type(ours) is AgentNetwork
    assert isinstance(make_inference(ours, GAMES), KernelInference)
    mine = own(make_shape(), "Blurred", scale=0.5)
    assert type(mine) is Blurred
    assert isinstance(make_inference(mine, GAMES), TorchInference)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("nowhere.at_all:Mine", "No module named 'nowhere'"),
        ("mine:Yours", "module 'mine' has no attribute 'Yours'"),
        ("mine:Stranger", "<class 'torch.nn.modules.linear.Linear'>"),
        ("mine:number", "found 3"),
    ],
)
def test_what_is_no_network_is_refused_and_why(make_shape, kind, found):
    settings = NetworkSettings(kind=kind)
    with pytest.raises(ValueError, match=f"{kind}: wanted a subclass of AgentNetwork") as refusal:
        make_network(make_shape(), settings, ExperimentSettings())
    assert found in str(refusal.value)


def test_a_module_that_breaks_when_it_is_imported_is_refused_and_why(
    make_shape, tmp_path, monkeypatch
):
    (tmp_path / "torn.py").write_text("def half(:")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"torn:Mine: wanted a subclass .* found SyntaxError"):
        make_network(make_shape(), NetworkSettings(kind="torn:Mine"), ExperimentSettings())


def lived(network, segment) -> list[torch.Tensor]:
    """Logits at each step."""
    life = make_inference(network, GAMES)
    state, logits = life.initial_state(), []
    draws = np.ones((GAMES, network.shape.num_actions), np.float32)
    for t in range(len(segment.pixels)):
        shown = segment.pixels[t], segment.actions[t], segment.is_first[t]
        decision = life.decide(*(of.numpy() for of in shown), draws, state)
        logits.append(torch.from_numpy(decision.action.logits))
    return logits


def test_a_network_of_one_s_own_lives_as_it_learns(make_shape, make_segment):
    network = own(make_shape(), "Blurred", {"influence": "moa"}, scale=0.5)
    segment = make_segment(network, make_shape())
    known = segment.pixels, segment.is_first, segment.actions
    unroll = network.unroll(*known, network.initial_state(GAMES))
    found = torch.stack(lived(network, segment))
    torch.testing.assert_close(found, unroll.policy_logits, rtol=0, atol=1e-5)
    ours = AgentNetwork(make_shape(), NetworkSettings(**SMALL), network.experiment)
    ours.load_state_dict(network.state_dict())
    assert not torch.allclose(found, torch.stack(lived(ours, segment)), atol=1e-5)


def test_a_network_of_one_s_own_may_remember_otherwise(make_shape, make_segment):
    network = own(make_shape(), "Forgetful")
    assert make_inference(network, GAMES).initial_state().policy.shape == (GAMES, 7)
    segment = make_segment(network, make_shape())
    before = torch.zeros(GAMES, 7)
    with torch.inference_mode():
        for t, logits in enumerate(lived(network, segment)):
            features = network.features(segment.pixels[t]).policy
            before = before.masked_fill(segment.is_first[t][:, None], 0)
            before = network.head(torch.cat([features, before], -1))
            torch.testing.assert_close(logits, before, rtol=0, atol=1e-5)


def test_new_weights_count_at_once(make_shape, make_segment):
    network = own(make_shape(), "Blurred", scale=1.0)
    segment, life = make_segment(network, make_shape()), make_inference(network, GAMES)
    shown = [of[0].numpy() for of in (segment.pixels, segment.actions, segment.is_first)]
    draws = np.ones((GAMES, 7), np.float32)
    before = life.decide(*shown, draws, life.initial_state()).action.logits
    with torch.no_grad():
        network.policy.logits.bias.add_(torch.arange(7))
    life.reload_weights()
    after = life.decide(*shown, draws, life.initial_state()).action.logits
    assert after == pytest.approx(before + np.arange(7), abs=1e-5)


def test_what_was_drawn_is_the_most_of_probability_over_noise(make_shape, make_segment):
    network = own(make_shape(), "Blurred", {"symbols": 6, "visible_actions": False}, scale=1.0)
    segment, life = make_segment(network, make_shape()), make_inference(network, GAMES)
    shown = [of[0].numpy() for of in (segment.pixels, segment.actions, segment.is_first)]
    rng = np.random.default_rng(2)
    draws, said = (rng.exponential(size=(GAMES, n)).astype(np.float32) for n in (7, 6))
    heard = {"symbols_tm1": segment.symbols[0].numpy(), "symbol_noise": said}
    decision = life.decide(*shown, draws, life.initial_state(), **heard)
    for choice, noise in ((decision.action, draws), (decision.symbol, said)):
        p = torch.from_numpy(choice.logits).softmax(-1).numpy()
        assert choice.choice.tolist() == (p / noise).argmax(1).tolist()
        assert np.exp(choice.log_prob) == pytest.approx(p[np.arange(GAMES), choice.choice])
        assert (choice.choice.dtype, choice.log_prob.dtype) == (np.uint8, np.float32)


def test_one_without_a_model_of_others_has_nothing_to_recall(make_shape):
    life = make_inference(own(make_shape(), "Blurred", scale=1.0), GAMES)
    nobody, is_first = np.zeros((GAMES, 4), np.uint8), np.zeros(GAMES, np.bool_)
    with pytest.raises(ValueError, match="no model of other agents"):
        life.predict_others(nobody, is_first, life.initial_state(), np.arange(GAMES))
