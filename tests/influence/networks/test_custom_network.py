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


class ScaledFeatures(AgentNetwork):
    """Scales its features by a setting."""

    def __init__(self, shape, network, experiment):
        super().__init__(shape, network, experiment)
        self.scale = network.own["scale"]

    def features(self, pixels):
        return Features(*(None if f is None else f * self.scale for f in super().features(pixels)))


class OtherState(AgentNetwork):
    """Its recurrent state is its last logits, instead of h; there is no c."""

    def __init__(self, shape, network, experiment):
        super().__init__(shape, network, experiment)
        self.head = nn.Linear(network.hidden + shape.num_actions, shape.num_actions)

    @property
    def cells(self):
        return [self.shape.num_actions, 0]

    def policy_step(self, features_t, _actions_tm1, is_first_t, state, *_others):
        h, c = state.reset(is_first_t)
        logits = self.head(torch.cat([features_t, h], -1))
        return PolicyStep(logits, logits.sum(-1), LstmState(logits, c))


@pytest.fixture(autouse=True)
def _custom_module(monkeypatch) -> None:
    module = ModuleType("custom")
    module.ScaledFeatures, module.OtherState = ScaledFeatures, OtherState
    module.NoNetwork, module.number = nn.Linear, 3
    monkeypatch.setitem(sys.modules, "custom", module)


def make_custom(shape, name, experiment=None, **settings) -> AgentNetwork:
    network = NetworkSettings(kind=f"custom:{name}", own=settings, **SMALL)
    return make_network(shape, network, ExperimentSettings.model_validate(experiment or {}))


def test_the_paper_s_network_is_stepped_by_kernels_and_a_custom_one_by_torch(make_shape):
    ours = make_network(make_shape(), NetworkSettings(**SMALL), ExperimentSettings())
    assert type(ours) is AgentNetwork
    assert isinstance(make_inference(ours, GAMES), KernelInference)
    custom = make_custom(make_shape(), "ScaledFeatures", scale=0.5)
    assert type(custom) is ScaledFeatures
    assert isinstance(make_inference(custom, GAMES), TorchInference)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("nowhere.at_all:Mine", "No module named 'nowhere'"),
        ("custom:Missing", "module 'custom' has no attribute 'Missing'"),
        ("custom:NoNetwork", "<class 'torch.nn.modules.linear.Linear'>"),
        ("custom:number", "found 3"),
    ],
)
def test_a_name_that_is_no_network_is_refused_with_the_reason(make_shape, kind, found):
    settings = NetworkSettings(kind=kind)
    with pytest.raises(ValueError, match=f"{kind}: wanted a subclass of AgentNetwork") as error:
        make_network(make_shape(), settings, ExperimentSettings())
    assert found in str(error.value)


def test_a_module_that_fails_to_import_is_refused_with_the_reason(
    make_shape, tmp_path, monkeypatch
):
    (tmp_path / "broken.py").write_text("def half(:")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"broken:Net: wanted a subclass .* found SyntaxError"):
        make_network(make_shape(), NetworkSettings(kind="broken:Net"), ExperimentSettings())


def logits_by_step(network, segment) -> list[torch.Tensor]:
    """Logits at each step of the network's inference."""
    inference = make_inference(network, GAMES)
    state, logits = inference.initial_state(), []
    noise = np.ones((GAMES, network.shape.num_actions), np.float32)
    for t in range(len(segment.pixels)):
        inputs = segment.pixels[t], segment.actions[t], segment.is_first[t]
        decision = inference.decide(*(of.numpy() for of in inputs), noise, state)
        logits.append(torch.from_numpy(decision.action.logits))
    return logits


def test_a_custom_network_gives_the_same_logits_to_actors_and_learners(make_shape, make_segment):
    network = make_custom(make_shape(), "ScaledFeatures", {"influence": "moa"}, scale=0.5)
    segment = make_segment(network, make_shape())
    known = segment.pixels, segment.is_first, segment.actions
    unroll = network.unroll(*known, network.initial_state(GAMES))
    found = torch.stack(logits_by_step(network, segment))
    torch.testing.assert_close(found, unroll.policy_logits, rtol=0, atol=1e-5)
    ours = AgentNetwork(make_shape(), NetworkSettings(**SMALL), network.experiment)
    ours.load_state_dict(network.state_dict())
    assert not torch.allclose(found, torch.stack(logits_by_step(ours, segment)), atol=1e-5)


def test_a_custom_network_may_have_another_recurrent_state(make_shape, make_segment):
    network = make_custom(make_shape(), "OtherState")
    assert make_inference(network, GAMES).initial_state().policy.shape == (GAMES, 7)
    segment = make_segment(network, make_shape())
    before = torch.zeros(GAMES, 7)
    with torch.inference_mode():
        for t, logits in enumerate(logits_by_step(network, segment)):
            features = network.features(segment.pixels[t]).policy
            before = before.masked_fill(segment.is_first[t][:, None], 0)
            before = network.head(torch.cat([features, before], -1))
            torch.testing.assert_close(logits, before, rtol=0, atol=1e-5)


def test_new_weights_are_used_at_once(make_shape, make_segment):
    network = make_custom(make_shape(), "ScaledFeatures", scale=1.0)
    segment, inference = make_segment(network, make_shape()), make_inference(network, GAMES)
    inputs = [of[0].numpy() for of in (segment.pixels, segment.actions, segment.is_first)]
    noise = np.ones((GAMES, 7), np.float32)
    before = inference.decide(*inputs, noise, inference.initial_state()).action.logits
    with torch.no_grad():
        network.policy.logits.bias.add_(torch.arange(7))
    inference.reload_weights()
    after = inference.decide(*inputs, noise, inference.initial_state()).action.logits
    assert after == pytest.approx(before + np.arange(7), abs=1e-5)


def test_the_sample_is_the_argmax_of_probability_over_noise(make_shape, make_segment):
    switches = {"symbols": 6, "visible_actions": False}
    network = make_custom(make_shape(), "ScaledFeatures", switches, scale=1.0)
    segment, inference = make_segment(network, make_shape()), make_inference(network, GAMES)
    inputs = [of[0].numpy() for of in (segment.pixels, segment.actions, segment.is_first)]
    rng = np.random.default_rng(2)
    action_noise, symbol_noise = (
        rng.exponential(size=(GAMES, n)).astype(np.float32) for n in (7, 6)
    )
    symbols = {"symbols_tm1": segment.symbols[0].numpy(), "symbol_noise": symbol_noise}
    decision = inference.decide(*inputs, action_noise, inference.initial_state(), **symbols)
    for sample, noise in ((decision.action, action_noise), (decision.symbol, symbol_noise)):
        p = torch.from_numpy(sample.logits).softmax(-1).numpy()
        assert sample.choice.tolist() == (p / noise).argmax(1).tolist()
        assert np.exp(sample.log_prob) == pytest.approx(p[np.arange(GAMES), sample.choice])
        assert (sample.choice.dtype, sample.log_prob.dtype) == (np.uint8, np.float32)


def test_without_a_moa_there_are_no_predictions(make_shape):
    inference = make_inference(make_custom(make_shape(), "ScaledFeatures", scale=1.0), GAMES)
    actions, is_first = np.zeros((GAMES, 4), np.uint8), np.zeros(GAMES, np.bool_)
    with pytest.raises(ValueError, match="no model of other agents"):
        inference.predict_others(actions, is_first, inference.initial_state(), np.arange(GAMES))
