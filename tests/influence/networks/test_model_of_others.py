import pytest
import torch
from tests.influence.rewards.influence_formula import influence_reward
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
def moment(request, make_network, make_shape, make_segment):
    """An agent and what it knows of one step t: (network, features, actions, is_first, state)."""
    shape = make_shape(*request.param)
    network = make_network(shape)
    segment = make_segment(network, shape)
    features = network.features(segment.pixels[0]).moa
    state = network.split_state(segment.state).moa
    return network, features.detach(), segment.actions[1], segment.is_first[0], state


def by_brute_force(network, features, actions, is_first, state) -> Tensor:
    """[B, A, J, A]: the whole step again for every action ã."""
    answers = []
    for tilde in range(network.moa.num_actions):
        instead = actions.clone()
        instead[:, network.moa.agent] = tilde
        answers.append(network.moa.step(features, instead, is_first, state).logits)
    return torch.stack(answers, 1)


def test_factorised_counterfactuals_are_those_of_brute_force(moment):
    network = moment[0]
    answer = network.moa.counterfactuals(*moment[1:])
    torch.testing.assert_close(answer.logits, by_brute_force(*moment), **CLOSE)
    assert answer.logits.std(1).max() > 0.01  # else no action would make a difference


@pytest.mark.parametrize("place", range(3))
def test_a_prediction_is_of_the_agent_and_action_it_stands_for(make_network, place):
    network = make_network()
    zeros = network.split_state(network.initial_state(1)).moa
    known = torch.zeros(1, 13), torch.zeros(1, 4).long(), torch.tensor([False]), zeros
    before = network.moa.step(*known).logits
    with torch.no_grad():
        network.moa.logits.bias[place * 7 + 5] += 1
    more = torch.zeros(1, 3, 7)
    more[0, place, 5] = 1
    torch.testing.assert_close(network.moa.step(*known).logits, before + more, **CLOSE)


def test_the_state_goes_on_from_what_really_happened_and_is_none_of_the_imagined(moment):
    network, features, actions, is_first, state = moment
    answer = network.moa.counterfactuals(features, actions, is_first, state)
    lived = network.moa.step(features, actions, is_first, state)
    torch.testing.assert_close(answer.state, lived.state, **CLOSE)
    own = actions[:, network.moa.agent].long()
    torch.testing.assert_close(answer.logits[torch.arange(5), own], lived.logits, **CLOSE)


def test_imagining_changes_nothing_that_is_remembered(moment):
    network, features, actions, is_first, state = moment
    known = (features, actions, is_first, *state, *network.parameters())
    before = [tensor.clone() for tensor in known]
    network.moa.counterfactuals(features, actions, is_first, state)
    assert all(torch.equal(a, b) for a, b in zip(known, before, strict=True))


def test_some_games_can_be_asked_about_while_the_state_goes_on_in_all(moment):
    network = moment[0]
    everywhere = network.moa.counterfactuals(*moment[1:])
    rows = torch.tensor([1, 4])
    somewhere = network.moa.counterfactuals(*moment[1:], rows)
    torch.testing.assert_close(somewhere.logits, everywhere.logits[rows], **CLOSE)
    torch.testing.assert_close(somewhere.state, everywhere.state, **CLOSE)


def test_the_policy_is_the_same_whether_or_not_influence_is_reckoned(
    make_network, make_shape, make_segment
):
    network = make_network()
    segment = make_segment(network, make_shape())

    def live(reckon: bool) -> tuple[list[Tensor], Tensor]:
        logits, state = [], network.split_state(segment.state)
        for t in range(len(segment.pixels)):
            seen = network.features(segment.pixels[t])
            known = segment.actions[t + 1], segment.is_first[t], state.moa
            advance = network.moa.counterfactuals if reckon else network.moa.step
            step = network.policy_step(
                seen.policy, segment.actions[t], segment.is_first[t], state.policy
            )
            state = state._replace(policy=step.state, moa=advance(seen.moa, *known).state)
            logits.append(step.logits)
        return logits, network.join_state(state)

    with torch.inference_mode():
        (logits, state), (logits_reckoned, state_reckoned) = live(False), live(True)
    assert torch.equal(torch.stack(logits), torch.stack(logits_reckoned))
    torch.testing.assert_close(state, state_reckoned, **CLOSE)


def test_all_of_the_moa_learns_and_the_convolution_with_it_but_nothing_of_the_policy(
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


def test_influence_is_a_number_and_no_path_for_gradients(moment):
    network, features, actions, is_first, state = moment
    answer = network.moa.counterfactuals(features.requires_grad_(), actions, is_first, state)
    reward = influence_reward(
        answer.logits,
        torch.zeros(5, network.moa.num_actions),
        actions[:, network.moa.agent],
        torch.ones(5, network.moa.num_agents - 1, dtype=torch.bool),
        "kl",
    )
    assert not reward.requires_grad


def test_a_moa_learns_that_others_answer_to_what_its_agent_did(
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
