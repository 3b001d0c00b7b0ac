"""The whole network: `unroll` against single steps, what reaches the policy, sizes and state."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from ssd_influence.networks.agent_network import AgentNetwork, Unroll
from ssd_influence.settings import ExperimentSettings, NetworkSettings

CLOSE = {"rtol": 0, "atol": 1e-5}
STEPS = 11
MIXED = ("influencer", "influencee", "plain", "influencer")
EXPERIMENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "a model of others": {"influence": "moa"},
    "leaders among visible others": {"influence": "basic", "roles": MIXED},
    "leaders alone": {"influence": "basic", "leaders": 1, "visible_actions": False},
    "symbols": {"influence": "communication", "symbols": 6, "visible_actions": False},
    "influence of symbols by a model": {"influence": "moa_communication", "symbols": 6},
    "leaders, symbols and a model": {"roles": MIXED, "symbols": 6, "moa_auxiliary": True}
    | {"influence": "basic"},
}


def step_by_step(network, segment) -> Unroll:
    """The outputs of the step functions, each [T+1, …]."""
    leaders = list(network.role.leaders)
    steps, predictions = [], []
    state = network.split_state(segment.state)
    with torch.inference_mode():
        for t, pixels_t in enumerate(segment.pixels):
            is_first_t, actions_tm1, actions_t = segment.is_first[t], *segment.actions[t : t + 2]
            symbols_tm1, symbols_t = None, None
            if segment.symbols is not None:
                symbols_tm1, symbols_t = segment.symbols[t], segment.symbols[min(t + 1, STEPS)]
            features = network.features(pixels_t)
            known = features.policy, actions_tm1, is_first_t, state.policy
            step = network.policy_step(*known, actions_t[:, leaders], symbols_tm1)
            state = state._replace(policy=step.state)
            if network.moa is not None:
                known = features.moa, actions_t, is_first_t, state.moa, symbols_t
                prediction = network.moa.step(*known)
                state = state._replace(moa=prediction.state)
                predictions.append(prediction.logits)
            steps.append(step)
    logits, values, _, *symbol_heads = zip(*steps, strict=True)
    of_moa = predictions if network.moa is not None else [None]
    known = (stacked(of) for of in (logits, values, of_moa))
    return Unroll(*known, network.join_state(state), *map(stacked, symbol_heads))


def stacked(steps: Sequence[Tensor | None]) -> Tensor | None:
    return None if steps[0] is None else torch.stack(list(steps))


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_unroll_equals_single_steps_with_episode_starts_anywhere(
    make_network, make_shape, make_segment, experiment
):
    network = make_network(**experiment)
    segment = make_segment(network, make_shape())
    known = segment.pixels, segment.is_first, segment.actions, segment.state
    unroll = network.unroll(*known, segment.symbols)
    for name, found, wanted in zip(
        unroll._fields, unroll, step_by_step(network, segment), strict=True
    ):
        if found is None:
            assert wanted is None
            continue
        if name == "state":  # single steps include one more prediction
            of_policy = sum(network.cells[:2])
            torch.testing.assert_close(found[:, :of_policy], wanted[:, :of_policy], **CLOSE)
            continue
        end = STEPS if name == "moa_logits" else STEPS + 1
        assert found.shape[0] == end
        torch.testing.assert_close(found, wanted[:end], **CLOSE)
        assert found.std() > 0.1 or "value" in name  # the values are not all close to 0
    assert (unroll.symbol_logits is not None) == ("symbols" in experiment)
    assert (unroll.moa_logits is not None) == (network.moa is not None)


def test_no_state_is_carried_into_the_next_episode(make_network, make_shape, make_segment):
    network = make_network()
    one, other = (make_segment(network, make_shape()) for _ in range(2))
    start, game = 4, 1
    for name, begins in (("pixels", start), ("actions", start + 1)):
        getattr(other, name)[begins:, game] = getattr(one, name)[begins:, game]
    a, b = (network.unroll(s.pixels, s.is_first, s.actions, s.state) for s in (one, other))
    for before, after in ((a.policy_logits, b.policy_logits), (a.moa_logits, b.moa_logits)):
        torch.testing.assert_close(before[start:, game], after[start:, game], **CLOSE)
        assert not torch.allclose(before[start - 1, game], after[start - 1, game], atol=1e-3)


def test_games_of_a_batch_are_independent(make_network, make_shape, make_segment):
    network = make_network()
    segment = make_segment(network, make_shape())
    together = network.unroll(segment.pixels, segment.is_first, segment.actions, segment.state)
    game = slice(3, 4)
    alone = network.unroll(
        segment.pixels[:, game],
        segment.is_first[:, game],
        segment.actions[:, game],
        segment.state[game],
    )
    for one, all_ in zip(alone[:3], together[:3], strict=True):
        torch.testing.assert_close(one, all_[:, game], **CLOSE)


def policy_logits(network, actions_tm1: Tensor, is_first: bool) -> Tensor:
    pixels = torch.zeros(1, 9, 9, dtype=torch.uint8)
    state = network.split_state(torch.ones(1, network.state_size)).policy
    features = network.features(pixels).policy
    return network.policy_step(features, actions_tm1, torch.tensor([is_first]), state).logits


@pytest.mark.parametrize("influence", ["off", "moa"])
@pytest.mark.parametrize("moa_auxiliary", [False, True])
def test_the_policy_s_inputs_include_each_other_agent_s_last_action_with_any_moa(
    make_network, influence, moa_auxiliary
):
    network = make_network(influence=influence, moa_auxiliary=moa_auxiliary)
    actions = torch.tensor([[3, 0, 2, 6]])
    for other in (0, 2, 3):
        changed = actions.clone()
        changed[0, other] = 5
        logits, logits_changed = (
            policy_logits(network, a, is_first=False) for a in (actions, changed)
        )
        assert not torch.allclose(logits, logits_changed, atol=1e-4)


def test_the_policy_s_inputs_do_not_include_its_own_last_action(make_network):
    network = make_network()
    actions, changed = torch.tensor([[3, 0, 2, 6]]), torch.tensor([[3, 5, 2, 6]])
    assert torch.equal(*(policy_logits(network, a, is_first=False) for a in (actions, changed)))


def test_with_invisible_actions_the_policy_s_inputs_include_no_actions(make_network):
    network = make_network(influence="off", visible_actions=False)
    actions, changed = torch.tensor([[3, 0, 2, 6]]), torch.tensor([[5, 0, 1, 1]])
    assert torch.equal(*(policy_logits(network, a, is_first=False) for a in (actions, changed)))


@pytest.mark.parametrize("action", range(7))
def test_at_an_episode_s_start_all_action_inputs_are_zero(make_network, action):
    network = make_network()
    at_start = policy_logits(network, torch.full((1, 4), action), is_first=True)
    with torch.no_grad():
        network.policy.lstm.weight_ih_l0[:, 13:] = 0  # the columns of the action inputs
    assert torch.equal(at_start, policy_logits(network, torch.zeros(1, 4).long(), is_first=True))


def test_features_are_those_of_the_palette_s_colours_convolved(make_network, make_shape):
    network, palette = make_network(), make_shape().palette
    pixels = torch.randint(0, len(palette), (2, 3, 9, 9), dtype=torch.uint8)
    rgb = torch.from_numpy(palette[pixels.numpy()].astype(np.float32) / 255)
    planes = network.conv(rgb.flatten(0, 1).permute(0, 3, 1, 2)).relu()
    windows = planes.permute(0, 2, 3, 1).reshape(2, 3, -1)  # by window, then by channel
    features = network.features(pixels)
    for torso, found in (
        (network.policy.torso, features.policy),
        (network.moa.torso, features.moa),
    ):
        torch.testing.assert_close(found, torso(torso.fc1(windows).relu()), **CLOSE)


def test_the_paper_s_network_has_the_paper_s_sizes(make_shape):
    shape = dataclasses.replace(make_shape(0, num_agents=5, num_actions=9), view=15)
    network = AgentNetwork(shape, NetworkSettings(), ExperimentSettings(influence="moa"))
    sizes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    lstms = {
        f"{part}.lstm.{name}": (512, columns) if columns else (512,)
        for part, inputs in (("policy", 32 + 4 * 9), ("moa", 32 + 5 * 9))
        for name, columns in (
            ("weight_ih_l0", inputs),
            ("weight_hh_l0", 128),
            ("bias_ih_l0", 0),
            ("bias_hh_l0", 0),
        )
    }
    layers = {"conv": (6, 3, 3, 3), "policy.logits": (9, 128), "policy.value": (1, 128)} | {
        "moa.logits": (4 * 9, 128)
    }
    for part in ("policy", "moa"):
        layers |= {f"{part}.torso.fc1": (32, 6 * 13 * 13), f"{part}.torso.fc2": (32, 32)}
    for name, weight in layers.items():
        lstms |= {f"{name}.weight": weight, f"{name}.bias": weight[:1]}
    assert sizes == lstms


def test_without_a_moa_there_are_no_weights_and_no_state_of_one(make_network):
    network = make_network(influence="off")
    assert not [name for name in network.state_dict() if name.startswith("moa")]
    assert network.state_size == 2 * 17
    assert network.split_state(network.initial_state(3)).moa is None
    assert network.features(torch.zeros(3, 9, 9, dtype=torch.uint8)).moa is None


def test_the_flat_state_is_h_and_c_of_the_policy_then_of_the_moa(make_network):
    network = make_network()
    assert network.state_size == 2 * 17 + 2 * 19
    flat = torch.randn(3, network.state_size)
    state = network.split_state(flat)
    assert torch.equal(state.policy.c, flat[:, 17:34])
    assert torch.equal(state.moa.h, flat[:, 34:53])
    assert torch.equal(network.join_state(state), flat)
    assert torch.equal(network.initial_state(3), torch.zeros_like(flat))


def test_a_new_agent_s_policy_is_nearly_uniform(make_shape):
    network = AgentNetwork(make_shape(), NetworkSettings(), ExperimentSettings())
    logits = policy_logits(network, torch.zeros(1, 4).long(), is_first=True)
    assert logits.softmax(-1).max() < 1.05 / 7


@pytest.mark.parametrize("other", [1, 2, 9, 10, 11])
def test_each_of_twelve_agents_has_its_own_input_columns(make_network, make_shape, other):
    shape = make_shape(agent=0, num_agents=12)
    network = make_network(shape)
    column = 13 + shape.others.index(other) * 7 + 4  # of action 4 of `other`
    actions = torch.zeros(1, 12, dtype=torch.uint8)
    actions[0, other] = 4
    before = policy_logits(network, actions, is_first=False)
    with torch.no_grad():
        network.policy.lstm.weight_ih_l0[:, column] += 1
    assert not torch.allclose(before, policy_logits(network, actions, is_first=False), atol=1e-3)


def test_unroll_needs_is_first_on_the_host(make_network, make_shape, make_segment):
    network = make_network()
    segment = make_segment(network, make_shape())
    on_device = segment.is_first.to("meta")
    known = segment.pixels, on_device, segment.actions, segment.state
    for other in ({}, {"is_first_host": on_device}):
        with pytest.raises(ValueError, match="is_first_host: wanted it on the host, found meta"):
            network.unroll(*known, **other)


def test_an_agent_alone_cannot_have_a_moa(make_network, make_shape):
    alone = make_shape(agent=0, num_agents=1)
    with pytest.raises(ValueError, match="needs another agent"):
        make_network(alone)
    network = make_network(alone, influence="off")
    assert policy_logits(network, torch.zeros(1, 1).long(), is_first=False).shape == (1, 7)
