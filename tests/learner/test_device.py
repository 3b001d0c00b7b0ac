"""On a GPU nothing is waited for, and float32 is float32.

No GPU is needed: tensors here that are on one know their device and shape, and no numbers. So all
that would wait for the device to learn a number raises. `Unwaiting` raises at copies that
would be waited for, and where something on the host meets something on the device. The device is
called meta: of those that are not the host, it alone can be sliced and differentiated by a torch
that is built without CUDA.
"""

from dataclasses import fields

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ssd_learner import cli
from ssd_learner.ppo import update as ppo
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import concatenate_time, stack_games
from ssd_learner.vtrace.losses import losses, vtrace_update

GPU = torch.device("meta")
EXPERIMENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "influence": {"influence": "moa", "beta": 0.5, "moa_only_when_visible": True},
    "communication": {"influence": "communication", "symbols": 3, "beta": 0.5},
    "led, and averse to inequity": {
        "influence": "basic",
        "leaders": 1,
        "reward": "inequity_averse",
    },
}
COPIES = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default
PPO = {"algorithm": "ppo", "chunk": 2, "minibatch": 20, "passes": 2, "value_pull": 0.7}


class Unwaiting(TorchDispatchMode):
    """Forbids copies that are waited for, and host and device in one operation."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        devices = {tensor.device for tensor in tensors if tensor.dim() or tensor.device == GPU}
        if func in COPIES and kwargs.get("device", args[0].device) != args[0].device:
            assert kwargs.get("non_blocking"), "a copy is waited for"
        elif func in COPIES and len(devices) > 1:
            assert args[2:] == (True,), "a copy is waited for"
        else:
            assert len(devices) <= 1, f"{func} of what is on {devices}"
        return func(*args, **kwargs)


class Asked:
    """How often a number on the GPU was asked for; all are 0."""

    def __init__(self, monkeypatch):
        self.times = 0
        for way, nothing in (("tolist", lambda of: [0.0] * len(of)), ("item", lambda _: 0.0)):
            monkeypatch.setattr(Tensor, way, self.counting(getattr(Tensor, way), nothing))

    def counting(self, really, nothing):
        def ask(tensor):
            if tensor.device != GPU:
                return really(tensor)
            self.times += 1
            return nothing(tensor)

        return ask


@pytest.fixture(params=EXPERIMENTS)
def make_there(request, make_trainer):
    """Makes trainers that live on the GPU."""

    def make(**learning):
        experiment = EXPERIMENTS[request.param]
        return make_trainer(experiment=experiment, device=GPU, optimizer="rmsprop", **learning)

    return make


@pytest.fixture
def segments(make_there, make_segment):
    return [make_segment(make_there(), seed, steps=2, seq=seed + 1) for seed in range(2)]


@pytest.mark.parametrize("put_together", [stack_games, concatenate_time])
def test_a_batch_is_on_the_device_but_for_where_episodes_start(segments, put_together):
    batch = put_together(segments, GPU)
    there = {field.name: getattr(batch, field.name) for field in fields(batch)}
    devices = {name: tensor.device for name, tensor in there.items() if tensor is not None}
    assert devices.pop("is_first_host").type == "cpu"
    assert set(devices.values()) == {GPU}


class TestTheTestsBelowCanFail:
    """Whatever makes a real GPU's user wait raises."""

    @pytest.mark.parametrize("ask", [Tensor.item, Tensor.tolist, bool, Tensor.cpu])
    def test_at_a_number_that_is_asked_for(self, ask):
        with Unwaiting(), pytest.raises((RuntimeError, NotImplementedError, AssertionError)):
            ask(torch.ones(1, device=GPU))

    @pytest.mark.parametrize(
        "mix",
        [
            lambda here, there: here + there,
            lambda here, there: there[here.long()],
            lambda here, there: here.to(GPU) + there,
            lambda here, there: there.copy_(here),
        ],
        ids=["a sum", "an index from the host", "a copy that is waited for", "one in place"],
    )
    def test_where_host_and_device_meet(self, mix):
        here, there = torch.zeros(3), torch.ones(3, device=GPU)
        with Unwaiting(), pytest.raises(AssertionError):
            mix(here, there)

    def test_but_not_at_a_copy_that_is_not_waited_for(self):
        here, there = torch.zeros(3), torch.ones(3, device=GPU)
        with Unwaiting():
            there.copy_(here, non_blocking=True)
            assert (here.to(GPU, non_blocking=True) + there).device == GPU


def test_losses_and_gradients_are_made_on_the_device_without_waiting_for_it(make_there, segments):
    trainer, batch = make_there(), stack_games(segments, GPU)
    with Unwaiting():
        learning, experiment = trainer.learning, trainer.experiment
        loss = losses(
            trainer.network,
            batch,
            trainer.shape,
            experiment,
            learning,
            ScheduledValues(0.001, 0.5, 0.01),
        )
        loss.total.backward()
    heads = [head for head in (loss.acting, loss.speaking) if head is not None]
    terms = [loss.total, loss.moa, loss.moa_marginal]
    terms += [getattr(head, field.name) for head in heads for field in fields(head)]
    assert {term.device for term in terms} == {GPU}
    assert {weight.grad.device for weight in trainer.network.parameters()} == {GPU}


def test_an_update_waits_for_the_device_once_when_all_is_done(make_there, segments, monkeypatch):
    trainer, batch = make_there(), stack_games(segments, GPU)
    asked = Asked(monkeypatch)
    with Unwaiting():
        vtrace_update(trainer, batch)
    assert asked.times == 1
    assert trainer.version == 1
    assert trainer.own_steps == batch.steps


def test_chunks_are_made_on_the_device_without_waiting_for_it(make_there, segments):
    trainer = make_there(**PPO)
    with Unwaiting():
        chunks, numbers = make_chunks(
            trainer, [concatenate_time(segments, GPU)], trainer.scheduled_values(), 2
        )
        (part, *_) = chunks.shuffled(2)
    for some in (chunks, part):
        there = {field.name: getattr(some, field.name) for field in fields(some)}
        assert there.pop("is_first_host").device.type == "cpu"
        assert {tensor.device for tensor in tree_leaves(there) if tensor is not None} == {GPU}
    assert {number.device for number in numbers.values()} == {GPU}


def test_ppo_s_losses_and_gradients_are_made_on_the_device_without_waiting_for_it(
    make_there, segments
):
    trainer = make_there(**PPO)
    with Unwaiting():
        weights = trainer.scheduled_values()
        chunks, _ = make_chunks(trainer, [concatenate_time(segments, GPU)], weights, 2)
        (part,) = chunks.shuffled(1)
        loss, numbers = ppo.losses(trainer, part, weights, moa=True)
        norms = trainer.update(loss, weights)
    assert {tensor.device for tensor in (loss, *numbers.values(), *norms.values())} == {GPU}
    assert {weight.grad.device for weight in trainer.network.parameters()} == {GPU}


@pytest.mark.parametrize("make_there", ["influence", "communication"], indirect=True)
@pytest.mark.parametrize(("kl_limit", "times"), [(float("inf"), 1), (0.1, 3)])
def test_a_batch_waits_for_the_device_once_and_once_a_pass_where_kl_has_a_limit(
    make_there, segments, monkeypatch, kl_limit, times
):
    trainer = make_there(**PPO, kl_limit=kl_limit)
    asked = Asked(monkeypatch)
    with Unwaiting():
        report = ppo.learn(trainer, [concatenate_time(segments, GPU)], 2, lambda: True)
    assert asked.times == times
    assert report.passes == 2
    assert trainer.version == 2
    assert trainer.own_steps == 20


def test_float32_on_a_gpu_is_not_tf32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert cli.torch_device("cuda:0") == torch.device("cuda:0")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
