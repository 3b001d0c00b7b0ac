"""A critic pulls on what it shares with its policy no harder than a bound allows."""

import math

import pytest
import torch
from tests.learner.literal import EXPERIMENTS

from ssd_influence.networks.value_gradient import bounded_pull
from ssd_learner.ppo import update as ppo
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import stack_games

CPU = torch.device("cpu")


@pytest.fixture
def pulls():
    """Features in float64, and what a policy's and a critic's losses pull on them."""
    features = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    return features, torch.randn(3, 4, 5).double(), torch.randn(3, 4, 5).double()


def pulled(features, policy, critic, bound):
    """The gradient of the features, where the losses' own are `policy` and `critic`."""
    for_policy, for_critic = bounded_pull(features, bound)
    ((for_policy * policy).sum() + (for_critic * critic).sum()).backward()
    return features.grad


@pytest.mark.parametrize("bound", [0.01, 0.3, 1.0])
def test_a_critic_that_pulls_too_hard_is_cut_to_the_bound_in_its_own_direction(pulls, bound):
    features, policy, critic = pulls
    critic = 100 * critic
    of_critic = pulled(features, policy, critic, bound) - policy
    assert of_critic.norm().item() == pytest.approx(bound * policy.norm().item(), rel=1e-9)
    length = of_critic.norm() * critic.norm()
    assert ((of_critic * critic).sum() / length).item() == pytest.approx(1)


@pytest.mark.parametrize("bound", [0.02, 1.0, 7.0, math.inf])
def test_below_the_bound_nothing_changes(pulls, bound):
    features, policy, critic = pulls
    critic = 0.01 * critic
    torch.testing.assert_close(pulled(features, policy, critic, bound), policy + critic)


def test_a_bound_of_0_leaves_the_critic_no_pull(pulls):
    features, policy, critic = pulls
    assert torch.equal(pulled(features, policy, critic, 0.0), policy)


@pytest.mark.parametrize("bound", [0.0, 1.0])
def test_where_the_policy_pulls_not_at_all_the_critic_may_not_either(pulls, bound):
    features, policy, critic = pulls
    assert not pulled(features, 0 * policy, critic, bound).any()


def test_a_critic_that_pulls_not_at_all_changes_nothing(pulls):
    features, policy, critic = pulls
    assert torch.equal(pulled(features, policy, 0 * critic, 1.0), policy)


@pytest.mark.parametrize("bound", [0.0, 1.0, math.inf])
def test_both_read_the_very_same_features(pulls, bound):
    features, *_ = pulls
    for of in bounded_pull(features, bound):
        assert torch.equal(of, features)


# In the network.


def gradients(trainer, segment, **learning):
    """Of a minibatch of one segment, by parameter name."""
    trainer.learning = trainer.learning.model_copy(update=learning)
    weights = trainer.scheduled_values()
    chunks, _ = make_chunks(trainer, [stack_games([segment], CPU)], weights, 4)
    (part,) = chunks.shuffled(1)
    loss, _ = ppo.losses(trainer, part, weights, moa=False)
    trainer.network.zero_grad(set_to_none=True)
    loss.backward()
    return {
        name: weight.grad
        for name, weight in trainer.network.named_parameters()
        if weight.grad is not None
    }


VALUES = ("policy.value.", "policy.communication.value.")


@pytest.mark.parametrize("name", ["A3C", "communication"])
def test_with_a_pull_of_0_critics_shape_their_own_heads_alone(make_trainer, make_segment, name):
    trainer = make_trainer(algorithm="ppo", experiment=EXPERIMENTS[name], value_pull=0.0)
    segment = make_segment(trainer)
    torch.manual_seed(3)
    with_critic = gradients(trainer, segment, value_coefficient=5.0)
    torch.manual_seed(3)
    without = gradients(trainer, segment, value_coefficient=0.0)
    for parameter, gradient in with_critic.items():
        if parameter.startswith(VALUES):
            assert gradient.any(), parameter
            assert not without[parameter].any(), parameter
        else:
            torch.testing.assert_close(gradient, without[parameter], rtol=1e-4, atol=1e-7)


@pytest.fixture
def pull_on_lstm(make_trainer, make_segment, monkeypatch):
    """The gradient of the LSTM's output in an update, with this coefficient of the value loss."""

    def pulled(value_pull, value_coefficient):
        experiment = EXPERIMENTS["A3C"]
        trainer = make_trainer(algorithm="ppo", experiment=experiment, value_pull=value_pull)
        seen, heads = [], trainer.network.policy._heads

        def looked_at(h):
            if h.requires_grad:
                h.retain_grad()
            seen.append(h)
            return heads(h)

        monkeypatch.setattr(trainer.network.policy, "_heads", looked_at)
        torch.manual_seed(3)
        gradients(trainer, make_segment(trainer), value_coefficient=value_coefficient)
        return seen[-1].grad

    return pulled


@pytest.mark.parametrize("value_pull", [0.5, 1.0])
def test_a_critic_s_pull_on_the_lstm_is_bounded_by_the_policy_s(pull_on_lstm, value_pull):
    of_policy, of_both = (pull_on_lstm(value_pull, coefficient) for coefficient in (0.0, 1e4))
    share = (of_both - of_policy).norm() / of_policy.norm()
    assert share.item() == pytest.approx(value_pull, rel=1e-3)


def test_without_a_bound_it_may_be_far_harder(pull_on_lstm):
    of_policy, of_both = (pull_on_lstm(math.inf, coefficient) for coefficient in (0.0, 1e4))
    assert (of_both - of_policy).norm() > 10 * of_policy.norm()


def test_vtrace_bounds_no_critic(make_trainer):
    assert make_trainer(algorithm="vtrace", value_pull=0.5).network.policy.value_pull == math.inf
    assert make_trainer(algorithm="ppo", value_pull=0.5).network.policy.value_pull == 0.5
