"""The critic's gradient is bounded by the policy's where it enters the layers that they share."""

import math

import pytest
import torch
from tests.learner.literal import EXPERIMENTS

from ssd_influence.networks.value_gradient import limit_value_gradient
from ssd_learner.ppo.losses import minibatch_loss
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import stack_games

CPU = torch.device("cpu")


@pytest.fixture
def tensors():
    """Features in float64, and the gradients of a policy's and a critic's loss in them."""
    features = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    return features, torch.randn(3, 4, 5).double(), torch.randn(3, 4, 5).double()


def gradient(features, policy, critic, limit):
    """The gradient of the features, where the losses' own gradients are `policy` and `critic`."""
    for_policy, for_critic = limit_value_gradient(features, limit)
    ((for_policy * policy).sum() + (for_critic * critic).sum()).backward()
    return features.grad


@pytest.mark.parametrize("limit", [0.01, 0.3, 1.0])
def test_a_critic_s_gradient_above_the_limit_is_scaled_down_to_it(tensors, limit):
    features, policy, critic = tensors
    critic = 100 * critic
    of_critic = gradient(features, policy, critic, limit) - policy
    assert of_critic.norm().item() == pytest.approx(limit * policy.norm().item(), rel=1e-9)
    length = of_critic.norm() * critic.norm()
    assert ((of_critic * critic).sum() / length).item() == pytest.approx(1)


@pytest.mark.parametrize("limit", [0.02, 1.0, 7.0, math.inf])
def test_a_critic_s_gradient_below_the_limit_is_not_changed(tensors, limit):
    features, policy, critic = tensors
    critic = 0.01 * critic
    torch.testing.assert_close(gradient(features, policy, critic, limit), policy + critic)


def test_with_a_limit_of_0_the_critic_has_no_gradient(tensors):
    features, policy, critic = tensors
    assert torch.equal(gradient(features, policy, critic, 0.0), policy)


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_where_the_policy_has_no_gradient_the_critic_has_none(tensors, limit):
    features, policy, critic = tensors
    assert not gradient(features, 0 * policy, critic, limit).any()


def test_a_critic_without_a_gradient_changes_nothing(tensors):
    features, policy, critic = tensors
    assert torch.equal(gradient(features, policy, 0 * critic, 1.0), policy)


@pytest.mark.parametrize("limit", [0.0, 1.0, math.inf])
def test_policy_and_critic_read_the_same_features(tensors, limit):
    features, *_ = tensors
    for of in limit_value_gradient(features, limit):
        assert torch.equal(of, features)


# In the network.


def gradients(trainer, segment, **learning):
    """By parameter name, of a minibatch of one segment."""
    trainer.learning = trainer.learning.model_copy(update=learning)
    scheduled = trainer.scheduled_values()
    chunks, _ = make_chunks(trainer, [stack_games([segment], CPU)], scheduled, 4)
    (minibatch,) = chunks.shuffled_minibatches(1)
    loss, _ = minibatch_loss(trainer, minibatch, scheduled, with_moa=False)
    trainer.network.zero_grad(set_to_none=True)
    loss.backward()
    return {
        name: weight.grad
        for name, weight in trainer.network.named_parameters()
        if weight.grad is not None
    }


VALUE_HEADS = ("policy.value.", "policy.communication.value.")


@pytest.mark.parametrize("name", ["A3C", "communication"])
def test_with_a_limit_of_0_critics_train_only_their_own_heads(make_trainer, make_segment, name):
    experiment = EXPERIMENTS[name]
    trainer = make_trainer(algorithm="ppo", experiment=experiment, value_gradient_limit=0.0)
    segment = make_segment(trainer)
    torch.manual_seed(3)
    with_critic = gradients(trainer, segment, value_coefficient=5.0)
    torch.manual_seed(3)
    without = gradients(trainer, segment, value_coefficient=0.0)
    for parameter, found in with_critic.items():
        if parameter.startswith(VALUE_HEADS):
            assert found.any(), parameter
            assert not without[parameter].any(), parameter
        else:
            torch.testing.assert_close(found, without[parameter], rtol=1e-4, atol=1e-7)


@pytest.fixture
def lstm_gradient(make_trainer, make_segment, monkeypatch):
    """The gradient in the LSTM's output, for this coefficient of the value loss."""

    def compute(limit, value_coefficient):
        experiment = EXPERIMENTS["A3C"]
        trainer = make_trainer(algorithm="ppo", experiment=experiment, value_gradient_limit=limit)
        outputs, heads = [], trainer.network.policy._heads

        def recording(h):
            if h.requires_grad:
                h.retain_grad()
            outputs.append(h)
            return heads(h)

        monkeypatch.setattr(trainer.network.policy, "_heads", recording)
        torch.manual_seed(3)
        gradients(trainer, make_segment(trainer), value_coefficient=value_coefficient)
        return outputs[-1].grad

    return compute


@pytest.mark.parametrize("limit", [0.5, 1.0])
def test_a_critic_s_gradient_in_the_lstm_is_bounded_by_the_policy_s(lstm_gradient, limit):
    of_policy, of_both = (lstm_gradient(limit, coefficient) for coefficient in (0.0, 1e4))
    share = (of_both - of_policy).norm() / of_policy.norm()
    assert share.item() == pytest.approx(limit, rel=1e-3)


def test_without_a_limit_it_may_be_far_larger(lstm_gradient):
    of_policy, of_both = (lstm_gradient(math.inf, coefficient) for coefficient in (0.0, 1e4))
    assert (of_both - of_policy).norm() > 10 * of_policy.norm()


def test_vtrace_has_no_limit(make_trainer):
    vtrace = make_trainer(algorithm="vtrace", value_gradient_limit=0.5)
    ppo = make_trainer(algorithm="ppo", value_gradient_limit=0.5)
    assert vtrace.network.policy.value_gradient_limit == math.inf
    assert ppo.network.policy.value_gradient_limit == 0.5
