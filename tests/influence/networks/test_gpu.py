"""No GPU is needed: torch's fake tensors have a device and a shape, and no values.

A tensor made on the wrong device raises, and so does reading a value, for which a GPU would have to
be waited for. `NoSynchronousCopies` raises at copies that wait. The device is called meta: among
devices other than the host, only this one supports slicing and autograd without CUDA.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
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
from ssd_influence.settings import ExperimentSettings

GPU = torch.device("meta")


class NoSynchronousCopies(TorchDispatchMode):
    """Forbids copies from the host that wait for the device: blocking ones, and host indices."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default and not kwargs.get("non_blocking"):
            assert kwargs.get("device") in (None, args[0].device), "a synchronous copy"
        if func is torch.ops.aten.index.Tensor:
            devices = {index.device for index in args[1] if index is not None}
            assert devices == {args[0].device}, "a synchronous copy of an index"
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


WITH_MODEL = [
    name for name, of in EXPERIMENTS.items() if ExperimentSettings.model_validate(of).has_moa
]


@pytest.fixture(params=EXPERIMENTS)
def agent(
    request, make_network, make_shape, make_segment
) -> Iterator[tuple[AgentNetwork, AgentShape, Any]]:
    """A network on the GPU, its shape, and a segment on the host."""
    network, shape = make_network(**EXPERIMENTS[request.param]), make_shape()
    segment = make_segment(network, shape)
    network.to(GPU)
    with FakeTensorMode(allow_non_fake_inputs=True), NoSynchronousCopies():
        yield network, shape, segment


def to_gpu(tensor: Tensor) -> Tensor:
    return tensor.to(GPU, non_blocking=True)


def symbols_at(segment: Any, index: int) -> Tensor | None:
    return None if segment.symbols is None else to_gpu(segment.symbols[index])


def test_reading_a_value_from_the_gpu_raises_here():
    with FakeTensorMode(), pytest.raises(DataDependentOutputException):
        torch.ones(1, device=GPU).item()


def test_an_index_on_the_host_raises_here():
    index = torch.tensor([0, 2])
    with FakeTensorMode(allow_non_fake_inputs=True), NoSynchronousCopies():
        of_all = torch.ones(5, 3, device=GPU)
        with pytest.raises(AssertionError, match="synchronous copy"):
            of_all[:, index]


def test_steps_on_a_gpu_do_not_wait_for_it(agent):
    network, _, segment = agent
    state = network.split_state(network.initial_state(5))
    is_first, actions = to_gpu(segment.is_first[0]), to_gpu(segment.actions[0])
    features = network.features(to_gpu(segment.pixels[0]))
    known = features.policy, actions, is_first, state.policy
    leader_actions = to_gpu(segment.actions[1][:, : len(network.role.leaders)])
    step = network.policy_step(*known, leader_actions, symbols_at(segment, 0))
    symbol = () if step.symbol_logits is None else (step.symbol_logits, step.symbol_value)
    if network.moa is not None:
        known = to_gpu(segment.actions[1]), is_first, state.moa, symbols_at(segment, 1)
        state = state._replace(moa=network.moa.step(features.moa, *known).state)
    flat = network.join_state(state._replace(policy=step.state))
    assert {t.device for t in (step.logits, step.value, flat, *symbol)} == {GPU}


@pytest.mark.parametrize("agent", WITH_MODEL, indirect=True)
def test_counterfactuals_on_a_gpu_do_not_wait_for_it(agent):
    network, _, segment = agent
    state = network.split_state(network.initial_state(5))
    is_first, actions = to_gpu(segment.is_first[0]), to_gpu(segment.actions[0])
    features, rows = network.features(to_gpu(segment.pixels[0])), torch.arange(3, device=GPU)
    known = features.moa, actions, is_first, state.moa
    answer = network.moa.counterfactuals(*known, rows, symbols_at(segment, 1))
    assert {t.device for t in (answer.logits, *answer.state)} == {GPU}


def test_training_on_a_gpu_does_not_wait_for_it(agent):
    network, shape, segment = agent
    actions, is_first, visible = map(to_gpu, (segment.actions, segment.is_first, segment.visible))
    symbols = None if segment.symbols is None else to_gpu(segment.symbols)
    known = to_gpu(segment.pixels), is_first, actions, to_gpu(segment.state)
    unroll = network.unroll(*known, symbols, is_first_host=segment.is_first)
    outputs = [tensor for tensor in unroll if tensor is not None]
    loss = sum(tensor.sum() for tensor in outputs)
    if unroll.moa_logits is not None:
        targets = moa_targets(actions, shape.others)
        mask = moa_targets_mask(is_first, visible, shape.others, only_when_visible=True)
        loss = loss + moa_loss(unroll.moa_logits, targets, mask)
        outputs.append(action_marginal_entropy(targets, mask, shape.num_actions))
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert {t.device for t in (*outputs, loss, *gradients)} == {GPU}
