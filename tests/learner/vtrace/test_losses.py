"""The loss of a V-trace batch, term by term, and the weights that each term trains."""

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import Batch
from ssd_learner.targets.vtrace import vtrace
from ssd_learner.vtrace.losses import batch_losses
from ssd_learner.vtrace.update import vtrace_update

STEPS = 8
LOSSES = ("policy", "value", "entropy")
TERMS = (*LOSSES, "kl", "explained_variance")
EXPERIMENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "visible actions": {"influence": "off"},
    "MOA as auxiliary task": {"influence": "off", "moa_auxiliary": True, "moa_weight": 1.3},
    "influence": {"influence": "moa", "beta": 0.6, "alpha": 0.8, "moa_only_when_visible": True},
    "prosocial": {"influence": "off", "reward": "prosocial"},
    "basic influence, follower": {"influence": "basic", "leaders": 1, "alpha": 0.8},
    "communication": {
        "influence": "communication",
        "symbols": 3,
        "alpha": 0.7,
        "communication_weight": 0.3,
    },
    "communication, baseline": {"influence": "off", "symbols": 3, "communication_weight": 0.3},
    "communication with MOA": {"influence": "moa_communication", "symbols": 3, "moa_weight": 2.0},
}


def terms_of(losses):
    """Every term of some losses, by name."""
    terms = {"total": losses.total}
    if losses.moa is not None:
        terms["moa"] = losses.moa.loss
    terms |= {name: getattr(losses.action, name) for name in TERMS}
    if losses.symbol is not None:
        terms |= {f"symbol {name}": getattr(losses.symbol, name) for name in TERMS}
    return {name: term.item() for name, term in terms.items()}


def losses_of(trainer, batch, beta=0.0, **experiment):
    """With some settings of the experiment replaced."""
    original = trainer.experiment
    trainer.experiment = original.model_copy(update=experiment)
    try:
        return batch_losses(trainer, batch, ScheduledValues(0.0, beta, trainer.learning.entropy))
    finally:
        trainer.experiment = original


def gradients(trainer, batch, beta=0.0, **experiment):
    """Of the total loss, by parameter name; zeros where it does not depend on it."""
    trainer.network.zero_grad(set_to_none=True)
    losses_of(trainer, batch, beta, **experiment).total.backward()
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in trainer.network.named_parameters()
    }


def cut_steps(batch, begin, end):
    """The steps begin … end − 1 of a batch, as a batch of their own."""
    extra = {"actions": 2, "log_prob": 0, "reward": 0, "influence": 0}
    arrays = {
        field.name: getattr(batch, field.name)[begin : end + extra.get(field.name, 1)]
        for field in fields(Batch)
        if field.name != "state" and getattr(batch, field.name) is not None
    }
    return Batch(**arrays, state=batch.state)


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(value_coefficient=0.4, entropy=0.02, gamma=0.9)


def literal_head(batch, learning, log_ratio, reward, head):
    """Means of one head's terms; `head` is its logits, its values and what the agent chose."""
    logits, values, chosen = head
    steps, games = batch.reward.shape
    pi, discount = logits.double().softmax(-1), torch.zeros(steps, games).double()
    for t, b in itertools.product(range(steps), range(games)):
        discount[t, b] = 0.0 if batch.is_first[t + 1, b] else learning.gamma
    clips = learning.rho_clip, learning.c_clip
    estimates = vtrace(log_ratio, reward, discount, values.double(), *clips)
    sums = dict.fromkeys(("policy", "value", "entropy", "kl"), 0.0)
    for t, b in itertools.product(range(steps), range(games)):
        sums["kl"] += float(log_ratio[t, b].exp() - 1 - log_ratio[t, b])
        sums["policy"] -= float(pi[t, b, chosen[t, b]].log() * estimates.advantage[t, b])
        sums["value"] += 0.5 * float(estimates.target[t, b] - values[t, b]) ** 2
        sums["entropy"] -= sum(float(p * p.log()) for p in pi[t, b])
    targets = estimates.target.numpy()
    unexplained = np.var(targets - values[:-1].numpy()) / np.var(targets)
    means = {name: total / (steps * games) for name, total in sums.items()}
    return means | {"explained_variance": 1 - unexplained}


def literal_terms(trainer, batch, beta):
    """Each term in loops, from the network's outputs on the batch."""
    with torch.no_grad():
        unroll = trainer.network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )
    experiment, learning, k = trainer.experiment, trainer.learning, trainer.shape.agent
    steps, games = batch.reward.shape
    heads = {"": (unroll.policy_logits, unroll.values, batch.actions[1:, :, k])}
    if experiment.symbols:
        heads["symbol "] = (unroll.symbol_logits, unroll.symbol_values, batch.symbols[1:, :, k])
    behaviour = {"": batch.log_prob, "symbol ": batch.symbol_log_prob}
    log_ratio = torch.zeros(steps, games).double()
    rewards = {name: torch.zeros(steps, games).double() for name in heads}
    of_symbols = experiment.influence in ("communication", "moa_communication")
    for t, b in itertools.product(range(steps), range(games)):
        for name, (logits, _, chosen) in heads.items():
            now = logits[t, b].double().log_softmax(-1)[chosen[t, b]]
            log_ratio[t, b] += now - behaviour[name][t, b]
            e = batch.reward[t, b] if experiment.reward == "own" else batch.shaped_reward[t, b]
            exerts_influence = (name == "symbol ") == of_symbols
            with_influence = experiment.alpha * e + beta * batch.influence[t, b]
            rewards[name][t, b] = with_influence if exerts_influence else e
    terms, total = {}, 0.0
    for name, head in heads.items():
        means = literal_head(batch, learning, log_ratio, rewards[name], head)
        weight = experiment.communication_weight if name else 1.0
        bonus = learning.communication_entropy if name else learning.entropy
        value = learning.value_coefficient * means["value"]
        total += weight * batch.own_steps * (means["policy"] + value - bonus * means["entropy"])
        terms |= {f"{name}{term}": mean for term, mean in means.items()}
    if unroll.moa_logits is not None:
        inputs = batch.actions, batch.is_first, batch.visible, trainer.shape.others
        only_visible = experiment.moa_only_when_visible
        terms["moa"], _ = literal.moa_loss(unroll.moa_logits, *inputs, only_visible)
        total += terms["moa"]
    return terms | {"total": total}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_term_and_the_total_equal_their_definitions(make_trainer, make_batch, name):
    weights = {"value_coefficient": 0.4, "entropy": 0.02, "communication_entropy": 0.05}
    clips = {"rho_clip": 1.5, "c_clip": 0.8}
    trainer = make_trainer(experiment=EXPERIMENTS[name], gamma=0.9, **weights, **clips)
    batch = make_batch(trainer)
    found = terms_of(losses_of(trainer, batch, beta=0.3))
    assert found == pytest.approx(literal_terms(trainer, batch, beta=0.3), rel=1e-4)


def test_if_symbols_are_rewarded_for_influence_actions_are_not(make_trainer, make_batch):
    trainer = make_trainer(experiment={"influence": "communication", "symbols": 3, "alpha": 0.0})
    batch = make_batch(trainer)
    without, with_beta = (losses_of(trainer, batch, beta=beta) for beta in (0.0, 5.0))
    for name in LOSSES:
        assert getattr(without.action, name) == getattr(with_beta.action, name)
    assert without.symbol.policy != with_beta.symbol.policy


def test_the_communication_loss_trains_the_layers_shared_with_the_policy(make_trainer, make_batch):
    trainer = make_trainer(experiment={"influence": "communication", "symbols": 3})
    batch = make_batch(trainer)
    with_loss = gradients(trainer, batch, communication_weight=1.0)
    without = gradients(trainer, batch, communication_weight=0.0)
    assert not torch.equal(with_loss["conv.weight"], without["conv.weight"])
    assert not any(without[name].any() for name in without if ".communication." in name)
    assert all(with_loss[name].any() for name in with_loss if ".communication." in name)


def test_with_a_reward_scheme_the_shaped_reward_replaces_the_agent_s_own(make_trainer, make_batch):
    trainer = make_trainer(experiment={"influence": "off", "reward": "inequity_averse"})
    batch = make_batch(trainer)
    plain = losses_of(trainer, batch).total
    other_own = replace(batch, reward=batch.reward + 1)
    other_shaped = replace(batch, shaped_reward=batch.shaped_reward + 1)
    assert losses_of(trainer, other_own).total == plain
    assert losses_of(trainer, other_shaped).total != plain


def test_the_entropy_bonus_raises_entropy(make_trainer, make_batch):
    trainer = make_trainer(
        experiment={"influence": "off", "alpha": 0.0},
        entropy=1.0,
        value_coefficient=0.0,
        lr_init=0.01,
    )
    with torch.no_grad():  # all values are 0: only the entropy bonus is left
        trainer.network.policy.value.weight.zero_()
    batch = make_batch(trainer)
    reports = [vtrace_update(trainer, batch) for _ in range(10)]
    assert reports[0].policy_loss == 0
    assert reports[-1].entropy > reports[0].entropy + 0.05


def test_the_reward_is_alpha_e_plus_beta_c(trainer, make_batch):
    batch = make_batch(trainer)
    found = losses_of(trainer, batch, beta=0.7, alpha=0.3)
    combined = replace(batch, reward=0.3 * batch.reward + 0.7 * batch.influence)
    wanted = losses_of(trainer, combined, beta=0.0, alpha=1.0)
    assert terms_of(found) == pytest.approx(terms_of(wanted))


def test_the_gradient_of_the_influence_reward_is_that_of_any_reward(trainer, make_batch):
    batch = make_batch(trainer)
    found = gradients(trainer, batch, beta=0.7, alpha=0.3)
    combined = replace(batch, reward=0.3 * batch.reward + 0.7 * batch.influence)
    wanted = gradients(trainer, combined, beta=0.0, alpha=1.0)
    for name in found:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-6)


def test_no_gradient_flows_into_rewards(trainer, make_batch):
    batch = make_batch(trainer)
    batch.reward.requires_grad_()
    batch.influence.requires_grad_()
    losses_of(trainer, batch, beta=0.7).total.backward()
    assert batch.reward.grad is None
    assert batch.influence.grad is None


def test_with_a_beta_of_0_influence_has_no_effect(trainer, make_batch):
    batch = make_batch(trainer)
    without = gradients(trainer, replace(batch, influence=torch.zeros_like(batch.influence)))
    for name, gradient in gradients(trainer, batch).items():
        assert torch.equal(gradient, without[name])


@pytest.fixture
def two_episodes(trainer, make_batch):
    """A batch in which every game starts an episode at step 3."""
    batch = make_batch(trainer)
    batch.is_first[:] = False
    batch.is_first[3] = True
    return batch


def test_losses_of_two_episodes_are_the_sums_of_the_losses_of_each(trainer, two_episodes):
    both = losses_of(trainer, two_episodes, beta=0.5)
    before = losses_of(trainer, cut_steps(two_episodes, 0, 3), beta=0.5)
    after = losses_of(trainer, cut_steps(two_episodes, 3, STEPS), beta=0.5)
    for term in LOSSES:
        wanted = 3 * getattr(before.action, term) + 5 * getattr(after.action, term)
        found = STEPS * getattr(both.action, term)
        assert found.item() == pytest.approx(wanted.item(), rel=1e-5), term
    wanted = 2 * before.moa.loss + 5 * after.moa.loss  # an episode's last step has no target
    assert 7 * both.moa.loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_no_gradient_crosses_the_start_of_an_episode(trainer, two_episodes):
    last = cut_steps(two_episodes, 0, 3)
    other = replace(
        last,
        pixels=torch.cat([last.pixels[:-1], (last.pixels[-1:] + 1) % 11]),
        visible=torch.cat([last.visible[:-1], ~last.visible[-1:]]),
        actions=torch.cat([last.actions[:-1], (last.actions[-1:] + 1) % 7]),
    )
    before, after = gradients(trainer, last, beta=0.5), gradients(trainer, other, beta=0.5)
    for name in before:
        assert torch.equal(before[name], after[name]), name


def test_the_view_after_the_last_step_bootstraps_if_the_episode_continues(trainer, make_batch):
    batch = make_batch(trainer)
    batch.is_first[:] = False
    other = replace(batch, pixels=batch.pixels.clone())
    other.pixels[-1] = (other.pixels[-1] + 1) % 11
    assert losses_of(trainer, batch).action.policy != losses_of(trainer, other).action.policy


def test_every_weight_has_a_gradient(trainer, make_batch):
    for name, gradient in gradients(trainer, make_batch(trainer)).items():
        assert gradient.any(), name
