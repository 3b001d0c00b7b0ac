"""A batch made ready for PPO's passes, by one look at it with the weights as they are.

The look gives values, and from them advantages; the recurrent state before each chunk; and all that
judges the agent on data that it has not been trained on yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd_influence.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)
from ssd_influence.network import AgentNetwork, Unroll
from ssd_learner.batch import Batch
from ssd_learner.chunks import Choices, Chunks, cut, together
from ssd_learner.gae import Estimates, gae
from ssd_learner.report import Numbers
from ssd_learner.rewards import at_the_horizon, rewards
from ssd_learner.settings import LearningSettings
from ssd_learner.trainer import Trainer, Weights
from ssd_learner.value_scale import ValueScale


@torch.no_grad()
def prepare(
    trainer: Trainer, batches: Sequence[Batch], weights: Weights, chunk: int
) -> tuple[Chunks, Numbers]:
    """Chunks of all batches, and what the agent was like before it was trained on them.

    Args:
        trainer: The agent. Where values are normalised, its value heads are changed so that they
            put out the same values by a new mean and deviation.
        batches: [L, B] each.
        weights: Of what the agent's clock changes.
        chunk: C, which divides every L.
    """
    learning, scales = trainer.learning, trainer.scales
    seen = [_look(trainer.network, batch, chunk) for batch in batches]
    paid = [rewards(batch, trainer.experiment, learning, weights.beta) for batch in batches]
    values = [of.values for of in seen]
    acting = _estimates(batches, values, [to_act for to_act, _ in paid], scales.get("acting"), learning)
    before = _before(trainer, batches, acting)
    acting = _learnable(acting, scales.get("acting"), learning)
    speaking: list[Estimates] = []
    if trainer.experiment.symbols:
        values = [of.symbol_values for of in seen if of.symbol_values is not None]
        scale = scales.get("speaking")
        to_speak = [of for _, of in paid]
        speaking = _estimates(batches, values, to_speak, scale, learning)
        speaking = _learnable(speaking, scale, learning)
    made = [
        _chunks(trainer, batch, of, acting[number], speaking[number] if speaking else None, chunk)
        for number, (batch, of) in enumerate(zip(batches, seen, strict=True))
    ]
    chunks = together(made)
    return chunks, before | _judge_moa(trainer, seen, chunks, chunk)


@dataclass(frozen=True, eq=False)
class Look:
    """A batch of L steps of B games, as the network sees it.

    Attributes:
        values: [L+1, B] what the value head puts out.
        states: recurrent state before each chunk, [B, S] each.
        symbol_values: [L+1, B]; None where nobody speaks.
        moa_logits: [L, B, J, A]; None without a MOA.
    """

    values: Tensor
    states: list[Tensor]
    symbol_values: Tensor | None
    moa_logits: Tensor | None


def _look(network: AgentNetwork, batch: Batch, chunk: int) -> Look:
    """From chunk to chunk, each from the state that the last one left; then the last view."""
    steps, state = len(batch.reward), batch.state
    states, parts = [], []
    for begin in range(0, steps + 1, chunk):
        views, predictions = (chunk, chunk) if begin < steps else (1, 0)
        states.append(state)
        parts.append(_unroll(network, batch, begin, views, state, predictions))
        state = parts[-1].state
    return Look(
        values=torch.cat([part.values for part in parts]),
        states=states[:-1],
        symbol_values=_joined([part.symbol_values for part in parts]),
        moa_logits=_joined([part.moa_logits for part in parts[:-1]]),
    )


def _unroll(
    network: AgentNetwork, batch: Batch, begin: int, views: int, state: Tensor, predictions: int
) -> Unroll:
    end = begin + views
    return network.unroll(
        batch.pixels[begin:end],
        batch.first_host[begin:end],
        batch.actions[begin : end + 1],
        state,
        None if batch.symbols is None else batch.symbols[begin : end + 1],
        predictions=predictions,
    )


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def _estimates(
    batches: Sequence[Batch],
    outputs: Sequence[Tensor],
    paid: Sequence[Tensor],
    scale: ValueScale | None,
    learning: LearningSettings,
) -> list[Estimates]:
    """Of one head, in rewards."""
    found = []
    for batch, output, reward in zip(batches, outputs, paid, strict=True):
        values = output if scale is None else scale.values(output)
        ended = batch.first[1:]
        reward = at_the_horizon(reward, ended, values, learning)
        found.append(gae(reward, learning.gamma * ~ended, values, learning.gae_lambda))
    return found


def _learnable(
    estimates: Sequence[Estimates], scale: ValueScale | None, learning: LearningSettings
) -> list[Estimates]:
    """Advantages as the policy takes them, and targets as the value head is to put them out."""
    targets = [of.value for of in estimates]
    if scale is not None:
        scale.update(torch.cat([of.flatten() for of in targets]))
        targets = [scale.targets(of) for of in targets]
    advantages = [of.advantage for of in estimates]
    if learning.normalise_advantages:
        all_of_them = torch.cat([of.flatten() for of in advantages])
        mean, deviation = all_of_them.mean(), all_of_them.std().clamp(min=1e-6)
        advantages = [(of - mean) / deviation for of in advantages]
    return [Estimates(*of) for of in zip(advantages, targets, strict=True)]


def _before(trainer: Trainer, batches: Sequence[Batch], acting: Sequence[Estimates]) -> Numbers:
    """What the agent earned, and how much of its returns its critic foresaw."""
    errors = torch.cat([of.advantage.flatten() for of in acting])
    returns = torch.cat([of.value.flatten() for of in acting])
    return {
        "explained_variance": 1 - errors.var() / returns.var().clamp(min=1e-12),
        "influence": torch.cat([batch.influence.flatten() for batch in batches]).mean(),
        "reward": torch.cat([batch.reward.flatten() for batch in batches]).mean(),
    }


def _judge_moa(trainer: Trainer, seen: Sequence[Look], chunks: Chunks, chunk: int) -> Numbers:
    """How well the MOA foresaw what the others did; nothing where nobody counted."""
    logits = [cut(of.moa_logits, chunk) for of in seen if of.moa_logits is not None]
    if not logits or chunks.moa_targets is None or chunks.moa_mask is None:
        return {}
    known = chunks.moa_targets, chunks.moa_mask
    return {
        "moa_loss": moa_loss(torch.cat(logits, 1), *known),
        "moa_marginal_entropy": action_marginal_entropy(*known, trainer.shape.num_actions),
        "moa_targets": chunks.moa_mask.sum(),
    }


def _chunks(
    trainer: Trainer,
    batch: Batch,
    look: Look,
    acting: Estimates,
    speaking: Estimates | None,
    chunk: int,
) -> Chunks:
    agent, shape = trainer.shape.agent, trainer.shape
    targets = mask = said = None
    if look.moa_logits is not None:
        targets = cut(moa_targets(batch.actions, shape.others), chunk)
        only_when_visible = trainer.experiment.moa_only_when_visible
        mask = moa_targets_mask(batch.first, batch.visible, shape.others, only_when_visible)
        mask = cut(mask, chunk)
    if speaking is not None and batch.symbols is not None and batch.symbol_log_prob is not None:
        spoken = batch.symbols[1:, :, agent]
        said = _choices(spoken, batch.symbol_log_prob, speaking, chunk)
    return Chunks(
        pixels=cut(batch.pixels[:-1], chunk),
        first_host=cut(batch.first_host[:-1], chunk),
        actions=cut(batch.actions[:-1], chunk, overlap=1),
        state=torch.cat(look.states),
        acting=_choices(batch.actions[1:-1, :, agent], batch.log_prob, acting, chunk),
        moa_targets=targets,
        moa_mask=mask,
        symbols=None if batch.symbols is None else cut(batch.symbols, chunk, overlap=1),
        speaking=said,
    )


def _choices(chosen: Tensor, log_prob: Tensor, estimates: Estimates, chunk: int) -> Choices:
    parts = chosen, log_prob, estimates.advantage, estimates.value
    return Choices(*(cut(of, chunk) for of in parts))
