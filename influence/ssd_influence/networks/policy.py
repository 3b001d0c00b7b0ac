"""What an agent does and says: features, and what it is told of the others, through an LSTM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.networks.communication_head import CommunicationHead
from ssd_influence.networks.layers import LOGITS_GAIN, Torso, dense
from ssd_influence.networks.lstm import Lstm, LstmState
from ssd_influence.networks.policy_inputs import Told
from ssd_influence.networks.value_gradient import bounded_pull


class PolicyStep(NamedTuple):
    """The policy at one moment in B games."""

    logits: Tensor  # [B, A]
    value: Tensor  # [B]
    state: LstmState  # after s_t
    symbol_logits: Tensor | None = None  # [B, V]; None for one who says nothing
    symbol_value: Tensor | None = None  # [B]


class PolicyHeads(NamedTuple):
    """What the heads make of the LSTM's output, for any leading axes."""

    logits: Tensor  # [..., A]
    values: Tensor  # [...]
    symbol_logits: Tensor | None  # [..., V]; None for one who says nothing
    symbol_values: Tensor | None  # [...]


class Policy(nn.Module):
    """π and V of one agent, and where symbols are said π_m and V_m.

    Args:
        inputs: size of the convolution's output.
        hidden: size of the dense layers.
        cells: size of the LSTM.
        num_actions: A.
        told: what it is told of the others.
        symbols: V; 0 for silence.
        embedding: width of the communication head's embedding.

    Attributes:
        value_pull: largest norm of a value's gradient on the layers that it shares with its
            policy, in norms of the policy's own; see `bounded_pull`.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        cells: int,
        num_actions: int,
        told: Told,
        symbols: int,
        embedding: int,
    ) -> None:
        super().__init__()
        self.told = told
        self.value_pull = math.inf
        self.torso = Torso(inputs, hidden)
        self.lstm = Lstm(hidden + told.width, cells)
        self.logits = dense(cells, num_actions, LOGITS_GAIN)
        self.value = dense(cells, 1, 1.0)
        self.communication = CommunicationHead(cells, embedding, symbols) if symbols else None

    def step(
        self,
        features_t: Tensor,
        actions_tm1: Tensor,
        is_first_t: Tensor,
        state: LstmState,
        leaders_t: Tensor | None = None,
        symbols_tm1: Tensor | None = None,
    ) -> PolicyStep:
        """Logits and values of s_t.

        Args:
            features_t: [B, hidden] policy features of s_t.
            actions_tm1: [B, N] integer, what everyone did in the step before.
            is_first_t: [B] bool, where s_t is the first view of an episode: there the state starts
                from zero, and what the others did and said in the step before enters as zeros,
                not as any action or symbol.
            state: the policy's state before s_t.
            leaders_t: [B, L] integer, what those it follows do in this step, ascending.
            symbols_tm1: [B, N] integer, what everyone said in the step before.
        """
        inputs = self._inputs(features_t, actions_tm1, is_first_t, leaders_t, symbols_tm1)
        state = self.lstm.step(inputs, state.reset(is_first_t))
        heads = self._heads(state.h)
        return PolicyStep(heads.logits, heads.values, state, *heads[2:])

    def unroll(
        self,
        features: Tensor,
        actions_tm1: Tensor,
        is_first: Tensor,
        starts: Sequence[int],
        state: LstmState,
        leaders: Tensor | None = None,
        symbols_tm1: Tensor | None = None,
    ) -> tuple[PolicyHeads, LstmState]:
        """What `step` gives along a sequence, differentiably, and the state after it.

        Args:
            features: [T, B, hidden] policy features.
            actions_tm1: [T, B, N] integer, what everyone did before each view.
            is_first: [T, B] bool.
            starts: as in `Lstm.unroll`.
            state: before the first view.
            leaders: [T, B, L] integer, what those it follows do at each view, ascending.
            symbols_tm1: [T, B, N] integer, what everyone said before each view.
        """
        inputs = self._inputs(features, actions_tm1, is_first, leaders, symbols_tm1)
        outputs, state = self.lstm.unroll(inputs, is_first, starts, state)
        return self._heads(outputs), state

    def _inputs(
        self,
        features: Tensor,
        actions_tm1: Tensor,
        is_first: Tensor,
        leaders: Tensor | None,
        symbols_tm1: Tensor | None,
    ) -> Tensor:
        """[..., hidden] and what it is told → [..., hidden + S·A + J·V]."""
        told = self.told(actions_tm1, is_first, leaders, symbols_tm1)
        return torch.cat([features, *(x.to(features.dtype) for x in told)], -1)

    def _heads(self, h: Tensor) -> PolicyHeads:
        """Of the LSTM's output [..., cells]."""
        said = (None, None)
        if self.communication is not None:
            said = self.communication(h, self.value_pull)
        for_policy, for_value = bounded_pull(h, self.value_pull)
        return PolicyHeads(self.logits(for_policy), self.value(for_value).squeeze(-1), *said)
