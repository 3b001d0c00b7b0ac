"""`AgentNetwork`'s steps on a CPU by kernels, at half the cost of torch.

The results are equal up to rounding. Matrix products are torch's, into preallocated memory; kernels
compute the rest. `AgentNetwork` multiplies one-hot inputs with the weights. Here each adds one
column of the weights to the gates, so that a counterfactual value costs only the gates and the
policy's head.
"""

from __future__ import annotations

import numpy as np
import torch

from ssd_influence.array_types import F32, I64, U8, Bools
from ssd_influence.inference.decision import Decision, RecurrentState, Sample
from ssd_influence.inference.lstm_stepper import LstmStepper
from ssd_influence.inference.policy_columns import PolicyColumns
from ssd_influence.kernels import dense, divergences, lstm_step
from ssd_influence.kernels.compilation import as_array
from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.networks.communication_head import CommunicationHead
from ssd_influence.networks.policy_inputs import required
from ssd_influence.networks.view_encoder import ConvEncoder


class KernelInference:
    """An agent's steps in B games, with the network's weights as of the last `reload_weights`.

    Args:
        network: on the host, float32.
        num_games: B.
    """

    def __init__(self, network: AgentNetwork, num_games: int) -> None:
        policy, moa = network.policy, network.moa
        parts = [part for part in (policy, moa) if part is not None]
        hidden = policy.torso.fc2.in_features
        self._network = network
        self._torsos = [part.torso for part in parts]
        self._encoded_tensor = torch.empty(num_games, hidden * len(parts))
        self._encoded = as_array(self._encoded_tensor)
        groups = policy.policy_inputs.one_hot_groups
        self._steppers = [LstmStepper(policy.lstm, hidden, groups, num_games)]
        if moa is not None:
            self._steppers.append(LstmStepper(moa.lstm, hidden, moa.one_hot_groups, num_games))
        self._policy_columns = PolicyColumns(network, num_games)
        self._never = np.zeros(num_games, np.bool_)
        self.reload_weights()

    def initial_state(self) -> RecurrentState:
        """The state at the start of an episode."""
        policy, *moa = (np.zeros(stepper.state_shape, np.float32) for stepper in self._steppers)
        return RecurrentState(policy, moa[0] if moa else None)

    def reload_weights(self) -> None:
        """Copy the network's current weights."""
        network, torsos = self._network, self._torsos
        self._encoder = ConvEncoder(
            network.palette,
            network.conv.weight,
            network.conv.get_parameter("bias"),
            torch.cat([torso.fc1.weight for torso in torsos]),
            torch.cat([torso.fc1.bias for torso in torsos]),
        )
        self._fc2 = [(as_array(torso.fc2.weight.t()), as_array(torso.fc2.bias)) for torso in torsos]
        head = network.policy.logits
        self._policy_head = as_array(head.weight), as_array(head.bias)
        self._symbol_head = _as_one_layer(network.policy.communication)
        if network.moa is not None:
            self._moa_head = network.moa.logits.weight.detach(), network.moa.logits.bias.detach()
        for stepper in self._steppers:
            stepper.reload_weights()
        self._policy_columns.reload_weights(self._steppers[0])

    def decide(
        self,
        pixels: U8,
        actions_tm1: U8,
        is_first_t: Bools,
        action_noise: F32,
        state: RecurrentState,
        leader_actions_t: U8 | None = None,
        symbols_tm1: U8 | None = None,
        symbol_noise: F32 | None = None,
    ) -> Decision:
        """Sample an action, and a symbol, in s_t.

        Args:
            pixels: [B, V, V] palette indices of s_t.
            actions_tm1: [B, N] all actions of the step before.
            is_first_t: [B] whether s_t is the first view of an episode; see `Policy.step`.
            action_noise: [B, A] draws from Exp(1), which determine the sampled actions.
            state: the policy's before s_t in, after it out. The MOA's advances in `predict_others`.
            leader_actions_t: [B, L] the actions of this agent's leaders at t, ascending by agent.
            symbols_tm1: [B, N] all symbols of the step before.
            symbol_noise: [B, V] draws from Exp(1), which determine the sampled symbols.

        Raises:
            ValueError: an argument is None that this experiment needs.
        """
        self._encode(pixels)
        stepper, varied = self._steppers[0], self._policy_columns.varied
        gates = stepper.gates(state.policy, is_first_t)
        known = actions_tm1, is_first_t, leader_actions_t, symbols_tm1
        inputs = self._policy_columns.one_hot_inputs(*known)
        for group in inputs[:-1]:
            lstm_step.add_one_hot(gates, *group)
        outputs = None
        if varied:  # before the step, which overwrites the state
            before = is_first_t, state.policy
            outputs = stepper.counterfactual_outputs(gates, inputs[-1], varied, *before)
        for group in inputs[-1:]:
            lstm_step.add_one_hot(gates, *group)
        lstm_step.step(gates, is_first_t, state.policy)
        action = _sample(state.policy, self._policy_head, action_noise)
        symbol = None
        if self._symbol_head is not None:
            noise = required(symbol_noise, "symbol_noise")
            symbol = _sample(state.policy, self._symbol_head, noise)
        responses = None
        if outputs is not None:
            responses = self._responses(outputs, action, inputs[-1].is_absent)
        return Decision(action, symbol, responses)

    def predict_others(
        self,
        actions_t: U8,
        is_first_t: Bools,
        state: RecurrentState,
        rows: I64,
        symbols_t: U8 | None = None,
    ) -> F32:
        """Advance the MOA's state by step t, and predict the others' next actions counterfactually.

        To be called when all agents' a_t are known, before the next `decide`.

        Args:
            actions_t: [B, N] all actions at t.
            is_first_t: [B] of t.
            state: the MOA's before t in, after t out; counterfactuals do not change it.
            rows: [R] indices of the games to predict for.
            symbols_t: [B, N] all symbols at t.

        Returns:
            [R, C, J · A] logits of a_{t+1} of each other agent, had k taken each of its A actions;
            or, if its influence is that of its symbols, sent each of V symbols.

        Raises:
            ValueError: the network has no MOA, or its MOA needs symbols and there are none.
        """
        moa = self._network.moa
        if moa is None or state.moa is None:
            raise ValueError("the network has no model of other agents")
        stepper, own = self._steppers[1], slice(moa.agent, moa.agent + 1)
        gates = stepper.gates(state.moa, is_first_t)
        choices = [actions_t]
        if len(stepper.columns) > 1:
            choices.append(required(symbols_t, "symbols_t"))
        for group, (columns, of_all) in enumerate(zip(stepper.columns, choices, strict=True)):
            index = of_all.copy()
            if group == moa.counterfactual_group:
                index[:, own] = moa.num_alternatives  # a column of zeros
            lstm_step.add_one_hot(gates, columns, index, self._never)
        columns = stepper.columns[moa.counterfactual_group]
        h = np.empty((len(rows), moa.num_alternatives, moa.lstm.hidden_size), np.float32)
        alternatives = columns[moa.agent, :-1]
        lstm_step.counterfactual_step(gates, alternatives, is_first_t, state.moa, rows, h)
        own_index = choices[moa.counterfactual_group][:, own].copy()
        lstm_step.add_one_hot(gates, columns[own], own_index, self._never)
        lstm_step.step(gates, is_first_t, state.moa)
        weight, bias = self._moa_head
        logits = torch.addmm(bias, torch.from_numpy(h).flatten(0, 1), weight.t())
        return logits.view(len(rows), moa.num_alternatives, len(bias)).numpy()

    def _encode(self, pixels: U8) -> None:
        """Write the features of views to the float inputs of all LSTMs."""
        self._encoder.encode(pixels, self._encoded_tensor)
        torsos = zip(self._steppers, self._fc2, strict=True)
        for number, (stepper, (weight, bias)) in enumerate(torsos):
            begin = number * len(weight)
            dense.relu_dense_relu(self._encoded, begin, weight, bias, stepper.inputs)

    def _responses(self, outputs: F32, action: Sample, is_absent: Bools) -> F32:
        """[B, K, C, A] log-probabilities of this agent's actions.

        Args:
            outputs: [K, B, C, cells] the LSTM's counterfactual outputs.
            action: with the logits of the real policy.
            is_absent: [B] where the varied inputs are absent, so that the real policy holds.
        """
        weight, bias = (torch.from_numpy(part) for part in self._policy_head)
        logits = torch.addmm(bias, torch.from_numpy(outputs).flatten(0, 2), weight.t())
        by_agent = logits.view(*outputs.shape[:-1], len(bias))
        responses = by_agent.transpose(0, 1).contiguous().numpy()
        responses[is_absent] = action.logits[is_absent, None, None]
        divergences.log_softmax_(responses)
        return responses


def _sample(state: F32, head: tuple[F32, F32], noise: F32) -> Sample:
    """Sample from a head, weight and bias, on the output h of a state [B, 2 · cells]."""
    games, (weight, bias) = len(noise), head
    sample = Sample(np.empty_like(noise), np.empty(games, np.uint8), np.empty(games, np.float32))
    dense.sample(state, weight, bias, noise, *sample)
    return sample


@torch.no_grad()
def _as_one_layer(head: CommunicationHead | None) -> tuple[F32, F32] | None:
    """Embedding and logits, both linear, as one layer: weight [V, cells], bias [V]."""
    if head is None:
        return None
    weight = head.logits.weight @ head.embedding.weight
    return as_array(weight), as_array(head.logits(head.embedding.bias))
