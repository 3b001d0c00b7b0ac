"""The agent's policy: features and inputs about other agents, an LSTM, and its heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.networks.communication_head import CommunicationHead
from ssd_influence.networks.layers import LOGITS_GAIN, Torso, dense
from ssd_influence.networks.lstm import Lstm, LstmState
from ssd_influence.networks.policy_inputs import PolicyInputs
from ssd_influence.networks.value_gradient import limit_value_gradient


class PolicyStep(NamedTuple):
    """The policy at one step in B games."""

    logits: Tensor  # [B, A]
    value: Tensor  # [B]
    state: LstmState  # after s_t
    symbol_logits: Tensor | None = None  # [B, V]; None without communication
    symbol_value: Tensor | None = None  # [B]


class PolicyHeads(NamedTuple):
    """The outputs of all heads, with any leading axes."""

    logits: Tensor  # [..., A]
    values: Tensor  # [...]
    symbol_logits: Tensor | None  # [..., V]; None without communication
    symbol_values: Tensor | None  # [...]


class Policy(nn.Module):
    """π and V of one agent, and with communication π_m and V_m.

    Args:
        inputs: size of the convolution's output.
        hidden: size of the dense layers.
        cells: size of the LSTM.
        num_actions: A.
        policy_inputs: what the policy receives about other agents.
        symbols: V; 0 for no communication.
        embedding: width of the communication head's embedding.

    Attributes:
        value_gradient_limit: largest norm of a value's gradient where it enters the layers that it
            shares with its policy, relative to the policy's there; see `limit_value_gradient`.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        cells: int,
        num_actions: int,
        policy_inputs: PolicyInputs,
        symbols: int,
        embedding: int,
    ) -> None:
        super().__init__()
        self.policy_inputs = policy_inputs
        self.value_gradient_limit = math.inf
        self.torso = Torso(inputs, hidden)
        self.lstm = Lstm(hidden + policy_inputs.width, cells)
        self.logits = dense(cells, num_actions, LOGITS_GAIN)
        self.value = dense(cells, 1, 1.0)
        self.communication = CommunicationHead(cells, embedding, symbols) if symbols else None

    def step(
        self,
        features_t: Tensor,
        actions_tm1: Tensor,
        is_first_t: Tensor,
        state: LstmState,
        leader_actions_t: Tensor | None = None,
        symbols_tm1: Tensor | None = None,
    ) -> PolicyStep:
        """Logits and values of s_t.

        Args:
            features_t: [B, hidden] policy features of s_t.
            actions_tm1: [B, N] integer, all actions of the step before.
            is_first_t: [B] bool, where s_t is the first view of an episode. There the state is
                reset, and actions and symbols of the step before are zeros.
            state: the policy's state before s_t.
            leader_actions_t: [B, L] integer, the actions of this agent's leaders in this step,
                ascending by agent.
            symbols_tm1: [B, N] integer, all symbols of the step before.
        """
        inputs = self._inputs(features_t, actions_tm1, is_first_t, leader_actions_t, symbols_tm1)
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
        leader_actions: Tensor | None = None,
        symbols_tm1: Tensor | None = None,
    ) -> tuple[PolicyHeads, LstmState]:
        """The outputs of `step` for a sequence, differentiable, and the state after it.

        Args:
            features: [T, B, hidden] policy features.
            actions_tm1: [T, B, N] integer, all actions before each view.
            is_first: [T, B] bool.
            starts: as in `Lstm.unroll`.
            state: before the first view.
            leader_actions: [T, B, L] integer, the leaders' actions at each view.
            symbols_tm1: [T, B, N] integer, all symbols before each view.
        """
        inputs = self._inputs(features, actions_tm1, is_first, leader_actions, symbols_tm1)
        outputs, state = self.lstm.unroll(inputs, is_first, starts, state)
        return self._heads(outputs), state

    def _inputs(
        self,
        features: Tensor,
        actions_tm1: Tensor,
        is_first: Tensor,
        leader_actions: Tensor | None,
        symbols_tm1: Tensor | None,
    ) -> Tensor:
        """The LSTM's input: [..., hidden] features → [..., hidden + S·A + J·V]."""
        one_hots = self.policy_inputs(actions_tm1, is_first, leader_actions, symbols_tm1)
        return torch.cat([features, *(x.to(features.dtype) for x in one_hots)], -1)

    def _heads(self, h: Tensor) -> PolicyHeads:
        """All heads, of the LSTM's output [..., cells]."""
        symbol_heads = (None, None)
        if self.communication is not None:
            symbol_heads = self.communication(h, self.value_gradient_limit)
        for_policy, for_value = limit_value_gradient(h, self.value_gradient_limit)
        values = self.value(for_value).squeeze(-1)
        return PolicyHeads(self.logits(for_policy), values, *symbol_heads)
