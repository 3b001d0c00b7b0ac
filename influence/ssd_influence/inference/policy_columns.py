"""`PolicyInputs` on a CPU: the one-hot inputs of a policy as columns of its LSTM's weights."""

from __future__ import annotations

import numpy as np

from ssd_influence.array_types import U8, Bools
from ssd_influence.inference.lstm_stepper import LstmStepper, OneHotInputs
from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.networks.policy_inputs import required


class PolicyColumns:
    """The one-hot inputs of a policy, and which of them its disclosed responses vary.

    Args:
        network: the agent's.
        num_games: B.

    Attributes:
        varied: [K] places, within the last group of `one_hot_inputs`, of the agents to which this
            agent discloses.
    """

    def __init__(self, network: AgentNetwork, num_games: int) -> None:
        inputs, role = network.policy.policy_inputs, network.role
        agents, self._leader_slots = inputs.action_agents.numpy(), inputs.leader_slots.numpy()
        self._other_slots = np.delete(np.arange(len(agents)), self._leader_slots)
        self._action_agents = agents[self._other_slots]  # seen one step later
        self._symbol_agents = inputs.symbol_agents.numpy()
        is_basic = network.experiment.influence == "basic"
        last_group = role.leaders if is_basic else role.others
        self.varied = [last_group.index(k) for k in role.discloses_to]
        self._never = np.zeros(num_games, np.bool_)

    def reload_weights(self, stepper: LstmStepper) -> None:
        """Copy the columns of the policy's LSTM."""
        actions, self._symbol_columns = stepper.columns
        self._action_columns = actions[self._other_slots]
        self._leader_columns = actions[self._leader_slots]

    def one_hot_inputs(
        self,
        actions_tm1: U8,
        is_first_t: Bools,
        leader_actions_t: U8 | None,
        symbols_tm1: U8 | None,
    ) -> list[OneHotInputs]:
        """All one-hot inputs of s_t, by groups; the last group is what responses vary.

        Args:
            actions_tm1: [B, N], this and all others as in `KernelInference.decide`.
            is_first_t: [B].
            leader_actions_t: [B, L].
            symbols_tm1: [B, N].

        Raises:
            ValueError: leaders' actions or symbols are inputs, and are missing.
        """
        actions, leader_actions, symbols = [], [], []
        if len(self._action_agents):
            values = np.take(actions_tm1, self._action_agents, 1)
            actions = [OneHotInputs(self._action_columns, values, is_first_t)]
        if len(self._leader_slots):
            values = required(leader_actions_t, "leader_actions_t").copy()  # may be read-only
            leader_actions = [OneHotInputs(self._leader_columns, values, self._never)]
        if len(self._symbol_agents):
            values = np.take(required(symbols_tm1, "symbols_tm1"), self._symbol_agents, 1)
            symbols = [OneHotInputs(self._symbol_columns, values, is_first_t)]
        # If there are leaders, influence is basic, and responses never vary symbols.
        return [*actions, *symbols, *leader_actions]
