from dataclasses import fields, replace

import pytest
import torch

from ssd_learner.batch import Batch
from ssd_learner.losses import Weights, losses
from ssd_learner.vtrace import vtrace

STEPS = 8
TERMS = ("policy", "value", "entropy", "moa", "moa_marginal")
AGENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "visible actions": {"influence": "off"},
    "MOA as auxiliary task": {"influence": "off", "moa_auxiliary": True, "moa_weight": 1.3},
    "influence": {"influence": "moa", "beta": 0.6, "alpha": 0.8, "moa_only_when_visible": True},
}


def losses_of(trainer, batch, beta=0.0, **experiment):
    settings = trainer.experiment.model_copy(update=experiment)
    weights = Weights(beta, trainer.learning.entropy)
    return losses(trainer.network, batch, trainer.shape, settings, trainer.learning, weights)


def gradients(trainer, batch, beta=0.0, **experiment):
    """Of the total loss, by parameter name; zeros where it does not depend on one."""
    trainer.network.zero_grad(set_to_none=True)
    losses_of(trainer, batch, beta, **experiment).total.backward()
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in trainer.network.named_parameters()
    }


def cut(batch, begin, end):
    """The steps begin … end − 1 of a batch, as a batch of their own."""
    length = {"actions": 2, "log_prob": 0, "reward": 0, "influence": 0}
    parts = {
        field.name: getattr(batch, field.name)[begin : end + length.get(field.name, 1)]
        for field in fields(Batch)
        if field.name != "state"
    }
    return Batch(**parts, state=batch.state)


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(value_coefficient=0.4, entropy=0.02, gamma=0.9)


def literally(trainer, batch, beta):
    """Each term in loops, from what the network says of the segment."""
    with torch.no_grad():
        unroll = trainer.network.unroll(batch.pixels, batch.first_host, batch.actions, batch.state)
    experiment, learning, k = trainer.experiment, trainer.learning, trainer.shape.agent
    steps, games = batch.reward.shape
    pi = unroll.policy_logits.double().softmax(-1)
    log_ratio, reward, discount = (torch.zeros(steps, games).double() for _ in range(3))
    for t in range(steps):
        for b in range(games):
            log_ratio[t, b] = pi[t, b, batch.actions[t + 1, b, k]].log() - batch.log_prob[t, b]
            reward[t, b] = experiment.alpha * batch.reward[t, b] + beta * batch.influence[t, b]
            discount[t, b] = 0.0 if batch.first[t + 1, b] else learning.gamma
    targets = vtrace(log_ratio, reward, discount, unroll.values.double())

    policy = value = entropy = moa = counted = 0.0
    for t in range(steps):
        for b in range(games):
            taken = pi[t, b, batch.actions[t + 1, b, k]]
            policy -= float(taken.log() * targets.advantage[t, b])
            value += 0.5 * float(targets.value[t, b] - unroll.values[t, b]) ** 2
            entropy -= sum(float(p * p.log()) for p in pi[t, b])
            if unroll.moa_logits is None or batch.first[t + 1, b]:
                continue
            for place, j in enumerate(trainer.shape.others):
                if experiment.moa_only_when_visible and not batch.visible[t, b, j]:
                    continue
                guess = unroll.moa_logits[t, b, place].double().softmax(-1)
                moa -= float(guess[batch.actions[t + 2, b, j]].log())
                counted += 1
    n = steps * games
    terms = {"policy": policy / n, "value": value / n, "entropy": entropy / n}
    terms["moa"] = moa / counted if counted else 0.0
    terms["total"] = (  # sums of the actor-critic's losses over all steps, a mean of the MOA's
        policy
        + learning.value_coefficient * value
        - learning.entropy * entropy
        + experiment.moa_weight * terms["moa"]
    )
    return terms


@pytest.mark.parametrize("name", AGENTS)
def test_every_term_is_its_definition(make_trainer, make_batch, name):
    trainer = make_trainer(experiment=AGENTS[name], value_coefficient=0.4, entropy=0.02, gamma=0.9)
    batch = make_batch(trainer)
    found = losses_of(trainer, batch, beta=0.3)
    for term, wanted in literally(trainer, batch, beta=0.3).items():
        assert getattr(found, term).item() == pytest.approx(wanted, rel=1e-4), term


def test_the_entropy_bonus_raises_entropy(make_trainer, make_batch):
    trainer = make_trainer(
        experiment={"influence": "off", "alpha": 0.0},
        entropy=1.0,
        value_coefficient=0.0,
        lr_init=0.01,
    )
    with torch.no_grad():  # nothing is worth anything: only the bonus is left
        trainer.network.policy.value.weight.zero_()
    batch = make_batch(trainer)
    reports = [trainer.learn(batch) for _ in range(10)]
    assert reports[0].policy_loss == 0
    assert reports[-1].entropy > reports[0].entropy + 0.05


def test_the_moa_s_weight_multiplies_its_loss(trainer, make_batch):
    batch = make_batch(trainer)
    once = gradients(trainer, batch, moa_weight=1.0)
    often = gradients(trainer, batch, moa_weight=15.0)
    for name in once:
        if name.startswith("moa."):
            torch.testing.assert_close(often[name], 15 * once[name], rtol=1e-4, atol=1e-6)


def test_without_weight_the_moa_learns_nothing(trainer, make_batch):
    found = gradients(trainer, make_batch(trainer), moa_weight=0.0)
    assert not any(found[name].any() for name in found if name.startswith("moa."))


def test_the_reward_is_alpha_e_plus_beta_c(trainer, make_batch):
    batch = make_batch(trainer)
    apart = losses_of(trainer, batch, beta=0.7, alpha=0.3)
    joined = 0.3 * batch.reward + 0.7 * batch.influence
    together = losses_of(trainer, replace(batch, reward=joined), beta=0.0, alpha=1.0)
    assert [getattr(apart, term).item() for term in TERMS] == pytest.approx(
        [getattr(together, term).item() for term in TERMS]
    )


def test_the_influence_reward_moves_weights_as_any_reward_does_and_in_no_other_way(
    trainer, make_batch
):
    batch = make_batch(trainer)
    apart = gradients(trainer, batch, beta=0.7, alpha=0.3)
    joined = replace(batch, reward=0.3 * batch.reward + 0.7 * batch.influence)
    together = gradients(trainer, joined, beta=0.0, alpha=1.0)
    for name in apart:
        torch.testing.assert_close(apart[name], together[name], rtol=1e-4, atol=1e-6)


def test_rewards_are_numbers_and_no_gradient_path(trainer, make_batch):
    batch = make_batch(trainer)
    batch.reward.requires_grad_()
    batch.influence.requires_grad_()
    losses_of(trainer, batch, beta=0.7).total.backward()
    assert batch.reward.grad is None
    assert batch.influence.grad is None


def test_influence_without_beta_counts_for_nothing(trainer, make_batch):
    batch = make_batch(trainer)
    without = gradients(trainer, replace(batch, influence=torch.zeros_like(batch.influence)))
    for name, gradient in gradients(trainer, batch).items():
        assert torch.equal(gradient, without[name])


@pytest.fixture
def two_episodes(trainer, make_batch):
    """A batch in which every game starts an episode at step 3."""
    batch = make_batch(trainer)
    batch.first[:] = False
    batch.first[3] = True
    return batch


def test_an_episode_s_start_parts_the_losses_into_two_that_know_nothing_of_each_other(
    trainer, two_episodes
):
    whole = losses_of(trainer, two_episodes, beta=0.5)
    before = losses_of(trainer, cut(two_episodes, 0, 3), beta=0.5)
    after = losses_of(trainer, cut(two_episodes, 3, STEPS), beta=0.5)
    for term in ("policy", "value", "entropy"):
        parts = 3 * getattr(before, term) + 5 * getattr(after, term)
        assert STEPS * getattr(whole, term).item() == pytest.approx(parts.item(), rel=1e-5), term
    parts = 2 * before.moa + 5 * after.moa  # the last step of an episode has no target
    assert 7 * whole.moa.item() == pytest.approx(parts.item(), rel=1e-5)


def test_no_gradient_crosses_an_episode_s_start(trainer, two_episodes):
    last = cut(two_episodes, 0, 3)
    other = replace(
        last,
        pixels=torch.cat([last.pixels[:-1], (last.pixels[-1:] + 1) % 11]),
        visible=torch.cat([last.visible[:-1], ~last.visible[-1:]]),
        actions=torch.cat([last.actions[:-1], (last.actions[-1:] + 1) % 7]),
    )
    before, after = gradients(trainer, last, beta=0.5), gradients(trainer, other, beta=0.5)
    for name in before:
        assert torch.equal(before[name], after[name]), name


def test_the_view_after_the_last_step_bootstraps_where_the_episode_goes_on(trainer, make_batch):
    batch = make_batch(trainer)
    batch.first[:] = False
    other = replace(batch, pixels=batch.pixels.clone())
    other.pixels[-1] = (other.pixels[-1] + 1) % 11
    assert losses_of(trainer, batch).policy != losses_of(trainer, other).policy


def test_every_weight_learns(trainer, make_batch):
    for name, gradient in gradients(trainer, make_batch(trainer)).items():
        assert gradient.any(), name


def test_the_moa_learns_to_foresee_what_can_be_foreseen(make_trainer, make_batch):
    trainer = make_trainer(opinion=1.0, lr_init=0.01)
    batch = make_batch(trainer)
    for t in range(2, len(batch.actions)):  # everyone answers agent 1, each in its own way
        for j in trainer.shape.others:
            batch.actions[t, :, j] = (batch.actions[t - 1, :, 1] + j) % 7
    reports = [trainer.learn(batch) for _ in range(60)]
    assert reports[0].moa_loss > 0.95 * reports[0].moa_marginal_entropy
    assert reports[-1].moa_loss < 0.5 * reports[-1].moa_marginal_entropy
