import itertools
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import Batch
from ssd_learner.targets.vtrace import vtrace
from ssd_learner.vtrace.losses import losses, vtrace_update

STEPS = 8
HEAD = ("policy", "value", "entropy")
TOLD = (*HEAD, "kl", "explained_variance")
AGENTS = {
    "A3C": {"influence": "off", "visible_actions": False},
    "visible actions": {"influence": "off"},
    "MOA as auxiliary task": {"influence": "off", "moa_auxiliary": True, "moa_weight": 1.3},
    "influence": {"influence": "moa", "beta": 0.6, "alpha": 0.8, "moa_only_when_visible": True},
    "prosocial": {"influence": "off", "reward": "prosocial"},
    "basic influence, led": {"influence": "basic", "leaders": 1, "alpha": 0.8},
    "communication": {
        "influence": "communication",
        "symbols": 3,
        "alpha": 0.7,
        "communication_weight": 0.3,
    },
    "communication, baseline": {"influence": "off", "symbols": 3, "communication_weight": 0.3},
    "communication by MOA": {"influence": "moa_communication", "symbols": 3, "moa_weight": 2.0},
}


def terms_of(losses):
    """Every number of some losses, by name."""
    terms = {"total": losses.total, "moa": losses.moa}
    terms |= {name: getattr(losses.acting, name) for name in TOLD}
    if losses.speaking is not None:
        terms |= {f"said {name}": getattr(losses.speaking, name) for name in TOLD}
    return {name: term.item() for name, term in terms.items()}


def losses_of(trainer, batch, beta=0.0, **experiment):
    settings = trainer.experiment.model_copy(update=experiment)
    weights = ScheduledValues(0.0, beta, trainer.learning.entropy)
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
        if field.name != "state" and getattr(batch, field.name) is not None
    }
    return Batch(**parts, state=batch.state)


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(value_coefficient=0.4, entropy=0.02, gamma=0.9)


def head_literally(batch, learning, log_ratio, reward, head):
    """Means of one head's losses and more; `head` is its logits, values and choices."""
    logits, values, chosen = head
    steps, games = batch.reward.shape
    pi, discount = logits.double().softmax(-1), torch.zeros(steps, games).double()
    for t in range(steps):
        for b in range(games):
            discount[t, b] = 0.0 if batch.is_first[t + 1, b] else learning.gamma
    clips = learning.rho_clip, learning.c_clip
    targets = vtrace(log_ratio, reward, discount, values.double(), *clips)
    policy = value = entropy = kl = 0.0
    for t in range(steps):
        for b in range(games):
            kl += float(log_ratio[t, b].exp() - 1 - log_ratio[t, b])
            policy -= float(pi[t, b, chosen[t, b]].log() * targets.advantage[t, b])
            value += 0.5 * float(targets.value[t, b] - values[t, b]) ** 2
            entropy -= sum(float(p * p.log()) for p in pi[t, b])
    sums = {"policy": policy, "value": value, "entropy": entropy, "kl": kl}
    returns = targets.value.numpy()
    unforeseen = np.var(returns - values[:-1].numpy()) / np.var(returns)
    means = {name: total / (steps * games) for name, total in sums.items()}
    return means | {"explained_variance": 1 - unforeseen}


def moa_literally(trainer, batch, moa_logits):
    """The mean over all (t, j) that count."""
    loss = counted = 0.0
    for t, b in itertools.product(*map(range, batch.reward.shape)):
        if batch.is_first[t + 1, b]:
            continue
        for place, j in enumerate(trainer.shape.others):
            if trainer.experiment.moa_only_when_visible and not batch.visible[t, b, j]:
                continue
            guess = moa_logits[t, b, place].double().softmax(-1)
            loss -= float(guess[batch.actions[t + 2, b, j]].log())
            counted += 1
    return loss / counted


def literally(trainer, batch, beta):
    """Each term in loops, from what the network says of the segment."""
    with torch.no_grad():
        unroll = trainer.network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )
    experiment, learning, k = trainer.experiment, trainer.learning, trainer.shape.agent
    steps, games = batch.reward.shape
    heads = {"": (unroll.policy_logits, unroll.values, batch.actions[1:, :, k])}
    if experiment.symbols:
        heads["said "] = (unroll.symbol_logits, unroll.symbol_values, batch.symbols[1:, :, k])
    was = {"": batch.log_prob, "said ": batch.symbol_log_prob}
    log_ratio = torch.zeros(steps, games).double()
    paid = {name: torch.zeros(steps, games).double() for name in heads}
    of_symbols = experiment.influence in ("communication", "moa_communication")
    for t, b in itertools.product(range(steps), range(games)):
        for name, (logits, _, chosen) in heads.items():
            now = logits[t, b].double().log_softmax(-1)[chosen[t, b]]
            log_ratio[t, b] += now - was[name][t, b]
            e = batch.reward[t, b] if experiment.reward == "own" else batch.shaped_reward[t, b]
            influences = (name == "said ") == of_symbols
            both = experiment.alpha * e + beta * batch.influence[t, b]
            paid[name][t, b] = both if influences else e
    terms, total = {}, 0.0
    for name, head in heads.items():
        means = head_literally(batch, learning, log_ratio, paid[name], head)
        weight = experiment.communication_weight if name else 1.0
        bonus = learning.communication_entropy if name else learning.entropy
        value = learning.value_coefficient * means["value"]
        total += weight * batch.steps * (means["policy"] + value - bonus * means["entropy"])
        terms |= {f"{name}{term}": mean for term, mean in means.items()}
    terms["moa"] = 0.0
    if unroll.moa_logits is not None:
        terms["moa"] = moa_literally(trainer, batch, unroll.moa_logits)
    terms["total"] = total + experiment.moa_weight * terms["moa"]
    return terms


@pytest.mark.parametrize("name", AGENTS)
def test_every_term_is_its_definition(make_trainer, make_batch, name):
    weights = {"value_coefficient": 0.4, "entropy": 0.02, "communication_entropy": 0.05}
    clips = {"rho_clip": 1.5, "c_clip": 0.8}
    trainer = make_trainer(experiment=AGENTS[name], gamma=0.9, **weights, **clips)
    batch = make_batch(trainer)
    found = terms_of(losses_of(trainer, batch, beta=0.3))
    assert found == pytest.approx(literally(trainer, batch, beta=0.3), rel=1e-4)


def test_who_is_paid_for_its_symbols_acts_for_the_environment_s_reward_alone(
    make_trainer, make_batch
):
    trainer = make_trainer(experiment={"influence": "communication", "symbols": 3, "alpha": 0.0})
    batch = make_batch(trainer)
    once, often = (losses_of(trainer, batch, beta=beta) for beta in (0.0, 5.0))
    for name in HEAD:
        assert getattr(once.acting, name) == getattr(often.acting, name)
    assert once.symbol_head.policy != often.symbol_head.policy


def test_what_is_learnt_by_speaking_reaches_the_layers_shared_with_acting(make_trainer, make_batch):
    trainer = make_trainer(experiment={"influence": "communication", "symbols": 3})
    batch = make_batch(trainer)
    whole = gradients(trainer, batch, communication_weight=1.0)
    silent = gradients(trainer, batch, communication_weight=0.0)
    assert not torch.equal(whole["conv.weight"], silent["conv.weight"])
    assert not any(silent[name].any() for name in silent if ".communication." in name)
    assert all(whole[name].any() for name in whole if ".communication." in name)


def test_what_a_reward_scheme_shaped_is_learnt_from_and_one_s_own_reward_is_not(
    make_trainer, make_batch
):
    trainer = make_trainer(experiment={"influence": "off", "reward": "inequity_averse"})
    batch = make_batch(trainer)
    plain = losses_of(trainer, batch).total
    assert losses_of(trainer, replace(batch, reward=batch.reward + 1)).total == plain
    assert losses_of(trainer, replace(batch, shaped_reward=batch.shaped_reward + 1)).total != plain


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
    reports = [vtrace_update(trainer, batch) for _ in range(10)]
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
    assert terms_of(apart) == pytest.approx(terms_of(together))


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
    batch.is_first[:] = False
    batch.is_first[3] = True
    return batch


def test_an_episode_s_start_parts_the_losses_into_two_that_know_nothing_of_each_other(
    trainer, two_episodes
):
    whole = losses_of(trainer, two_episodes, beta=0.5)
    before = losses_of(trainer, cut(two_episodes, 0, 3), beta=0.5)
    after = losses_of(trainer, cut(two_episodes, 3, STEPS), beta=0.5)
    for term in HEAD:
        parts = 3 * getattr(before.acting, term) + 5 * getattr(after.acting, term)
        found = STEPS * getattr(whole.acting, term)
        assert found.item() == pytest.approx(parts.item(), rel=1e-5), term
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
    batch.is_first[:] = False
    other = replace(batch, pixels=batch.pixels.clone())
    other.pixels[-1] = (other.pixels[-1] + 1) % 11
    assert (
        losses_of(trainer, batch).action_head.policy != losses_of(trainer, other).action_head.policy
    )


def test_every_weight_learns(trainer, make_batch):
    for name, gradient in gradients(trainer, make_batch(trainer)).items():
        assert gradient.any(), name
