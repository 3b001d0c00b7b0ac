"""One agent's network as it lives on a CPU: what `AgentNetwork` steps through, at half the price.

The same numbers, to rounding. The matrix products are torch's, into memory that is kept from step
to step; all between them are kernels. A one-hot input, which `AgentNetwork` multiplies with the
weights, is here one of their columns, added.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ssd_influence.kernels import dense, divergence, lstm
from ssd_influence.kernels.kernel import array
from ssd_influence.layers import Lstm
from ssd_influence.network import AgentNetwork
from ssd_influence.settings import Divergence
from ssd_influence.sight import Eye

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

DIVERGENCES: dict[Divergence, int] = {
    "kl": divergence.KL,
    "jsd": divergence.JSD,
    "pmi": divergence.PMI,
}


class State(NamedTuple):
    """All that an agent remembers in B games. Steps write into it."""

    policy: F32  # [B, 2 · cells], h and c
    moa: F32 | None  # [B, 2 · cells]; None without a MOA

    def joined(self) -> F32:
        """A copy as one array, [B, state_size]."""
        return np.concatenate([part for part in self if part is not None], 1)


class Choice(NamedTuple):
    """What was done at t."""

    logits: F32  # [B, A] of the policy it was drawn from
    action: U8  # [B]
    log_prob: F32  # [B] of the action


class Inference:
    """An agent's steps in B games, with the weights that its network had at the last `refresh`.

    Args:
        network: on the host, float32.
        games: B.
    """

    def __init__(self, network: AgentNetwork, games: int) -> None:
        parts = [part for part in (network.policy, network.moa) if part is not None]
        hidden = network.policy.torso.fc2.in_features
        self._network = network
        self._torsos = [part.torso for part in parts]
        self._hidden_tensor = torch.empty(games, hidden * len(parts))
        self._hidden = array(self._hidden_tensor)
        self._cores = [_Core(part.lstm, hidden, part.num_actions, games) for part in parts]
        self._seen_to_act = network.policy.others.numpy()
        self._never = np.zeros(games, np.bool_)
        self.refresh()

    def fresh_state(self) -> State:
        """The state of one who remembers nothing."""
        policy, *moa = (np.zeros_like(core.state_like) for core in self._cores)
        return State(policy, moa[0] if moa else None)

    def refresh(self) -> None:
        """Take over the network's weights as they are now."""
        network, torsos = self._network, self._torsos
        self._eye = Eye(
            network.palette,
            network.conv.weight,
            network.conv.get_parameter("bias"),
            torch.cat([torso.fc1.weight for torso in torsos]),
            torch.cat([torso.fc1.bias for torso in torsos]),
        )
        self._second = [(array(torso.fc2.weight.t()), array(torso.fc2.bias)) for torso in torsos]
        head = network.policy.logits
        self._policy_head = array(head.weight), array(head.bias)
        if network.moa is not None:
            self._moa_head = network.moa.logits.weight.detach(), network.moa.logits.bias.detach()
        for core in self._cores:
            core.refresh()

    def decide(
        self, pixels: U8, actions_tm1: U8, first_t: Bools, noise: F32, state: State
    ) -> Choice:
        """See s_t and act.

        Args:
            pixels: [B, V, V] palette indices of s_t.
            actions_tm1: [B, N] what everyone did in the step before.
            first_t: [B] whether s_t begins an episode; see `Policy.step`.
            noise: [B, A] draws of Exp(1), by which the actions are drawn.
            state: the policy's before s_t in, after it out. The MOA's waits for `recall`.
        """
        self._eye.look(pixels, self._hidden_tensor)
        for number, (core, (weight, bias)) in enumerate(
            zip(self._cores, self._second, strict=True)
        ):
            dense.relu_dense_relu(self._hidden, number * len(weight), weight, bias, core.inputs)
        core = self._cores[0]
        gates = core.gates(state.policy, first_t)
        taken = np.take(actions_tm1, self._seen_to_act, 1)
        lstm.add_columns(gates, core.columns, taken, first_t)
        lstm.step(gates, first_t, state.policy)
        games = len(noise)
        choice = Choice(
            np.empty_like(noise), np.empty(games, np.uint8), np.empty(games, np.float32)
        )
        weight, bias = self._policy_head
        dense.choose(state.policy, weight, bias, noise, *choice)
        return choice

    def recall(self, actions_t: U8, first_t: Bools, state: State, games: Ints) -> F32:
        """With everyone's a_t here, before s_{t+1} is seen: advance the MOA, and ask it what if.

        Args:
            actions_t: [B, N] what everyone did at t.
            first_t: [B] of t.
            state: the MOA's before t in, after t out; no counterfactual ever enters it.
            games: [R] long, the games to ask for.

        Returns:
            [R, A, J · A] logits of a_{t+1} of each other agent, had k taken each of its A actions.

        Raises:
            ValueError: the network has no MOA.
        """
        model = self._network.moa
        if model is None or state.moa is None:
            raise ValueError("a network without a model of others has nothing to recall")
        core, own = self._cores[1], slice(model.agent, model.agent + 1)
        gates = core.gates(state.moa, first_t)
        taken = actions_t.copy()
        taken[:, own] = model.num_actions  # a column of zeros
        lstm.add_columns(gates, core.columns, taken, self._never)
        h = np.empty((len(games), model.num_actions, model.lstm.hidden_size), np.float32)
        lstm.imagine(gates, core.columns[model.agent, :-1], first_t, state.moa, games, h)
        lstm.add_columns(gates, core.columns[own], actions_t[:, own].copy(), self._never)
        lstm.step(gates, first_t, state.moa)
        weight, bias = self._moa_head
        logits = torch.addmm(bias, torch.from_numpy(h).flatten(0, 1), weight.t())
        return logits.view(len(games), model.num_actions, len(bias)).numpy()


def influence(
    counterfactual_logits: F32,
    choice: Choice,
    visible: Bools,
    kind: Divergence,
    games: Ints,
    next_actions: U8 | None,
) -> F32:
    """What `influence_reward` gives in some of B games; 0 in the others.

    Args:
        counterfactual_logits: [R, A, J · A] of `Inference.recall`; left normalised.
        choice: of step t, all B games; its logits are left normalised.
        visible: [B, J] bool, whether k saw j in s_t.
        kind: of divergence.
        games: [R] long, the games that those logits are of.
        next_actions: [B, J] what the others did at t+1; only PMI asks for it.

    Returns:
        [B] float32 in nats, not clipped.

    Raises:
        ValueError: PMI without the next actions.
    """
    if kind == "pmi" and next_actions is None:
        raise ValueError("PMI compares what was done at t+1: it needs next_actions")
    done = np.zeros(visible.shape, np.uint8) if next_actions is None else next_actions
    reward = np.zeros(len(visible), np.float32)
    divergence.influence(
        counterfactual_logits,
        choice.logits,
        choice.action,
        visible,
        games,
        DIVERGENCES[kind],
        done,
        reward,
    )
    return reward


class _Core:
    """One LSTM with F float inputs, and any number of one-hot inputs of A values each.

    Attributes:
        inputs: [B, F + cells]; the first F columns are for others to fill, the rest is h.
        columns: [K, A + 1, 4 · cells] what each one-hot input adds to the gates; A stands for
            none, and adds nothing.
    """

    def __init__(self, lstm: Lstm, floats: int, values: int, games: int) -> None:
        self._lstm, self._floats, self._values = lstm, floats, values
        self._inputs = torch.zeros(games, floats + lstm.hidden_size)
        self._gates = torch.empty(games, 4 * lstm.hidden_size)
        self._gates_array = array(self._gates)
        self.inputs = array(self._inputs)
        self.state_like = np.empty((games, 2 * lstm.hidden_size), np.float32)

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over the LSTM's weights."""
        given, recurrent = self._lstm.weight_ih_l0, self._lstm.weight_hh_l0
        self._weight = torch.cat([given[:, : self._floats], recurrent], 1).t()
        self._bias = self._lstm.bias_ih_l0 + self._lstm.bias_hh_l0
        columns = given[:, self._floats :].t().reshape(-1, self._values, len(given))
        self.columns = array(torch.nn.functional.pad(columns, (0, 0, 0, 1)))

    def gates(self, state: F32, first: Bools) -> F32:
        """[B, 4 · cells] of the float inputs, h and the bias; good until the next call."""
        lstm.carry_over(state, first, self.inputs)
        torch.addmm(self._bias, self._inputs, self._weight, out=self._gates)
        return self._gates_array
