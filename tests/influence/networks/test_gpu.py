"""No GPU here: torch's fake tensors know their device and shape, and have no numbers.

So a tensor made on the wrong device raises, and so does all that would wait for a device to learn
a number; and `Unwaiting` raises at copies that would be waited for. The device is called meta: of
those that are not the host, it alone can be sliced and differentiated by a torch that is built
without CUDA.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.influence.rewards.influence_formula import influence_reward
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.networks.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)

GPU = torch.device("meta")


class Unwaiting(TorchDispatchMode):
    """Forbids what sends a tensor from the host and waits: blocking copies, and host indices."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default and not kwargs.get("non_blocking"):
            assert kwargs.get("device") in (None, args[0].device), "a copy is waited for"
        if func is torch.ops.aten.index.Tensor:
            devices = {index.device for index in args[1] if index is not None}
            assert devices == {args[0].device}, "an index from the host is waited for"
        return func(*args, **kwargs)


ROLES = ("influencer", "influencee", "plain", "influencer")
EXPERIMENTS = {
    "a model of others": {"influence": "moa"},
    "influence of symbols by a model": {"influence": "moa_communication", "symbols": 6},
    "symbols": {"influence": "communication", "symbols": 6, "visible_actions": False},
    "leaders": {"influence": "basic", "roles": ROLES},
    "leaders, symbols and a model": {"influence": "basic", "roles": ROLES, "symbols": 6}
    | {"moa_auxiliary": True},
}


@pytest.fixture(params=EXPERIMENTS.values(), ids=EXPERIMENTS)
def agent(
    request, make_network, make_shape, make_segment
) -> Iterator[tuple[AgentNetwork, AgentShape, Any]]:
    """An agent on the GPU, with its shape and a segment that is still on the host."""
    network, shape = make_network(**request.param), make_shape()
    segment = make_segment(network, shape)
    network.to(GPU)
    with FakeTensorMode(allow_non_fake_inputs=True), Unwaiting():
        yield network, shape, segment


def there(tensor: Tensor) -> Tensor:
    return tensor.to(GPU, non_blocking=True)


def test_a_number_on_the_gpu_cannot_be_asked_for():
    with FakeTensorMode(), pytest.raises(DataDependentOutputException):
        torch.ones(1, device=GPU).item()


def test_an_index_from_the_host_is_waited_for():
    index = torch.tensor([0, 2])
    with FakeTensorMode(allow_non_fake_inputs=True), Unwaiting():
        of_all = torch.ones(5, 3, device=GPU)
        with pytest.raises(AssertionError, match="waited for"):
            of_all[:, index]


def said_at(segment: Any, index: int) -> Tensor | None:
    return None if segment.symbols is None else there(segment.symbols[index])


def test_an_agent_lives_on_a_gpu_without_waiting_for_it(agent):
    network, _, segment = agent
    state = network.split_state(network.initial_state(5))
    is_first, actions = there(segment.is_first[0]), there(segment.actions[0])
    features = network.features(there(segment.pixels[0]))
    known = features.policy, actions, is_first, state.policy
    leaders = there(segment.actions[1][:, : len(network.part.follows)])
    step = network.policy_step(*known, leaders, said_at(segment, 0))
    said = () if step.symbol_logits is None else (step.symbol_logits, step.symbol_value)
    if network.moa is not None:
        heard = there(segment.actions[1]), is_first, state.moa, said_at(segment, 1)
        state = state._replace(moa=network.moa.step(features.moa, *heard).state)
    joined = network.join_state(state._replace(policy=step.state))
    assert {t.device for t in (step.logits, step.value, joined, *said)} == {GPU}


def test_an_agent_reckons_its_influence_on_a_gpu_without_waiting_for_it(agent):
    network, shape, segment = agent
    if network.moa is None:
        return
    state = network.split_state(network.initial_state(5))
    is_first, actions = there(segment.is_first[0]), there(segment.actions[0])
    features, rows = network.features(there(segment.pixels[0])), torch.arange(3, device=GPU)
    known = features.moa, actions, is_first, state.moa
    imagined = network.moa.counterfactuals(*known, rows, said_at(segment, 1))
    others = there(torch.tensor(shape.others))
    for divergence in ("kl", "jsd", "pmi"):
        reward = influence_reward(
            imagined.logits,
            torch.zeros(3, network.moa.alternatives, device=GPU),
            actions[rows, shape.agent],
            there(segment.visible[0])[rows][:, others],
            divergence,
            actions[rows][:, others],
        )
        assert reward.device == GPU


def test_an_agent_learns_on_a_gpu_without_waiting_for_it(agent):
    network, shape, segment = agent
    actions, is_first, visible = map(there, (segment.actions, segment.is_first, segment.visible))
    symbols = None if segment.symbols is None else there(segment.symbols)
    known = there(segment.pixels), segment.is_first, actions, there(segment.state)
    unroll = network.unroll(*known, symbols)
    learnt = [of for of in unroll if of is not None]
    loss = sum(of.sum() for of in learnt)
    if unroll.moa_logits is not None:
        targets = moa_targets(actions, shape.others)
        mask = moa_targets_mask(is_first, visible, shape.others, only_when_visible=True)
        loss = loss + moa_loss(unroll.moa_logits, targets, mask)
        learnt.append(action_marginal_entropy(targets, mask, shape.num_actions))
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert {t.device for t in (*learnt, loss, *gradients)} == {GPU}
