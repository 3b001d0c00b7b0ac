"""The policy and value of an agent: features, and what the others just did, through an LSTM."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.layers import LOGITS_GAIN, Lstm, LstmState, Torso, dense, one_hot


class PolicyStep(NamedTuple):
    """The policy at one moment in B games."""

    logits: Tensor  # [B, A]
    value: Tensor  # [B]
    state: LstmState  # after s_t


class Policy(nn.Module):
    """π and V of one agent.

    Args:
        inputs: size of the convolution's output.
        hidden: size of the dense layers.
        cells: size of the LSTM.
        others: the numbers of the agents whose last actions are visible to the policy, whether
            or not they are in view.
        num_actions: A.
    """

    others: Tensor

    def __init__(
        self, inputs: int, hidden: int, cells: int, others: Sequence[int], num_actions: int
    ) -> None:
        super().__init__()
        self.num_actions = num_actions
        self.register_buffer("others", torch.tensor(others, dtype=torch.long), persistent=False)
        self.torso = Torso(inputs, hidden)
        self.lstm = Lstm(hidden + len(others) * num_actions, cells)
        self.logits = dense(cells, num_actions, LOGITS_GAIN)
        self.value = dense(cells, 1, 1.0)

    def step(
        self, features_t: Tensor, actions_tm1: Tensor, first_t: Tensor, state: LstmState
    ) -> PolicyStep:
        """Logits and value of s_t.

        Args:
            features_t: [B, hidden] policy features of s_t.
            actions_tm1: [B, N] integer, what everyone did in the step before.
            first_t: [B] bool, where s_t is the first view of an episode: there the state starts
                from zero, and the others' last actions enter as zeros, not as any action.
            state: the policy's state before s_t.
        """
        inputs = self._inputs(features_t, actions_tm1, first_t)
        state = self.lstm.step(inputs, state.reset(first_t))
        return PolicyStep(self.logits(state.h), self.value(state.h).squeeze(-1), state)

    def unroll(
        self,
        features: Tensor,
        actions_tm1: Tensor,
        first: Tensor,
        starts: Sequence[int],
        state: LstmState,
    ) -> tuple[Tensor, Tensor]:
        """What `step` gives along a sequence, differentiably: logits [T, B, A], values [T, B].

        Args:
            features: [T, B, hidden] policy features.
            actions_tm1: [T, B, N] integer, what everyone did before each view.
            first: [T, B] bool.
            starts: as in `Lstm.unroll`.
            state: before the first view.
        """
        inputs = self._inputs(features, actions_tm1, first)
        outputs = self.lstm.unroll(inputs, first, starts, state)
        return self.logits(outputs), self.value(outputs).squeeze(-1)

    def _inputs(self, features: Tensor, actions_tm1: Tensor, first: Tensor) -> Tensor:
        """[..., hidden], [..., N] and [...] → [..., hidden + J·A]."""
        if not len(self.others):
            return features
        taken = one_hot(actions_tm1.index_select(-1, self.others), self.num_actions)
        taken &= ~first[..., None, None]
        return torch.cat([features, taken.flatten(-2).to(features.dtype)], -1)
