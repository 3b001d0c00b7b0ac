"""One agent's network as it lives on a CPU: what `AgentNetwork` steps through, at half the price.

The same numbers, to rounding. The matrix products are torch's, into memory that is kept from step
to step; all between them are kernels. A one-hot input, which `AgentNetwork` multiplies with the
weights, is here one of their columns, added; so what an agent would do, had one of them been
another, costs its gates and the policy's head, and no more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from ssd_influence.inference.decision import Choice, Decision, State
from ssd_influence.inference.lstm_stepper import F32, U8, Bools, Core
from ssd_influence.inference.policy_columns import Hearing
from ssd_influence.kernels import dense
from ssd_influence.kernels import divergences as divergence
from ssd_influence.kernels import lstm_step as lstm
from ssd_influence.kernels.compilation import array
from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.networks.communication_head import CommunicationHead
from ssd_influence.networks.policy_inputs import told_of
from ssd_influence.networks.view_encoder import Eye

Ints = npt.NDArray[np.int64]


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
        policy, model = network.policy, network.moa
        self._cores = [Core(policy.lstm, hidden, policy.told.groups, games)]
        if model is not None:
            self._cores.append(Core(model.lstm, hidden, model.groups, games))
        self._hearing = Hearing(network, games)
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
        self._symbol_head = _composed(network.policy.communication)
        if network.moa is not None:
            self._moa_head = network.moa.logits.weight.detach(), network.moa.logits.bias.detach()
        for core in self._cores:
            core.refresh()
        self._hearing.refresh(self._cores[0])

    def decide(
        self,
        pixels: U8,
        actions_tm1: U8,
        is_first_t: Bools,
        noise: F32,
        state: State,
        leaders_t: U8 | None = None,
        symbols_tm1: U8 | None = None,
        symbol_noise: F32 | None = None,
    ) -> Decision:
        """See s_t and act.

        Args:
            pixels: [B, V, V] palette indices of s_t.
            actions_tm1: [B, N] what everyone did in the step before.
            is_first_t: [B] whether s_t begins an episode; see `Policy.step`.
            noise: [B, A] draws of Exp(1), by which the actions are drawn.
            state: the policy's before s_t in, after it out. The MOA's waits for `recall`.
            leaders_t: [B, L] what those it follows do at t, ascending.
            symbols_tm1: [B, N] what everyone said in the step before.
            symbol_noise: [B, V] draws of Exp(1), by which the symbols are drawn.

        Raises:
            ValueError: it is not told what those do or say that it follows or hears.
        """
        self._look(pixels)
        core, places = self._cores[0], self._hearing.places
        gates = core.gates(state.policy, is_first_t)
        told = self._hearing.hear(actions_tm1, is_first_t, leaders_t, symbols_tm1)
        for inputs in told[:-1]:
            lstm.add_columns(gates, *inputs)
        # Before the step, while the state is that of before s_t.
        imagined = (
            core.imagine(gates, told[-1], places, is_first_t, state.policy) if places else None
        )
        for inputs in told[-1:]:
            lstm.add_columns(gates, *inputs)
        lstm.step(gates, is_first_t, state.policy)
        act = _choose(state.policy, self._policy_head, noise)
        symbol = None
        if self._symbol_head is not None:
            symbol = _choose(state.policy, self._symbol_head, told_of(symbol_noise, "symbol_noise"))
        responses = None if imagined is None else self._responses(imagined, act, told[-1].mute)
        return Decision(act, symbol, responses)

    def recall(
        self,
        actions_t: U8,
        is_first_t: Bools,
        state: State,
        games: Ints,
        symbols_t: U8 | None = None,
    ) -> F32:
        """With everyone's a_t here, before s_{t+1} is seen: advance the MOA, and ask it what if.

        Args:
            actions_t: [B, N] what everyone did at t.
            is_first_t: [B] of t.
            state: the MOA's before t in, after t out; no counterfactual ever enters it.
            games: [R] long, the games to ask for.
            symbols_t: [B, N] what everyone said at t.

        Returns:
            [R, C, J · A] logits of a_{t+1} of each other agent, had k taken each of its A actions;
            or, where its influence is that of its symbols, said each of V.

        Raises:
            ValueError: the network has no MOA, or its MOA hears symbols and is told none.
        """
        model = self._network.moa
        if model is None or state.moa is None:
            raise ValueError("a network without a model of others has nothing to recall")
        core, own = self._cores[1], slice(model.agent, model.agent + 1)
        gates = core.gates(state.moa, is_first_t)
        chosen = (
            [actions_t] if len(core.columns) == 1 else [actions_t, told_of(symbols_t, "symbols_t")]
        )
        for group, (columns, of_all) in enumerate(zip(core.columns, chosen, strict=True)):
            taken = of_all.copy()
            if group == model.imagined:
                taken[:, own] = model.alternatives  # a column of zeros
            lstm.add_columns(gates, columns, taken, self._never)
        columns, of_all = core.columns[model.imagined], chosen[model.imagined]
        h = np.empty((len(games), model.alternatives, model.lstm.hidden_size), np.float32)
        lstm.imagine(gates, columns[model.agent, :-1], is_first_t, state.moa, games, h)
        lstm.add_columns(gates, columns[own], of_all[:, own].copy(), self._never)
        lstm.step(gates, is_first_t, state.moa)
        weight, bias = self._moa_head
        logits = torch.addmm(bias, torch.from_numpy(h).flatten(0, 1), weight.t())
        return logits.view(len(games), model.alternatives, len(bias)).numpy()

    def _look(self, pixels: U8) -> None:
        """From views to the float inputs of all cores."""
        self._eye.look(pixels, self._hidden_tensor)
        for number, (core, (weight, bias)) in enumerate(
            zip(self._cores, self._second, strict=True)
        ):
            dense.relu_dense_relu(self._hidden, number * len(weight), weight, bias, core.inputs)

    def _responses(self, imagined: F32, act: Choice, mute: Bools) -> F32:
        """[B, K, C, A] log-probabilities.

        Args:
            imagined: [K, B, C, cells] the policy's output.
            act: from the policy that it has in any case where
            mute: [B] it was told nothing that could have been otherwise.
        """
        weight, bias = (torch.from_numpy(part) for part in self._policy_head)
        logits = torch.addmm(bias, torch.from_numpy(imagined).flatten(0, 2), weight.t())
        by_agent = logits.view(*imagined.shape[:-1], len(bias))
        responses = by_agent.transpose(0, 1).contiguous().numpy()
        responses[mute] = act.logits[mute, None, None]
        divergence.normalise(responses)
        return responses


def _choose(state: F32, head: tuple[F32, F32], noise: F32) -> Choice:
    """Draw from a head, weight and bias, on the output h of a state [B, 2 · cells]."""
    games, (weight, bias) = len(noise), head
    choice = Choice(np.empty_like(noise), np.empty(games, np.uint8), np.empty(games, np.float32))
    dense.choose(state, weight, bias, noise, *choice)
    return choice


@torch.no_grad()
def _composed(head: CommunicationHead | None) -> tuple[F32, F32] | None:
    """Embedding and logits, both linear, as one: weight [V, cells], bias [V]."""
    if head is None:
        return None
    weight = head.logits.weight @ head.embedding.weight
    return array(weight), array(head.logits(head.embedding.bias))
