"""The Model of Other Agents: what agent k expects each other agent to do next (§6, figure 6).

From its view s_t and what everyone did in it, a_t, agent k predicts a_{t+1} of each other agent.
Asked again with each action ã that k could have taken instead, the model tells how far k's
action moved the others: the counterfactuals from which `influence` makes a reward.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.layers import LOGITS_GAIN, Lstm, LstmState, Torso, cell_, dense, one_hot


class Prediction(NamedTuple):
    """What the others will do after what happened at t."""

    logits: Tensor  # [B, J, A] of a_{t+1}, for each other agent
    state: LstmState  # after t


class Counterfactuals(NamedTuple):
    """What the others would do after each action ã that agent k could have taken at t."""

    logits: Tensor  # [R, A, J, A] of a_{t+1}: games asked for, ã, other agents, their actions
    state: LstmState  # after what really happened at t, in all B games


class ModelOfOthers(nn.Module):
    """Agent k's model of the J = N − 1 other agents, in ascending order of their numbers.

    Its LSTM takes at t the features of s_t and the one-hot actions at t of all N agents, in the
    order of their numbers, k's own among them.

    Args:
        inputs: size of the convolution's output.
        hidden: size of the dense layers.
        cells: size of the LSTM.
        agent: the number k of the agent whose model this is.
        num_agents: N.
        num_actions: A.
    """

    def __init__(
        self, inputs: int, hidden: int, cells: int, agent: int, num_agents: int, num_actions: int
    ) -> None:
        super().__init__()
        self.agent = agent
        self.num_agents = num_agents
        self.num_actions = num_actions
        self.torso = Torso(inputs, hidden)
        self.lstm = Lstm(hidden + num_agents * num_actions, cells)
        self.logits = dense(cells, (num_agents - 1) * num_actions, LOGITS_GAIN)

    def step(
        self, features_t: Tensor, actions_t: Tensor, first_t: Tensor, state: LstmState
    ) -> Prediction:
        """Predicts a_{t+1}, having seen everyone act at t.

        Args:
            features_t: [B, hidden] MOA features of s_t.
            actions_t: [B, N] integer, what everyone did at t.
            first_t: [B] bool, where s_t is the first view of an episode; there the state restarts.
            state: the MOA's state before t.
        """
        state = self.lstm.step(self._inputs(features_t, actions_t), state.reset(first_t))
        return Prediction(self._others(self.logits(state.h)), state)

    def unroll(
        self,
        features: Tensor,
        actions: Tensor,
        first: Tensor,
        starts: Sequence[int],
        state: LstmState,
    ) -> Tensor:
        """What `step` predicts along a sequence, differentiably: logits [T, B, J, A] of a_{t+1}.

        Args:
            features: [T, B, hidden] MOA features of s_0 … s_{T−1}.
            actions: [T, B, N] integer, a_0 … a_{T−1}.
            first: [T, B] bool.
            starts: as in `Lstm.unroll`.
            state: before s_0.
        """
        outputs = self.lstm.unroll(self._inputs(features, actions), first, starts, state)
        return self._others(self.logits(outputs))

    def counterfactuals(
        self,
        features_t: Tensor,
        actions_t: Tensor,
        first_t: Tensor,
        state: LstmState,
        rows: Tensor | None = None,
    ) -> Counterfactuals:
        """Predicts a_{t+1} once for each action that agent k could have taken at t.

        Everything that enters the LSTM but k's own action is the same whatever k does, and so is
        its share of the gates: it is reckoned once, and each ã adds one column of the weights.
        Not differentiable.

        Args:
            features_t: [B, hidden] MOA features of s_t.
            actions_t: [B, N] integer, what everyone did at t.
            first_t: [B] bool, as in `step`.
            state: the MOA's state before t.
            rows: [R] long, the games to answer for; None for all. The state advances in all.
        """
        with torch.no_grad():
            h, c = state.reset(first_t)
            gates = self._gates_but_own(features_t, actions_t, h)
            own = self._own_columns()
            happened = cell_(gates + own[actions_t[:, self.agent].long()], c)
            if rows is not None:
                gates, c = gates[rows], c[rows]
            imagined = cell_(gates.unsqueeze(1) + own, c.unsqueeze(1))
            return Counterfactuals(self._others(self.logits(imagined.h)), happened)

    def _inputs(self, features: Tensor, actions: Tensor) -> Tensor:
        """[..., hidden] and [..., N] → [..., hidden + N·A]."""
        taken = one_hot(actions, self.num_actions).flatten(-2)
        return torch.cat([features, taken.to(features.dtype)], -1)

    def _gates_but_own(self, features_t: Tensor, actions_t: Tensor, h: Tensor) -> Tensor:
        """The LSTM's gates [B, 4 · cells] before k's own action has its share in them."""
        taken = one_hot(actions_t, self.num_actions)
        taken[:, self.agent] = False
        inputs = torch.cat([features_t, taken.flatten(-2).to(features_t.dtype)], -1)
        gates = torch.addmm(self.lstm.bias_ih_l0, inputs, self.lstm.weight_ih_l0.t())
        return gates.addmm_(h, self.lstm.weight_hh_l0.t()).add_(self.lstm.bias_hh_l0)

    def _own_columns(self) -> Tensor:
        """[A, 4 · cells] what each of k's actions adds to the gates."""
        actions_begin = self.lstm.input_size - self.num_agents * self.num_actions
        own_begin = actions_begin + self.agent * self.num_actions
        columns = self.lstm.weight_ih_l0[:, own_begin : own_begin + self.num_actions]
        return columns.t().contiguous()

    def _others(self, logits: Tensor) -> Tensor:
        """[..., J·A] → [..., J, A]."""
        return logits.view(*logits.shape[:-1], self.num_agents - 1, self.num_actions)
