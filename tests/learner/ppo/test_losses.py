"""A minibatch of PPO: each head learns from what it chose and was paid, the MOA from the others."""

from dataclasses import replace

import pytest
import torch
from tests.learner import literal

from ssd_learner.ppo import update as ppo
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import stack_games
from ssd_learner.vtrace.losses import losses as vtrace_losses

CPU = torch.device("cpu")
WEIGHTS = {"value_coefficient": 0.4, "entropy": 0.02, "communication_entropy": 0.05}
PLAIN = {"normalise_advantages": False, "normalise_values": False}


@pytest.fixture
def make_part(make_segment):
    """One minibatch of a whole segment, in chunks of 4 steps."""

    def make(trainer):
        batch = stack_games([make_segment(trainer)], CPU)
        return make_chunks(trainer, [batch], trainer.scheduled_values(), chunk=4)[0]

    return make


def unrolled(trainer, part):
    with torch.no_grad():
        return trainer.network.unroll(
            part.pixels,
            part.is_first_host,
            part.actions,
            part.state,
            part.symbols,
            predictions=part.steps,
        )


def moa_loss_literally(logits, foreseen):
    """The mean over all that counts, one number at a time."""
    loss = counted = 0
    log_policy = logits.double().log_softmax(-1)
    for place in foreseen.mask.nonzero().tolist():
        loss -= log_policy[*place, foreseen.targets[*place]].item()
        counted += 1
    return loss / counted


def gradients(trainer, loss):
    """By parameter name; zeros where the loss does not depend on one."""
    trainer.network.zero_grad(set_to_none=True)
    loss.backward()
    return {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
        for name, weight in trainer.network.named_parameters()
    }


@pytest.mark.parametrize("moa", [True, False], ids=["the MOA learns", "it does not"])
@pytest.mark.parametrize("name", literal.EXPERIMENTS)
def test_each_term_and_the_total_are_their_definitions(make_trainer, make_part, name, moa):
    trainer = make_trainer(
        algorithm="ppo", experiment=literal.EXPERIMENTS[name], ratio_clip=0.25, **WEIGHTS
    )
    experiment, part = trainer.experiment, make_part(trainer)
    loss, numbers = ppo.losses(trainer, part, trainer.scheduled_values(), moa)
    unroll = unrolled(trainer, part)
    wanted = literal.head_losses(unroll.policy_logits, unroll.values, part.action_head, 0.25)
    total = wanted["policy_loss"] + 0.4 * wanted["value_loss"] - 0.02 * wanted["entropy"]
    if experiment.symbols:
        heads = unroll.symbol_logits, unroll.symbol_values, part.symbol_head
        said = literal.head_losses(*heads, 0.25)
        total += 0.3 * (said["policy_loss"] + 0.4 * said["value_loss"] - 0.05 * said["entropy"])
        of_both = ("policy_loss", "value_loss", "entropy")
        wanted |= {f"symbol_{term}": said[term] for term in of_both}
    if experiment.has_moa and moa:
        total += experiment.moa_weight * moa_loss_literally(unroll.moa_logits, part.moa_targets)
    assert loss.item() == pytest.approx(total, rel=1e-4)
    assert {n: number.item() for n, number in numbers.items()} == pytest.approx(wanted, rel=1e-4)
    assert 0 < wanted["clipped_share"] < 1


def test_acting_and_speaking_have_ratios_of_their_own(make_trainer, make_part):
    experiment = literal.EXPERIMENTS["communication"]
    trainer = make_trainer(algorithm="ppo", experiment=experiment)
    part = make_part(trainer)

    def terms(**choices):
        numbers = ppo.losses(
            trainer, replace(part, **choices), trainer.scheduled_values(), moa=False
        )[1]
        return numbers["policy_loss"].item(), numbers["symbol_policy_loss"].item()

    acted, said = terms()
    other = part.action_head._replace(log_prob=part.action_head.log_prob + 1)
    acted_otherwise, said_alike = terms(acting=other)
    assert acted_otherwise != acted
    assert said_alike == said
    other = part.symbol_head._replace(log_prob=part.symbol_head.log_prob + 1)
    acted_alike, said_otherwise = terms(speaking=other)
    assert acted_alike == acted
    assert said_otherwise != said


@pytest.mark.parametrize("name", literal.EXPERIMENTS)
def test_every_weight_learns(make_trainer, make_part, name):
    trainer = make_trainer(algorithm="ppo", experiment=literal.EXPERIMENTS[name])
    part = make_part(trainer)
    loss, _ = ppo.losses(trainer, part, trainer.scheduled_values(), moa=True)
    for parameter, gradient in gradients(trainer, loss).items():
        assert gradient.any(), parameter


def test_a_model_that_does_not_learn_has_no_gradient(make_trainer, make_part):
    trainer = make_trainer(algorithm="ppo", experiment=literal.EXPERIMENTS["influence"])
    loss, _ = ppo.losses(trainer, make_part(trainer), trainer.scheduled_values(), moa=False)
    found = gradients(trainer, loss)
    assert not any(found[name].any() for name in found if name.startswith("moa."))
    assert all(found[name].any() for name in found if not name.startswith("moa."))


def acted_by(trainer, segment):
    """The segment, as if this agent with these very weights had acted in it."""
    batch = stack_games([segment], CPU)
    with torch.no_grad():
        unroll = trainer.network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )
    k, found = trainer.shape.agent, {}
    chosen = [("log_prob", unroll.policy_logits, batch.actions[1:-1, :, k])]
    if batch.symbols is not None:
        chosen.append(("symbol_log_prob", unroll.symbol_logits, batch.symbols[1:, :, k]))
    for name, logits, choice in chosen:
        log_policy = logits[:-1].log_softmax(-1)
        found[name] = log_policy.gather(-1, choice.unsqueeze(-1)).squeeze(-1).numpy()
    return replace(segment, **found)


@pytest.mark.parametrize("horizon_ends", ["termination", "truncation"])
@pytest.mark.parametrize("name", literal.EXPERIMENTS)
def test_on_policy_and_unclipped_it_is_the_n_step_actor_critic(
    make_trainer, make_segment, name, horizon_ends
):
    experiment = literal.EXPERIMENTS[name] | {"moa_weight": 0.0}
    same = WEIGHTS | {"experiment": experiment, "horizon_ends": horizon_ends, "reward_clip": 1.5}
    actor_critic = make_trainer(**same)
    trainer = make_trainer(
        algorithm="ppo", gae_lambda=1.0, ratio_clip=1e6, value_pull=float("inf"), **PLAIN, **same
    )
    segment = acted_by(trainer, make_segment(trainer))
    batch, weights = stack_games([segment], CPU), replace(trainer.scheduled_values(), beta=0.6)
    chunks, _ = make_chunks(trainer, [batch], weights, len(segment.reward))
    (part,) = chunks.shuffled(1)
    found = gradients(trainer, ppo.losses(trainer, part, weights, moa=False)[0])
    settings = actor_critic.experiment, actor_critic.learning, weights
    sums = vtrace_losses(actor_critic.network, batch, actor_critic.shape, *settings)
    wanted = gradients(actor_critic, sums.total / batch.steps)
    for parameter, gradient in wanted.items():
        largest = gradient.abs().max().item()
        torch.testing.assert_close(
            found[parameter], gradient, rtol=1e-3, atol=1e-5 * largest, msg=parameter
        )
        assert largest > 0 or parameter.startswith("moa.")
