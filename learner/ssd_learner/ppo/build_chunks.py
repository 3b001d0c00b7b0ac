"""A batch made ready for PPO's passes, by one look at it with the weights as they are.

The look gives values, and from them advantages; the recurrent state before each chunk; and all that
judges the agent on data that it has not been trained on yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd_influence.networks.agent_network import AgentNetwork, Unroll
from ssd_influence.networks.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)
from ssd_learner.ppo.chunks import Choices, Chunks, Foreseen, cut, together
from ssd_learner.reporting.policy_information import policy_information
from ssd_learner.reporting.report import Numbers, Weights, explained_variance
from ssd_learner.segments.batch import Batch
from ssd_learner.targets.gae import Estimates, gae
from ssd_learner.targets.rewards import at_the_horizon, rewards
from ssd_learner.trainer import Trainer


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
    seen = [_look(trainer.network, batch, chunk) for batch in batches]
    to_act, to_speak = zip(
        *(rewards(of, trainer.experiment, trainer.learning, weights.beta) for of in batches),
        strict=True,
    )
    acts = _Head(trainer, "acting", [of.values for of in seen])
    estimates = acts.estimates(batches, to_act)
    before = _before(batches, seen, estimates)
    acting = acts.learnable(estimates)
    speaking: Sequence[Estimates | None] = [None] * len(batches)
    if trainer.experiment.symbols:
        values = [of.symbol_values for of in seen if of.symbol_values is not None]
        speaks = _Head(trainer, "speaking", values)
        speaking = speaks.learnable(speaks.estimates(batches, to_speak))
    parts = zip(batches, seen, acting, speaking, strict=True)
    chunks = together([_chunks(trainer, *part, chunk) for part in parts])
    return chunks, before | _judge_moa(trainer, seen, chunks)


@dataclass(frozen=True, eq=False)
class Look:
    """A batch of L steps of B games, as the network sees it.

    Attributes:
        values: [L+1, B] what the value head puts out.
        log_policy: [L, B, A].
        states: recurrent state before each chunk, [B, S] each.
        symbol_values: [L+1, B]; None where nobody speaks.
        moa_logits: [L, B, J, A]; None without a MOA.
    """

    values: Tensor
    log_policy: Tensor
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
        log_policy=torch.cat([part.policy_logits for part in parts[:-1]]).log_softmax(-1),
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
        batch.is_first_host[begin:end],
        batch.actions[begin : end + 1],
        state,
        None if batch.symbols is None else batch.symbols[begin : end + 1],
        predictions=predictions,
    )


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


class _Head:
    """One head's values, and what is made of them.

    Args:
        trainer: Whose head.
        name: "acting" or "speaking".
        outputs: [L+1, B] of each batch, as the value head puts them out.
    """

    def __init__(self, trainer: Trainer, name: str, outputs: Sequence[Tensor]) -> None:
        self._scale = trainer.scales.get(name)
        self._learning = trainer.learning
        scale = self._scale
        self._values = outputs if scale is None else [scale.values(of) for of in outputs]

    def estimates(self, batches: Sequence[Batch], paid: Sequence[Tensor]) -> list[Estimates]:
        """Advantages and returns, in rewards."""
        learning, found = self._learning, []
        for batch, values, reward in zip(batches, self._values, paid, strict=True):
            ended = batch.is_first[1:]
            reward_t = at_the_horizon(reward, ended, values, learning)
            found.append(gae(reward_t, learning.gamma * ~ended, values, learning.gae_lambda))
        return found

    def learnable(self, estimates: Sequence[Estimates]) -> list[Estimates]:
        """Advantages as the policy takes them, and targets as the value head puts them out.

        Mean and deviation of the targets move first, and the value head's weights with them.
        """
        advantages, targets = ([of[part] for of in estimates] for part in (0, 1))
        if self._scale is not None:
            self._scale.update(torch.cat([of.flatten() for of in targets]))
            targets = [self._scale.targets(of) for of in targets]
        if self._learning.normalise_advantages:
            everywhere = torch.cat([of.flatten() for of in advantages])
            mean, deviation = everywhere.mean(), everywhere.std(correction=0).clamp(min=1e-6)
            advantages = [(of - mean) / deviation for of in advantages]
        return [Estimates(*of) for of in zip(advantages, targets, strict=True)]


def _before(batches: Sequence[Batch], seen: Sequence[Look], acting: Sequence[Estimates]) -> Numbers:
    """What the agent earned, and how much of its returns its critic foresaw."""
    errors = torch.cat([of.advantage.flatten() for of in acting])
    returns = torch.cat([of.value.flatten() for of in acting])
    return {
        "explained_variance": explained_variance(errors, returns),
        "information": policy_information(torch.cat([of.log_policy.flatten(0, 1) for of in seen])),
        "influence": torch.cat([batch.influence.flatten() for batch in batches]).mean(),
        "reward": torch.cat([batch.reward.flatten() for batch in batches]).mean(),
    }


def _judge_moa(trainer: Trainer, seen: Sequence[Look], chunks: Chunks) -> Numbers:
    """How well the MOA foresaw what the others did."""
    logits = [cut(of.moa_logits, chunks.steps) for of in seen if of.moa_logits is not None]
    if chunks.foreseen is None:
        return {}
    entropy = action_marginal_entropy(*chunks.foreseen, trainer.shape.num_actions)
    return {
        "moa_loss": moa_loss(torch.cat(logits, 1), *chunks.foreseen),
        "moa_marginal_entropy": entropy,
        "moa_targets": chunks.foreseen.mask.sum(),
    }


def _chunks(
    trainer: Trainer,
    batch: Batch,
    look: Look,
    acting: Estimates,
    speaking: Estimates | None,
    chunk: int,
) -> Chunks:
    agent, foreseen, said = trainer.shape.agent, None, None
    if look.moa_logits is not None:
        foreseen = Foreseen(*(cut(of, chunk) for of in _foreseen(trainer, batch)))
    if speaking is not None and batch.symbols is not None and batch.symbol_log_prob is not None:
        spoken = batch.symbols[1:, :, agent]
        said = _choices(spoken, batch.symbol_log_prob, speaking, chunk)
    return Chunks(
        pixels=cut(batch.pixels[:-1], chunk),
        is_first_host=cut(batch.is_first_host[:-1], chunk),
        actions=cut(batch.actions[:-1], chunk, overlap=1),
        state=torch.cat(look.states),
        acting=_choices(batch.actions[1:-1, :, agent], batch.log_prob, acting, chunk),
        foreseen=foreseen,
        symbols=None if batch.symbols is None else cut(batch.symbols, chunk, overlap=1),
        speaking=said,
    )


def _foreseen(trainer: Trainer, batch: Batch) -> Foreseen:
    others, only_visible = trainer.shape.others, trainer.experiment.moa_only_when_visible
    mask = moa_targets_mask(batch.is_first, batch.visible, others, only_visible)
    return Foreseen(moa_targets(batch.actions, others), mask)


def _choices(chosen: Tensor, log_prob: Tensor, estimates: Estimates, chunk: int) -> Choices:
    parts = chosen, log_prob, estimates.advantage, estimates.value
    return Choices(*(cut(of, chunk) for of in parts))
