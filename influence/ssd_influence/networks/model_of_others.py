"""The Model of Other Agents (MOA): predicts what each other agent does next (§6, figure 6).

From its view s_t and all agents' actions a_t and symbols m_t, agent k predicts a_{t+1} of each
other agent. Repeated with each action ã that k could have taken instead, or each symbol m̃ that it
could have sent, these are the counterfactuals from which `rewards.influence` makes a reward.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.networks.layers import LOGITS_GAIN, Torso, dense, one_hot
from ssd_influence.networks.lstm import Lstm, LstmState, lstm_cell_
from ssd_influence.networks.policy_inputs import required


class Prediction(NamedTuple):
    """Predicted actions of the others at t+1."""

    logits: Tensor  # [B, J, A] of a_{t+1}, for each other agent
    state: LstmState  # after t


class Counterfactuals(NamedTuple):
    """Predicted actions of the others at t+1, for each ã, or m̃, that agent k could have chosen."""

    logits: Tensor  # [R, C, J, A] of a_{t+1}: selected games, ã or m̃, other agents, their actions
    state: LstmState  # after the real a_t and m_t, in all B games


class ModelOfOthers(nn.Module):
    """Agent k's model of the J = N − 1 other agents, in ascending order of their numbers.

    The inputs of its LSTM at t are the features of s_t, the one-hot actions at t of all N agents in
    the order of their numbers, k included, and likewise their symbols, if there are any.

    Args:
        inputs: size of the convolution's output.
        hidden: size of the dense layers.
        cells: size of the LSTM.
        agent: the number k of the agent that this model belongs to.
        num_agents: N.
        num_actions: A.
        symbols: V; 0 for none.
        counterfactual_symbols: counterfactuals replace k's symbol, not its action.

    Attributes:
        one_hot_groups: number and size of the one-hot inputs of each group: actions, symbols.
        counterfactual_group: index of the group in which counterfactuals replace k's own input.
        num_alternatives: C, the size of that input.
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
        counterfactual_symbols: bool = False,
    ) -> None:
        super().__init__()
        self.agent = agent
        self.num_agents = num_agents
        self.num_actions = num_actions
        self.one_hot_groups = tuple(
            (num_agents, values) for values in (num_actions, symbols) if values
        )
        self.counterfactual_group = int(counterfactual_symbols)
        self.num_alternatives = self.one_hot_groups[self.counterfactual_group][1]
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
        """Predict a_{t+1} from all agents' actions and symbols at t.

        Args:
            features_t: [B, hidden] MOA features of s_t.
            actions_t: [B, N] integer, all actions at t.
            is_first_t: [B] bool, where s_t is the first view of an episode, and the state is reset.
            state: the MOA's state before t.
            symbols_t: [B, N] integer, all symbols at t.
        """
        inputs = self._inputs(features_t, actions_t, symbols_t)
        state = self.lstm.step(inputs, state.reset(is_first_t))
        return Prediction(self._by_agent(self.logits(state.h)), state)

    def unroll(
        self,
        features: Tensor,
        actions: Tensor,
        is_first: Tensor,
        starts: Sequence[int],
        state: LstmState,
        symbols: Tensor | None = None,
    ) -> Prediction:
        """The predictions of `step` for a sequence, differentiable, and the state after it.

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
        return Prediction(self._by_agent(self.logits(outputs)), state)

    def counterfactuals(
        self,
        features_t: Tensor,
        actions_t: Tensor,
        is_first_t: Tensor,
        state: LstmState,
        rows: Tensor | None = None,
        symbols_t: Tensor | None = None,
    ) -> Counterfactuals:
        """Predict a_{t+1} for each action, or symbol, that agent k could have chosen at t.

        All inputs of the LSTM but k's own choice are the same for every alternative, and so is
        their part of the gates: it is computed once, and each alternative adds one column of the
        weights. Not differentiable.

        Args:
            features_t: [B, hidden] MOA features of s_t.
            actions_t: [B, N] integer, all actions at t.
            is_first_t: [B] bool, as in `step`.
            state: the MOA's state before t.
            rows: [R] long, the games to predict for; None for all. The state advances in all.
            symbols_t: [B, N] integer, all symbols at t.
        """
        with torch.no_grad():
            h, c = state.reset(is_first_t)
            choices = self._choices(actions_t, symbols_t)
            gates = self._gates_without_own(features_t, choices, h)
            columns = self._own_columns()
            own = choices[self.counterfactual_group][:, self.agent].long()
            state_t = lstm_cell_(gates + columns[own], c)
            if rows is not None:
                gates, c = gates[rows], c[rows]
            alternatives = lstm_cell_(gates.unsqueeze(1) + columns, c.unsqueeze(1))
            return Counterfactuals(self._by_agent(self.logits(alternatives.h)), state_t)

    def _choices(self, actions: Tensor, symbols: Tensor | None) -> list[Tensor]:
        """For each one-hot group, what all agents chose: [..., N] each."""
        one_group = len(self.one_hot_groups) == 1
        return [actions] if one_group else [actions, required(symbols, "symbols")]

    def _inputs(self, features: Tensor, actions: Tensor, symbols: Tensor | None) -> Tensor:
        """[..., hidden], [..., N] and [..., N] → [..., hidden + N·A + N·V]."""
        return self._concatenated(features, self._one_hot(self._choices(actions, symbols)))

    def _one_hot(self, choices: list[Tensor]) -> list[Tensor]:
        """For each group [..., N, its size] bool."""
        groups = zip(choices, self.one_hot_groups, strict=True)
        return [one_hot(of_all, size) for of_all, (_, size) in groups]

    def _concatenated(self, features: Tensor, one_hots: list[Tensor]) -> Tensor:
        """The LSTM's input."""
        return torch.cat([features, *(x.flatten(-2).to(features.dtype) for x in one_hots)], -1)

    def _gates_without_own(self, features_t: Tensor, choices: list[Tensor], h: Tensor) -> Tensor:
        """The LSTM's gates [B, 4 · cells] without the part of k's own choice."""
        one_hots = self._one_hot(choices)
        one_hots[self.counterfactual_group][:, self.agent] = False
        inputs = self._concatenated(features_t, one_hots)
        gates = torch.addmm(self.lstm.bias_ih_l0, inputs, self.lstm.weight_ih_l0.t())
        return gates.addmm_(h, self.lstm.weight_hh_l0.t()).add_(self.lstm.bias_hh_l0)

    def _own_columns(self) -> Tensor:
        """[C, 4 · cells] what each alternative adds to the gates."""
        groups = self.one_hot_groups[self.counterfactual_group :]
        after = sum(inputs * values for inputs, values in groups)
        begin = self.lstm.input_size - after + self.agent * self.num_alternatives
        columns = self.lstm.weight_ih_l0[:, begin : begin + self.num_alternatives]
        return columns.t().contiguous()

    def _by_agent(self, logits: Tensor) -> Tensor:
        """[..., J·A] → [..., J, A]."""
        return logits.view(*logits.shape[:-1], self.num_agents - 1, self.num_actions)
