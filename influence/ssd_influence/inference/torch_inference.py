"""Any agent's network on a CPU, by its own torch methods: slower than `KernelInference`.

Custom networks are written in torch only, and use this. It is also the reference for
`KernelInference` in the tests: every counterfactual is a whole step of the policy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ssd_influence.array_types import F32, I64, U8, Bools
from ssd_influence.inference.decision import Decision, RecurrentState, Sample
from ssd_influence.networks.agent_network import AgentNetwork, NetworkState
from ssd_influence.networks.lstm import LstmState
from ssd_influence.networks.policy import PolicyStep
from ssd_influence.networks.policy_inputs import required


class TorchInference:
    """An agent's steps in B games, with the interface of `KernelInference`.

    Args:
        network: on the host; each step uses its current weights.
        num_games: B.
    """

    def __init__(self, network: AgentNetwork, num_games: int) -> None:
        self._network, self._num_games = network, num_games
        self._moa_features: Tensor | None = None

    def initial_state(self) -> RecurrentState:
        """The state at the start of an episode."""
        state = self._network.split_state(self._network.initial_state(self._num_games))
        moa = None if state.moa is None else _as_array(state.moa)
        return RecurrentState(_as_array(state.policy), moa)

    def reload_weights(self) -> None:
        """Nothing to do: every step uses the network itself."""

    @torch.inference_mode()
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
        """Sample an action, and a symbol, in s_t; see `KernelInference.decide`."""
        features, self._moa_features = self._network.features(_as_tensor(pixels))
        actions, is_first = _as_tensor(actions_tm1), _as_tensor(is_first_t)
        before = self._split(state).policy
        leader_actions = None if leader_actions_t is None else _as_tensor(leader_actions_t)
        symbols = None if symbols_tm1 is None else _as_tensor(symbols_tm1)

        def step(leader_actions: Tensor | None, symbols: Tensor | None) -> PolicyStep:
            known = features, actions, is_first, before
            return self._network.policy_step(*known, leader_actions, symbols)

        responses = [
            torch.stack([step(*alternative).logits for alternative in alternatives], 1)
            for alternatives in self._alternatives(leader_actions, symbols)
        ]  # K of [B, C, A]
        now = step(leader_actions, symbols)
        symbol = None
        if now.symbol_logits is not None:
            symbol = _sample(now.symbol_logits, required(symbol_noise, "symbol_noise"))
        state.policy[:] = _as_array(now.state)
        return Decision(
            _sample(now.logits, action_noise),
            symbol,
            torch.stack(responses, 1).log_softmax(-1).numpy() if responses else None,
        )

    def _alternatives(
        self, leader_actions: Tensor | None, symbols: Tensor | None
    ) -> Iterator[list[tuple[Tensor | None, Tensor | None]]]:
        """For each agent that this one discloses to: the policy's inputs for each alternative."""
        role, experiment = self._network.role, self._network.experiment
        for agent in role.discloses_to:
            if experiment.influence == "basic":
                real = required(leader_actions, "leader_actions_t")
                place, values = role.leaders.index(agent), self._network.shape.num_actions
                yield [(_replaced(real, place, a), symbols) for a in range(values)]
            else:
                real, values = required(symbols, "symbols_tm1"), experiment.symbols
                yield [(leader_actions, _replaced(real, agent, m)) for m in range(values)]

    @torch.inference_mode()
    def predict_others(
        self,
        actions_t: U8,
        is_first_t: Bools,
        state: RecurrentState,
        rows: I64,
        symbols_t: U8 | None = None,
    ) -> F32:
        """Advance the MOA's state, and predict; see `KernelInference.predict_others`."""
        moa, before, features = self._network.moa, self._split(state).moa, self._moa_features
        if moa is None or before is None or state.moa is None or features is None:
            raise ValueError("the network has no model of other agents")
        answer = moa.counterfactuals(
            features,
            _as_tensor(actions_t),
            _as_tensor(is_first_t),
            before,
            torch.from_numpy(rows),
            None if symbols_t is None else _as_tensor(symbols_t),
        )
        state.moa[:] = _as_array(answer.state)
        return answer.logits.flatten(-2).numpy()

    def _split(self, state: RecurrentState) -> NetworkState:
        """A copy, in the network's form."""
        return self._network.split_state(torch.from_numpy(state.flat()))


def _replaced(choices: Tensor, place: int, value: int) -> Tensor:
    """A copy of [B, …] with another value in one place."""
    choices = choices.clone()
    choices[:, place] = value
    return choices


def _sample(logits: Tensor, noise: F32) -> Sample:
    """The argmax of p(a) / noise(a), with noise from Exp(1), is a with probability p(a)."""
    log_p = logits.log_softmax(-1)
    index = (log_p.exp() / torch.from_numpy(noise)).argmax(-1, keepdim=True)
    log_prob = log_p.gather(-1, index)
    return Sample(logits.numpy(), index[:, 0].to(torch.uint8).numpy(), log_prob[:, 0].numpy())


def _as_tensor(array: U8 | Bools) -> Tensor:
    """A copy, since torch warns of read-only arrays, as decoded messages are."""
    return torch.from_numpy(array.copy())


def _as_array(state: LstmState) -> F32:
    """[B, 2 · cells], h and c."""
    return np.concatenate([part.numpy() for part in state], 1)
