"""The model of other agents: factorised counterfactuals against brute force, and what it learns."""

import pytest
import torch
from torch import Tensor

from ssd_influence.networks.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)

CLOSE = {"rtol": 0, "atol": 1e-5}
AGENTS = [(0, 4, 7), (1, 4, 7), (3, 4, 7), (10, 12, 8)]


@pytest.fixture(params=AGENTS, ids=lambda a: f"agent {a[0]} of {a[1]}, {a[2]} actions")
def step_t(request, make_network, make_shape, make_segment):
    """A network and the inputs of its model at one step: features, actions, is_first, state."""
    shape = make_shape(*request.param)
    network = make_network(shape)
    segment = make_segment(network, shape)
    features = network.features(segment.pixels[0]).moa
    state = network.split_state(segment.state).moa
    return network, features.detach(), segment.actions[1], segment.is_first[0], state


def by_brute_force(network, features, actions, is_first, state) -> Tensor:
    """[B, A, J, A]: the whole step again for every action ã."""
    logits = []
    for tilde in range(network.moa.num_actions):
        replaced = actions.clone()
        replaced[:, network.moa.agent] = tilde
        logits.append(network.moa.step(features, replaced, is_first, state).logits)
    return torch.stack(logits, 1)


def test_factorised_counterfactuals_equal_those_of_brute_force(step_t):
    network = step_t[0]
    answer = network.moa.counterfactuals(*step_t[1:])
    torch.testing.assert_close(answer.logits, by_brute_force(*step_t), **CLOSE)
    assert answer.logits.std(1).max() > 0.01  # the actions make a difference


@pytest.mark.parametrize("place", range(3))
def test_each_logit_is_of_its_own_agent_and_action(make_network, place):
    network = make_network()
    zeros = network.split_state(network.initial_state(1)).moa
    known = torch.zeros(1, 13), torch.zeros(1, 4).long(), torch.tensor([False]), zeros
    before = network.moa.step(*known).logits
    with torch.no_grad():
        network.moa.logits.bias[place * 7 + 5] += 1
    more = torch.zeros(1, 3, 7)
    more[0, place, 5] = 1
    torch.testing.assert_close(network.moa.step(*known).logits, before + more, **CLOSE)


def test_the_state_advances_by_the_real_action_not_by_a_counterfactual_one(step_t):
    network, features, actions, is_first, state = step_t
    answer = network.moa.counterfactuals(features, actions, is_first, state)
    real = network.moa.step(features, actions, is_first, state)
    torch.testing.assert_close(answer.state, real.state, **CLOSE)
    own = actions[:, network.moa.agent].long()
    torch.testing.assert_close(answer.logits[torch.arange(5), own], real.logits, **CLOSE)


def test_counterfactuals_change_no_input_and_no_weight(step_t):
    network, features, actions, is_first, state = step_t
    known = (features, actions, is_first, *state, *network.parameters())
    before = [tensor.clone() for tensor in known]
    network.moa.counterfactuals(features, actions, is_first, state)
    assert all(torch.equal(a, b) for a, b in zip(known, before, strict=True))


def test_counterfactuals_of_some_games_advance_the_state_in_all(step_t):
    network = step_t[0]
    of_all = network.moa.counterfactuals(*step_t[1:])
    rows = torch.tensor([1, 4])
    of_some = network.moa.counterfactuals(*step_t[1:], rows)
    torch.testing.assert_close(of_some.logits, of_all.logits[rows], **CLOSE)
    torch.testing.assert_close(of_some.state, of_all.state, **CLOSE)


def test_computing_counterfactuals_does_not_change_the_policy(
    make_network, make_shape, make_segment
):
    network = make_network()
    segment = make_segment(network, make_shape())

    def run(with_counterfactuals: bool) -> tuple[list[Tensor], Tensor]:
        logits, state = [], network.split_state(segment.state)
        for t in range(len(segment.pixels)):
            features = network.features(segment.pixels[t])
            known = segment.actions[t + 1], segment.is_first[t], state.moa
            advance = network.moa.counterfactuals if with_counterfactuals else network.moa.step
            step = network.policy_step(
                features.policy, segment.actions[t], segment.is_first[t], state.policy
            )
            state = state._replace(policy=step.state, moa=advance(features.moa, *known).state)
            logits.append(step.logits)
        return logits, network.join_state(state)

    with torch.inference_mode():
        (logits, state), (logits_with, state_with) = run(False), run(True)
    assert torch.equal(torch.stack(logits), torch.stack(logits_with))
    torch.testing.assert_close(state, state_with, **CLOSE)


def test_the_moa_s_loss_trains_all_of_the_moa_and_the_convolution_and_nothing_of_the_policy(
    make_network, make_shape, make_segment
):
    network, shape = make_network(), make_shape()
    segment = make_segment(network, shape)
    unroll = network.unroll(segment.pixels, segment.is_first, segment.actions, segment.state)
    targets = moa_targets(segment.actions, shape.others)
    moa_loss(unroll.moa_logits, targets, torch.ones_like(targets, dtype=torch.bool)).backward()
    for name, parameter in network.named_parameters():
        learns = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        assert learns == (not name.startswith("policy.")), name


def test_no_gradient_flows_through_counterfactuals(step_t):
    network, features, actions, is_first, state = step_t
    answer = network.moa.counterfactuals(features.requires_grad_(), actions, is_first, state)
    assert not any(tensor.requires_grad for tensor in (answer.logits, *answer.state))


def test_a_moa_learns_that_others_react_to_its_agent_s_action(
    make_network, make_shape, make_segment
):
    """Every other agent j does at t+1 what this one did at t, plus j."""
    network, shape = make_network(), make_shape()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        segment = make_segment(network, shape)
        for j in shape.others:
            segment.actions[1:, :, j] = (segment.actions[:-1, :, shape.agent] + j) % 7
        targets = moa_targets(segment.actions, shape.others)
        mask = moa_targets_mask(segment.is_first, segment.visible, shape.others, False)
        unroll = network.unroll(segment.pixels, segment.is_first, segment.actions, segment.state)
        loss = moa_loss(unroll.moa_logits, targets, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5 * action_marginal_entropy(targets, mask, shape.num_actions)
