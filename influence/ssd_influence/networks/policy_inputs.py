"""What the policy's LSTM receives about other agents: their actions and symbols, one-hot."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from ssd_influence.networks.layers import one_hot
from ssd_influence.roles import Role
from ssd_influence.settings import ExperimentSettings

Value = TypeVar("Value")


class PolicyInputs(nn.Module):
    """One-hot actions of the agents that the policy sees, then one-hot symbols of all others.

    Of its leaders the policy gets the actions of this step, of all others those of the step before.
    Agents are in ascending order of their numbers, whether or not in view.

    Args:
        role: of the agent.
        experiment: which actions are visible, and whether there are symbols.
        num_actions: A.

    Attributes:
        action_agents: [S] the agents whose actions are inputs.
        leaders: [L] those of them that are leaders.
        leader_slots: [L] where in `action_agents` the leaders are.
        symbol_agents: [J] the agents whose symbols are inputs.
        one_hot_groups: number and size of the one-hot inputs of each group: actions, symbols.
    """

    action_agents: Tensor
    leaders: Tensor
    leader_slots: Tensor
    symbol_agents: Tensor

    def __init__(self, role: Role, experiment: ExperimentSettings, num_actions: int) -> None:
        super().__init__()
        action_agents = role.others if experiment.visible_actions else role.leaders
        symbol_agents = role.others if experiment.symbols else ()
        for name, numbers in (
            ("action_agents", action_agents),
            ("leaders", role.leaders),
            ("leader_slots", [action_agents.index(j) for j in role.leaders]),
            ("symbol_agents", symbol_agents),
        ):
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.long), persistent=False)
        self.one_hot_groups = (
            (len(action_agents), num_actions),
            (len(symbol_agents), experiment.symbols),
        )

    @property
    def width(self) -> int:
        """Floats of all one-hot inputs together."""
        return sum(inputs * values for inputs, values in self.one_hot_groups)

    def forward(
        self,
        actions_tm1: Tensor,
        is_first_t: Tensor,
        leader_actions_t: Tensor | None,
        symbols_tm1: Tensor | None,
    ) -> list[Tensor]:
        """The inputs as bools: actions [..., S·A] if S > 0, then symbols [..., J·V] if J > 0.

        Args:
            actions_tm1: [..., N] integer, all actions of the step before.
            is_first_t: [...] bool, where an episode starts. There, actions and symbols of the step
                before are all zeros, which is not any action or symbol.
            leader_actions_t: [..., L] integer, the leaders' actions of this step; they count where
                an episode starts, too.
            symbols_tm1: [..., N] integer, all symbols of the step before.

        Raises:
            ValueError: leaders' actions or symbols are inputs, and are missing.
        """
        inputs, ((_, num_actions), (_, symbols)) = [], self.one_hot_groups
        if len(self.action_agents):
            known = _before(actions_tm1, self.action_agents, is_first_t, num_actions)
            if len(self.leader_slots):
                of_leaders = required(leader_actions_t, "leader_actions_t")
                known = known.index_copy(-1, self.leader_slots, of_leaders.to(known.dtype))
            inputs.append(one_hot(known, num_actions).flatten(-2))
        if len(self.symbol_agents):
            sent = required(symbols_tm1, "symbols_tm1")
            known = _before(sent, self.symbol_agents, is_first_t, symbols)
            inputs.append(one_hot(known, symbols).flatten(-2))
        return inputs


def required(value: Value | None, name: str) -> Value:
    """An argument that this experiment needs.

    Raises:
        ValueError: it is None.
    """
    if value is None:
        raise ValueError(f"{name}: this experiment needs it, found None")
    return value


def _before(of_all: Tensor, agents: Tensor, is_first_t: Tensor, none: int) -> Tensor:
    """[..., N] of the step before → [..., agents], `none` where an episode starts."""
    return of_all.index_select(-1, agents).masked_fill(is_first_t.unsqueeze(-1), none)
