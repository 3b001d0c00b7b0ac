"""On a GPU the learner does not wait for the device, and float32 is computed in full precision.

The tests need no GPU. They use the meta device, whose tensors have a shape and no numbers, so that
everything that would wait for a number raises. `NoSynchronisation` raises at blocking copies, and
at operations on tensors of both host and device. It records the copies to the device, because one
that does not block may still take its time: it needs pinned memory.
"""

from dataclasses import fields
from importlib import import_module
from typing import ClassVar

import numpy as np
import pytest
import torch
from tests.learner.harness import Harness
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ssd_learner.device import torch_device
from ssd_learner.ppo.losses import minibatch_loss
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.ppo.update import train_ppo
from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import concatenate_time, stack_games
from ssd_learner.vtrace.losses import batch_losses
from ssd_learner.vtrace.update import vtrace_update

GPU = torch.device("meta")
EXPERIMENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "influence": {"influence": "moa", "beta": 0.5, "moa_only_when_visible": True},
    "communication": {"influence": "communication", "symbols": 3, "beta": 0.5},
    "follower, inequity averse": {
        "influence": "basic",
        "leaders": 1,
        "reward": "inequity_averse",
    },
}
COPIES = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default
PPO = {
    "algorithm": "ppo",
    "chunk": 2,
    "minibatch": 20,
    "passes": 2,
    "value_gradient_limit": 0.7,
}


class NoSynchronisation(TorchDispatchMode):
    """Forbids blocking copies, and operations on tensors of both host and device.

    `copied` has the shapes of all tensors that were copied to the device.
    """

    def __init__(self):
        super().__init__()
        self.copied = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        devices = {tensor.device for tensor in tensors if tensor.dim() or tensor.device == GPU}
        if func in COPIES and kwargs.get("device", args[0].device) != args[0].device:
            assert kwargs.get("non_blocking"), "a blocking copy"
            self.copied.append(tuple(args[0].shape))
        elif func in COPIES and len(devices) > 1:
            assert args[2:] == (True,), "a blocking copy"
            self.copied.append(tuple(args[1].shape))
        else:
            assert len(devices) <= 1, f"{func} on tensors of {devices}"
        return func(*args, **kwargs)


class CountedReads:
    """Counts how often numbers are read from the device; all of them are 0."""

    ZEROS: ClassVar = {
        "tolist": lambda of: [0.0] * len(of),
        "item": lambda _: 0.0,
        "cpu": lambda of: torch.zeros(of.shape, dtype=of.dtype),
    }

    def __init__(self, monkeypatch):
        self.count = 0
        for method, zeros in self.ZEROS.items():
            monkeypatch.setattr(Tensor, method, self._counting(getattr(Tensor, method), zeros))

    def _counting(self, original, zeros):
        def read(tensor):
            if tensor.device != GPU:
                return original(tensor)
            self.count += 1
            return zeros(tensor)

        return read


@pytest.fixture(autouse=True)
def _fused_optimizer(monkeypatch):
    """The meta device has the fused kernels of AdamW, like CUDA, and torch does not say so."""
    module = import_module("torch.optim.optimizer")
    monkeypatch.setattr(module, "_get_fused_kernels_supported_devices", lambda: [GPU.type])


@pytest.fixture(params=EXPERIMENTS)
def make_gpu_trainer(request, make_trainer):
    def make(**learning):
        return make_trainer(experiment=EXPERIMENTS[request.param], device=GPU, **learning)

    return make


@pytest.fixture
def segments(make_gpu_trainer, make_segment):
    return [make_segment(make_gpu_trainer(), seed, steps=2, seq=seed + 1) for seed in range(2)]


@pytest.mark.parametrize("make_batch", [stack_games, concatenate_time])
def test_a_batch_is_on_the_device_except_for_starts_of_episodes(segments, make_batch):
    batch = make_batch(segments, GPU)
    tensors = {field.name: getattr(batch, field.name) for field in fields(batch)}
    devices = {name: tensor.device for name, tensor in tensors.items() if tensor is not None}
    assert devices.pop("is_first_host").type == "cpu"
    assert set(devices.values()) == {GPU}


class TestTheseTestsCanFail:
    """Everything that would wait for a real GPU raises."""

    @pytest.mark.parametrize("read", [Tensor.item, Tensor.tolist, bool, Tensor.cpu])
    def test_reading_a_number_raises(self, read):
        errors = RuntimeError, NotImplementedError, AssertionError
        with NoSynchronisation(), pytest.raises(errors):
            read(torch.ones(1, device=GPU))

    @pytest.mark.parametrize(
        "mix",
        [
            lambda host, device: host + device,
            lambda host, device: device[host.long()],
            lambda host, device: host.to(GPU) + device,
            lambda host, device: device.copy_(host),
        ],
        ids=["sum", "index from the host", "blocking copy", "blocking copy in place"],
    )
    def test_mixing_host_and_device_raises(self, mix):
        host, device = torch.zeros(3), torch.ones(3, device=GPU)
        with NoSynchronisation(), pytest.raises(AssertionError):
            mix(host, device)

    def test_a_non_blocking_copy_does_not_raise(self):
        host, device = torch.zeros(3), torch.ones(3, device=GPU)
        with NoSynchronisation():
            device.copy_(host, non_blocking=True)
            assert (host.to(GPU, non_blocking=True) + device).device == GPU


def test_vtrace_losses_and_gradients_are_computed_without_waiting(make_gpu_trainer, segments):
    trainer, batch = make_gpu_trainer(), stack_games(segments, GPU)
    with NoSynchronisation():
        losses = batch_losses(trainer, batch, ScheduledValues(0.001, 0.5, 0.01))
        losses.total.backward()
    parts = [part for part in (losses.action, losses.symbol, losses.moa) if part is not None]
    terms = [getattr(part, field.name) for part in parts for field in fields(part)]
    assert {term.device for term in (losses.total, *terms)} == {GPU}
    assert {weight.grad.device for weight in trainer.network.parameters()} == {GPU}


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_vtrace_update_waits_for_the_device_once_and_copies_nothing_to_it(
    make_gpu_trainer, segments, monkeypatch, optimizer
):
    trainer, batch = make_gpu_trainer(optimizer=optimizer), stack_games(segments, GPU)
    reads = CountedReads(monkeypatch)
    with NoSynchronisation() as watched:
        vtrace_update(trainer, batch)
    assert reads.count == 1
    assert watched.copied == []
    assert trainer.version == 1
    assert trainer.own_steps == batch.own_steps


@pytest.mark.parametrize("advantages", ["gae", "vtrace"])
def test_chunks_are_made_without_waiting(make_gpu_trainer, segments, advantages):
    trainer = make_gpu_trainer(advantages=advantages, **PPO)
    batch = concatenate_time(segments, GPU)
    with NoSynchronisation():
        chunks, measures = make_chunks(trainer, [batch], trainer.scheduled_values(), 2)
        (minibatch, *_) = chunks.shuffled_minibatches(2)
    for some in (chunks, minibatch):
        tensors = {field.name: getattr(some, field.name) for field in fields(some)}
        assert tensors.pop("is_first_host").device.type == "cpu"
        assert {tensor.device for tensor in tree_leaves(tensors) if tensor is not None} == {GPU}
    assert {measure.device for measure in measures.values()} == {GPU}


def test_ppo_losses_and_gradients_are_computed_without_waiting(make_gpu_trainer, segments):
    trainer = make_gpu_trainer(**PPO)
    with NoSynchronisation():
        scheduled = trainer.scheduled_values()
        chunks, _ = make_chunks(trainer, [concatenate_time(segments, GPU)], scheduled, 2)
        (minibatch,) = chunks.shuffled_minibatches(1)
        loss, scalars = minibatch_loss(trainer, minibatch, scheduled, with_moa=True)
        norms = trainer.update(loss, scheduled)
    assert {tensor.device for tensor in (loss, *scalars.values(), *norms.values())} == {GPU}
    assert {weight.grad.device for weight in trainer.network.parameters()} == {GPU}


@pytest.mark.parametrize("make_gpu_trainer", ["influence", "communication"], indirect=True)
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
@pytest.mark.parametrize(("kl_limit", "reads"), [(float("inf"), 1), (0.1, 3)])
def test_a_ppo_batch_waits_for_the_device_once_and_with_a_kl_limit_once_more_per_pass(
    make_gpu_trainer, segments, monkeypatch, kl_limit, reads, optimizer
):
    trainer = make_gpu_trainer(**PPO, kl_limit=kl_limit, optimizer=optimizer)
    counted = CountedReads(monkeypatch)
    with NoSynchronisation():
        report = train_ppo(trainer, [concatenate_time(segments, GPU)], 2, lambda: True)
    assert counted.count == reads
    assert report.passes == 2
    assert trainer.version == 2
    assert trainer.own_steps == 20


def test_a_ppo_batch_copies_only_the_order_of_the_chunks_to_the_device_once_per_pass(
    make_gpu_trainer, segments, monkeypatch
):
    trainer = make_gpu_trainer(**PPO | {"minibatch": 5})
    batch = concatenate_time(segments, GPU)
    CountedReads(monkeypatch)
    with NoSynchronisation() as watched:
        train_ppo(trainer, [batch], 2, lambda: True)
    assert trainer.version == 2 * 4
    assert watched.copied == [(10,), (10,)]


def test_the_default_optimizer_is_fused_and_its_state_is_on_the_device(make_gpu_trainer, segments):
    trainer = make_gpu_trainer()
    with NoSynchronisation():
        losses = batch_losses(trainer, stack_games(segments, GPU), trainer.scheduled_values())
        trainer.update(losses.total, trainer.scheduled_values())
    assert all(group["fused"] for group in trainer.optimizer.param_groups)
    states = trainer.optimizer.state
    assert states.keys() == set(trainer.network.parameters())
    assert {leaf.device for leaf in tree_leaves(list(states.values()))} == {GPU}


def test_weights_are_published_with_one_copy_to_the_host(make_gpu_trainer, tmp_path, monkeypatch):
    harness = Harness(tmp_path, make_gpu_trainer())
    reads = CountedReads(monkeypatch)
    with NoSynchronisation():
        harness.learner.publish_weights()
    assert reads.count == 1
    assert len(harness.links.published) == 1


def test_weights_copied_from_a_device_are_those_of_each_parameter(make_trainer, monkeypatch):
    trainer = make_trainer()
    wanted = trainer.tensors()
    monkeypatch.setattr(trainer, "device", GPU)  # the network stays on the host, with its numbers
    found = trainer.tensors()
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        assert found[name].shape == tensor.shape
        assert (found[name] == tensor).all(), name
        assert not np.shares_memory(found[name], tensor)


def test_weights_on_the_host_are_not_copied(make_trainer):
    trainer = make_trainer()
    parameters = dict(trainer.network.named_parameters())
    for name, tensor in trainer.tensors().items():
        assert np.shares_memory(tensor, parameters[name].detach().numpy())


def test_float32_on_a_gpu_is_not_tf32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert torch_device("cuda:0") == torch.device("cuda:0")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
