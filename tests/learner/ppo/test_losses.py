"""The loss of a PPO minibatch, term by term, and the weights that each term trains."""

from dataclasses import replace

import pytest
import torch
from tests.learner import literal
from tests.learner.ppo.on_policy import on_policy

from ssd_learner.ppo.losses import minibatch_loss
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import stack_games
from ssd_learner.vtrace.losses import batch_losses

CPU = torch.device("cpu")
WEIGHTS = {"value_coefficient": 0.4, "entropy": 0.02, "communication_entropy": 0.05}
NOT_NORMALISED = {"normalise_advantages": False, "normalise_values": False}
UNBOUNDED = {"ratio_clip": 1e6, "value_gradient_limit": float("inf")}


@pytest.fixture
def make_minibatch(make_segment):
    """One minibatch of a whole segment, in chunks of 4 steps."""

    def make(trainer):
        batch = stack_games([make_segment(trainer)], CPU)
        return make_chunks(trainer, [batch], trainer.scheduled_values(), chunk=4)[0]

    return make


def unroll(trainer, minibatch):
    with torch.no_grad():
        return trainer.network.unroll(
            minibatch.pixels,
            minibatch.is_first_host,
            minibatch.actions,
            minibatch.state,
            minibatch.symbols,
            predictions=minibatch.length,
        )


def literal_moa_loss(logits, moa_targets):
    """The mean over all targets that count, one at a time."""
    loss = counted = 0
    log_policy = logits.double().log_softmax(-1)
    for place in moa_targets.mask.nonzero().tolist():
        loss -= log_policy[*place, moa_targets.next_actions[*place]].item()
        counted += 1
    return loss / counted


def gradients(trainer, loss):
    """By parameter name; zeros where the loss does not depend on it."""
    trainer.network.zero_grad(set_to_none=True)
    loss.backward()
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in trainer.network.named_parameters()
    }


@pytest.mark.parametrize("with_moa", [True, False], ids=["with MOA", "without MOA"])
@pytest.mark.parametrize("name", literal.EXPERIMENTS)
def test_each_term_and_the_total_equal_their_definitions(
    make_trainer, make_minibatch, name, with_moa
):
    trainer = make_trainer(
        algorithm="ppo", experiment=literal.EXPERIMENTS[name], ratio_clip=0.25, **WEIGHTS
    )
    experiment, minibatch = trainer.experiment, make_minibatch(trainer)
    scheduled = trainer.scheduled_values()
    loss, scalars = minibatch_loss(trainer, minibatch, scheduled, with_moa=with_moa)
    now = unroll(trainer, minibatch)
    wanted = literal.clipped_losses(now.policy_logits, now.values, minibatch.action_head, 0.25)
    total = wanted["policy_loss"] + 0.4 * wanted["value_loss"] - 0.02 * wanted["entropy"]
    if experiment.symbols:
        head = now.symbol_logits, now.symbol_values, minibatch.symbol_head
        of = literal.clipped_losses(*head, 0.25)
        total += 0.3 * (of["policy_loss"] + 0.4 * of["value_loss"] - 0.05 * of["entropy"])
        terms = ("policy_loss", "value_loss", "entropy")
        wanted |= {f"symbol_{term}": of[term] for term in terms}
        wanted["kl"] += of["kl"]
    if experiment.has_moa and with_moa:
        total += literal_moa_loss(now.moa_logits, minibatch.moa_targets)
    assert loss.item() == pytest.approx(total, rel=1e-4)
    assert {n: scalar.item() for n, scalar in scalars.items()} == pytest.approx(wanted, rel=1e-4)
    assert 0 < wanted["clipped_share"] < 1


def test_actions_and_symbols_have_separate_ratios(make_trainer, make_minibatch):
    experiment = literal.EXPERIMENTS["communication"]
    trainer = make_trainer(algorithm="ppo", experiment=experiment)
    minibatch, scheduled = make_minibatch(trainer), trainer.scheduled_values()

    def policy_losses(**heads):
        changed = replace(minibatch, **heads)
        _, scalars = minibatch_loss(trainer, changed, scheduled, with_moa=False)
        return scalars["policy_loss"].item(), scalars["symbol_policy_loss"].item()

    action, symbol = policy_losses()
    head = minibatch.action_head
    changed, same = policy_losses(action_head=head._replace(log_prob=head.log_prob + 1))
    assert changed != action
    assert same == symbol
    head = minibatch.symbol_head
    same, changed = policy_losses(symbol_head=head._replace(log_prob=head.log_prob + 1))
    assert same == action
    assert changed != symbol


@pytest.mark.parametrize("name", literal.EXPERIMENTS)
def test_every_weight_has_a_gradient(make_trainer, make_minibatch, name):
    trainer = make_trainer(algorithm="ppo", experiment=literal.EXPERIMENTS[name])
    minibatch = make_minibatch(trainer)
    loss, _ = minibatch_loss(trainer, minibatch, trainer.scheduled_values(), with_moa=True)
    for parameter, gradient in gradients(trainer, loss).items():
        assert gradient.any(), parameter


def test_without_moa_its_weights_have_no_gradient(make_trainer, make_minibatch):
    trainer = make_trainer(algorithm="ppo", experiment=literal.EXPERIMENTS["influence"])
    minibatch = make_minibatch(trainer)
    loss, _ = minibatch_loss(trainer, minibatch, trainer.scheduled_values(), with_moa=False)
    found = gradients(trainer, loss)
    assert not any(found[name].any() for name in found if name.startswith("moa."))
    assert all(found[name].any() for name in found if not name.startswith("moa."))


def actor_critic_loss(trainer, batch, scheduled):
    """V-trace's mean loss of a step, without that of the MOA."""
    losses = batch_losses(trainer, batch, scheduled)
    total = losses.total if losses.moa is None else losses.total - losses.moa.loss
    return total / batch.own_steps


def assert_gradients_match(found, wanted):
    for parameter, gradient in wanted.items():
        largest = gradient.abs().max().item()
        torch.testing.assert_close(
            found[parameter], gradient, rtol=1e-3, atol=1e-5 * largest, msg=parameter
        )
        assert largest > 0 or parameter.startswith("moa.")


@pytest.mark.parametrize("advantages", ["gae", "vtrace"])
@pytest.mark.parametrize("episode_end", ["termination", "truncation"])
@pytest.mark.parametrize("name", literal.EXPERIMENTS)
def test_on_policy_and_unclipped_it_equals_the_n_step_actor_critic(
    make_trainer, make_segment, name, episode_end, advantages
):
    experiment = literal.EXPERIMENTS[name] | {"reward_clip": 1.5}
    same = WEIGHTS | {"experiment": experiment, "episode_end": episode_end}
    actor_critic = make_trainer(**same)
    ppo = {"algorithm": "ppo", "advantages": advantages, "gae_lambda": 1.0}
    trainer = make_trainer(**ppo, **UNBOUNDED, **NOT_NORMALISED, **same)
    segment = on_policy(trainer, make_segment(trainer))
    batch, scheduled = stack_games([segment], CPU), replace(trainer.scheduled_values(), beta=0.6)
    chunks, _ = make_chunks(trainer, [batch], scheduled, len(segment.reward))
    (minibatch,) = chunks.shuffled_minibatches(1)
    loss, _ = minibatch_loss(trainer, minibatch, scheduled, with_moa=False)
    found = gradients(trainer, loss)
    wanted = actor_critic_loss(actor_critic, batch, scheduled)
    assert_gradients_match(found, gradients(actor_critic, wanted))


@pytest.mark.parametrize("name", ["A3C", "influence", "inequity averse"])
def test_off_policy_with_vtrace_advantages_and_no_clips_it_equals_the_vtrace_actor_critic(
    make_trainer, make_segment, name
):
    clips = {"rho_clip": float("inf"), "c_clip": 0.9}
    same = WEIGHTS | clips | {"experiment": literal.EXPERIMENTS[name]}
    actor_critic = make_trainer(**same)
    ppo = {"algorithm": "ppo", "advantages": "vtrace"}
    trainer = make_trainer(**ppo, **UNBOUNDED, **NOT_NORMALISED, **same)
    segment = make_segment(trainer)
    drift = 0.3 * torch.randn(segment.log_prob.shape).numpy()
    segment = replace(segment, log_prob=on_policy(trainer, segment).log_prob + drift)
    batch, scheduled = stack_games([segment], CPU), trainer.scheduled_values()
    chunks, _ = make_chunks(trainer, [batch], scheduled, len(segment.reward))
    (minibatch,) = chunks.shuffled_minibatches(1)
    loss, scalars = minibatch_loss(trainer, minibatch, scheduled, with_moa=False)
    assert scalars["kl"] > 0.01
    found = gradients(trainer, loss)
    wanted = actor_critic_loss(actor_critic, batch, scheduled)
    assert_gradients_match(found, gradients(actor_critic, wanted))
