"""Untested on a real GPU: here torch's fake tensors know their device and shape, and no numbers.

A tensor made on the wrong device raises, and so does all that would wait for a device to learn a
number. The device is called meta: of those that are not the host, it alone can be sliced and
differentiated by a torch that is built without CUDA.
"""

from dataclasses import fields

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from ssd_learner.batch import collate
from ssd_learner.losses import losses, vtrace_update
from ssd_learner.report import Weights

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


@pytest.fixture(params=EXPERIMENTS)
def trainer(request, make_trainer):
    """A trainer that has moved to the GPU."""
    made = make_trainer(experiment=EXPERIMENTS[request.param], optimizer="rmsprop")
    made.device = GPU
    made.network.to(GPU)
    made.optimizer = torch.optim.RMSprop(made.network.parameters(), foreach=True)
    return made


@pytest.fixture
def batch(trainer, make_segment):
    return collate([make_segment(trainer, seed, seq=seed + 1) for seed in range(2)], GPU)


def test_a_batch_is_on_the_device_but_for_where_episodes_start(batch):
    there = {field.name: getattr(batch, field.name) for field in fields(batch)}
    devices = {name: tensor.device for name, tensor in there.items() if tensor is not None}
    assert devices.pop("first_host").type == "cpu"
    assert set(devices.values()) == {GPU}


def test_losses_and_gradients_are_made_on_the_device_without_waiting_for_it(trainer, batch):
    with FakeTensorMode(allow_non_fake_inputs=True):
        learning, experiment = trainer.learning, trainer.experiment
        loss = losses(
            trainer.network, batch, trainer.shape, experiment, learning, Weights(0.001, 0.5, 0.01)
        )
        loss.total.backward()
    heads = [head for head in (loss.acting, loss.speaking) if head is not None]
    terms = [loss.total, loss.moa, loss.moa_marginal]
    terms += [getattr(head, field.name) for head in heads for field in fields(head)]
    assert {term.device for term in terms} == {GPU}
    assert {weight.grad.device for weight in trainer.network.parameters()} == {GPU}


def test_an_update_waits_for_the_device_once_when_all_is_done(trainer, batch):
    wants_numbers = pytest.raises(DataDependentOutputException)  # for its report
    with FakeTensorMode(allow_non_fake_inputs=True), wants_numbers:
        vtrace_update(trainer, batch)
    assert trainer.version == 1
    assert trainer.own_steps == batch.steps
