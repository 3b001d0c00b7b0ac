"""The Model of Other Agents: what agent k expects each other agent to do next (§6, figure 6).

From its view s_t and what everyone did and said in it, a_t and m_t, agent k predicts a_{t+1} of
each other agent. Asked again with each action ã that k could have taken instead, or each symbol m̃
that it could have said, the model tells how far k moved the others: the counterfactuals from which
`influence` makes a reward.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.networks.layers import LOGITS_GAIN, Torso, dense, one_hot
from ssd_influence.networks.lstm import Lstm, LstmState, cell_
from ssd_influence.networks.policy_inputs import told_of


class Prediction(NamedTuple):
    """What the others will do after what happened at t."""

    logits: Tensor  # [B, J, A] of a_{t+1}, for each other agent
    state: LstmState  # after t


class Counterfactuals(NamedTuple):
    """What the others would do after each ã, or m̃, that agent k could have done or said at t."""

    logits: Tensor  # [R, C, J, A] of a_{t+1}: games asked for, ã or m̃, other agents, their actions
    state: LstmState  # after what really happened at t, in all B games


class ModelOfOthers(nn.Module):
    """Agent k's model of the J = N − 1 other agents, in ascending order of their numbers.

    Its LSTM takes at t the features of s_t, the one-hot actions at t of all N agents, in the order
    of their numbers, k's own among them, and likewise their symbols, where any are said.

    Args:
        inputs: size of the convolution's output.
        hidden: size of the dense layers.
        cells: size of the LSTM.
        agent: the number k of the agent whose model this is.
        num_agents: N.
        num_actions: A.
        symbols: V; 0 for silence.
        imagines_symbols: counterfactuals are of what k could have said, not of what it could have
            done.

    Attributes:
        groups: how many one-hot inputs there are of each width, in their order.
        imagined: in which of these groups k's own input is the one that counterfactuals change.
        alternatives: C, how many things k could have done, or said.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        cells: int,
        agent: int,
        num_agents: int,
        num_actions: int,
        symbols: int = 0,
        imagines_symbols: bool = False,
    ) -> None:
        super().__init__()
        self.agent = agent
        self.num_agents = num_agents
        self.num_actions = num_actions
        self.groups = tuple((num_agents, values) for values in (num_actions, symbols) if values)
        self.imagined = int(imagines_symbols)
        self.alternatives = self.groups[self.imagined][1]
        self.torso = Torso(inputs, hidden)
        self.lstm = Lstm(hidden + num_agents * (num_actions + symbols), cells)
        self.logits = dense(cells, (num_agents - 1) * num_actions, LOGITS_GAIN)

    def step(
        self,
        features_t: Tensor,
        actions_t: Tensor,
        is_first_t: Tensor,
        state: LstmState,
        symbols_t: Tensor | None = None,
    ) -> Prediction:
        """Predicts a_{t+1}, having seen everyone act, and heard everyone speak, at t.

        Args:
            features_t: [B, hidden] MOA features of s_t.
            actions_t: [B, N] integer, what everyone did at t.
            is_first_t: [B] bool, where s_t is the first view of an episode: state restarts.
            state: the MOA's state before t.
            symbols_t: [B, N] integer, what everyone said at t.
        """
        inputs = self._inputs(features_t, actions_t, symbols_t)
        state = self.lstm.step(inputs, state.reset(is_first_t))
        return Prediction(self._others(self.logits(state.h)), state)

    def unroll(
        self,
        features: Tensor,
        actions: Tensor,
        is_first: Tensor,
        starts: Sequence[int],
        state: LstmState,
        symbols: Tensor | None = None,
    ) -> Prediction:
        """What `step` predicts along a sequence, differentiably, and the state after it.

        Args:
            features: [T, B, hidden] MOA features of s_0 … s_{T−1}.
            actions: [T, B, N] integer, a_0 … a_{T−1}.
            is_first: [T, B] bool.
            starts: as in `Lstm.unroll`.
            state: before s_0.
            symbols: [T, B, N] integer, m_0 … m_{T−1}.

        Returns:
            Logits [T, B, J, A] of a_{t+1}, and the state after the last step.
        """
        inputs = self._inputs(features, actions, symbols)
        outputs, state = self.lstm.unroll(inputs, is_first, starts, state)
        return Prediction(self._others(self.logits(outputs)), state)

    def counterfactuals(
        self,
        features_t: Tensor,
        actions_t: Tensor,
        is_first_t: Tensor,
        state: LstmState,
        rows: Tensor | None = None,
        symbols_t: Tensor | None = None,
    ) -> Counterfactuals:
        """Predicts a_{t+1} once for each action, or symbol, that agent k could have chosen at t.

        Everything that enters the LSTM but k's own choice is the same whatever k does, and so is
        its share of the gates: it is reckoned once, and each alternative adds one column of the
        weights. Not differentiable.

        Args:
            features_t: [B, hidden] MOA features of s_t.
            actions_t: [B, N] integer, what everyone did at t.
            is_first_t: [B] bool, as in `step`.
            state: the MOA's state before t.
            rows: [R] long, the games to answer for; None for all. The state advances in all.
            symbols_t: [B, N] integer, what everyone said at t.
        """
        with torch.no_grad():
            h, c = state.reset(is_first_t)
            chosen = self._chosen(actions_t, symbols_t)
            gates = self._gates_but_own(features_t, chosen, h)
            own = self._own_columns()
            happened = cell_(gates + own[chosen[self.imagined][:, self.agent].long()], c)
            if rows is not None:
                gates, c = gates[rows], c[rows]
            imagined = cell_(gates.unsqueeze(1) + own, c.unsqueeze(1))
            return Counterfactuals(self._others(self.logits(imagined.h)), happened)

    def _chosen(self, actions: Tensor, symbols: Tensor | None) -> list[Tensor]:
        """What everyone did and, where anything is said, said: each [..., N]."""
        return [actions] if len(self.groups) == 1 else [actions, told_of(symbols, "symbols")]

    def _inputs(self, features: Tensor, actions: Tensor, symbols: Tensor | None) -> Tensor:
        """[..., hidden], [..., N] and [..., N] → [..., hidden + N·A + N·V]."""
        return self._joined(features, self._one_hot(self._chosen(actions, symbols)))

    def _one_hot(self, chosen: list[Tensor]) -> list[Tensor]:
        """Of each group [..., N, its width] bool."""
        return [one_hot(of_all, w) for of_all, (_, w) in zip(chosen, self.groups, strict=True)]

    def _joined(self, features: Tensor, one_hots: list[Tensor]) -> Tensor:
        """The LSTM's input."""
        return torch.cat([features, *(x.flatten(-2).to(features.dtype) for x in one_hots)], -1)

    def _gates_but_own(self, features_t: Tensor, chosen: list[Tensor], h: Tensor) -> Tensor:
        """The LSTM's gates [B, 4 · cells] before k's own choice has its share in them."""
        one_hots = self._one_hot(chosen)
        one_hots[self.imagined][:, self.agent] = False
        inputs = self._joined(features_t, one_hots)
        gates = torch.addmm(self.lstm.bias_ih_l0, inputs, self.lstm.weight_ih_l0.t())
        return gates.addmm_(h, self.lstm.weight_hh_l0.t()).add_(self.lstm.bias_hh_l0)

    def _own_columns(self) -> Tensor:
        """[C, 4 · cells] what each thing that k could have done, or said, adds to the gates."""
        after = sum(inputs * values for inputs, values in self.groups[self.imagined :])
        begin = self.lstm.input_size - after + self.agent * self.alternatives
        columns = self.lstm.weight_ih_l0[:, begin : begin + self.alternatives]
        return columns.t().contiguous()

    def _others(self, logits: Tensor) -> Tensor:
        """[..., J·A] → [..., J, A]."""
        return logits.view(*logits.shape[:-1], self.num_agents - 1, self.num_actions)
