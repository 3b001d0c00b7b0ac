"""One forward pass over a batch before training on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd_influence.networks.agent_network import AgentNetwork, Unroll
from ssd_learner.segments.batch import Batch
from ssd_learner.targets.log_ratio import joint_log_ratio


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The network's outputs on L steps of B games.

    Attributes:
        values: [L+1, B] outputs of the value head.
        log_policy: [L, B, A].
        chunk_states: recurrent state before each chunk, [B, S] each.
        symbol_values: [L+1, B]; None without communication.
        symbol_log_policy: [L, B, V]; None without communication.
        moa_logits: [L, B, J, A]; None without a MOA.
    """

    values: Tensor
    log_policy: Tensor
    chunk_states: list[Tensor]
    symbol_values: Tensor | None
    symbol_log_policy: Tensor | None
    moa_logits: Tensor | None

    def log_ratio(self, batch: Batch, agent: int) -> Tensor:
        """[L, B] log π(a_t) − log μ(a_t), of the agent's action and, if any, its symbol."""
        action, symbol = _log_prob(self.log_policy, batch.actions[1:-1, :, agent]), None
        if self.symbol_log_policy is not None and batch.symbols is not None:
            symbol = _log_prob(self.symbol_log_policy, batch.symbols[1:, :, agent])
        return joint_log_ratio(batch, action, symbol)


def _log_prob(log_policy: Tensor, action: Tensor) -> Tensor:
    return log_policy.gather(-1, action.unsqueeze(-1)).squeeze(-1)


def evaluate(network: AgentNetwork, batch: Batch, chunk: int) -> Evaluation:
    """Unroll the network over all chunks in turn, and then over the last view."""
    steps, state = len(batch.reward), batch.state
    states, parts = [], []
    for begin in range(0, steps + 1, chunk):
        views, predictions = (chunk, chunk) if begin < steps else (1, 0)
        states.append(state)
        parts.append(_unroll(network, batch, begin, views, state, predictions))
        state = parts[-1].state
    symbol_logits = _concatenated([part.symbol_logits for part in parts[:-1]])
    return Evaluation(
        values=torch.cat([part.values for part in parts]),
        log_policy=torch.cat([part.policy_logits for part in parts[:-1]]).log_softmax(-1),
        chunk_states=states[:-1],
        symbol_values=_concatenated([part.symbol_values for part in parts]),
        symbol_log_policy=None if symbol_logits is None else symbol_logits.log_softmax(-1),
        moa_logits=_concatenated([part.moa_logits for part in parts[:-1]]),
    )


def _unroll(
    network: AgentNetwork, batch: Batch, begin: int, views: int, state: Tensor, predictions: int
) -> Unroll:
    end = begin + views
    return network.unroll(
        batch.pixels[begin:end],
        batch.is_first[begin:end],
        batch.actions[begin : end + 1],
        state,
        None if batch.symbols is None else batch.symbols[begin : end + 1],
        predictions=predictions,
        is_first_host=batch.is_first_host[begin:end],
    )


def _concatenated(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None
