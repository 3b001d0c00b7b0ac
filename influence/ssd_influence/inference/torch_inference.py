"""Any agent's network as it lives on a CPU, by its own torch methods: slower than `Inference`.

Whoever writes a network of their own writes torch only, and lives by this. It also says what
`Inference` has to give: every question what if is the whole step of the policy again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ssd_influence.inference.decision import Choice, Decision, State
from ssd_influence.inference.kernel_inference import Ints
from ssd_influence.inference.lstm_stepper import F32, U8, Bools
from ssd_influence.networks.agent_network import AgentNetwork, AgentState
from ssd_influence.networks.lstm import LstmState
from ssd_influence.networks.policy import PolicyStep
from ssd_influence.networks.policy_inputs import told_of


class Stepping:
    """An agent's steps in B games, with the interface of `Inference`.

    Args:
        network: on the host; its weights count as they are at each step.
        games: B.
    """

    def __init__(self, network: AgentNetwork, games: int) -> None:
        self._network, self._games = network, games
        self._moa_features: Tensor | None = None

    def fresh_state(self) -> State:
        """The state of one who remembers nothing."""
        state = self._network.split_state(self._network.initial_state(self._games))
        return State(_joined(state.policy), None if state.moa is None else _joined(state.moa))

    def refresh(self) -> None:
        """Nothing to take over: every step asks the network."""

    @torch.inference_mode()
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
        """See s_t and act; see `Inference.decide`."""
        features, self._moa_features = self._network.features(_tensor(pixels))
        actions, is_first, before = (
            _tensor(actions_tm1),
            _tensor(is_first_t),
            self._parts(state).policy,
        )
        leaders = None if leaders_t is None else _tensor(leaders_t)
        symbols = None if symbols_tm1 is None else _tensor(symbols_tm1)

        def step(leaders: Tensor | None, symbols: Tensor | None) -> PolicyStep:
            known = features, actions, is_first, before
            return self._network.policy_step(*known, leaders, symbols)

        responses = [
            torch.stack([step(*instead).logits for instead in alternatives], 1)
            for alternatives in self._alternatives(leaders, symbols)
        ]  # K of [B, C, A]
        now = step(leaders, symbols)
        symbol = None
        if now.symbol_logits is not None:
            symbol = _drawn(now.symbol_logits, told_of(symbol_noise, "symbol_noise"))
        state.policy[:] = _joined(now.state)
        return Decision(
            _drawn(now.logits, noise),
            symbol,
            torch.stack(responses, 1).log_softmax(-1).numpy() if responses else None,
        )

    def _alternatives(
        self, leaders: Tensor | None, symbols: Tensor | None
    ) -> Iterator[list[tuple[Tensor | None, Tensor | None]]]:
        """For each agent that it answers: what it would be told, had that one chosen otherwise."""
        part, experiment = self._network.part, self._network.experiment
        for agent in part.answers:
            if experiment.influence == "basic":
                told, place = told_of(leaders, "leaders_t"), part.follows.index(agent)
                actions = range(self._network.shape.num_actions)
                yield [(_instead(told, place, a), symbols) for a in actions]
            else:
                told = told_of(symbols, "symbols_tm1")
                yield [(leaders, _instead(told, agent, m)) for m in range(experiment.symbols)]

    @torch.inference_mode()
    def recall(
        self,
        actions_t: U8,
        is_first_t: Bools,
        state: State,
        games: Ints,
        symbols_t: U8 | None = None,
    ) -> F32:
        """Advance the MOA, and ask it what if; see `Inference.recall`."""
        model, before, features = self._network.moa, self._parts(state).moa, self._moa_features
        if model is None or before is None or state.moa is None or features is None:
            raise ValueError("a network without a model of others has nothing to recall")
        answer = model.counterfactuals(
            features,
            _tensor(actions_t),
            _tensor(is_first_t),
            before,
            torch.from_numpy(games),
            None if symbols_t is None else _tensor(symbols_t),
        )
        state.moa[:] = _joined(answer.state)
        return answer.logits.flatten(-2).numpy()

    def _parts(self, state: State) -> AgentState:
        """A copy, as the network has it."""
        return self._network.split_state(torch.from_numpy(state.joined()))


def _instead(told: Tensor, place: int, choice: int) -> Tensor:
    """[B, …] with another choice in one place."""
    told = told.clone()
    told[:, place] = choice
    return told


def _drawn(logits: Tensor, noise: F32) -> Choice:
    """The largest of p / Exp(1) falls on each choice with its probability p: [B, A] twice."""
    log_p = logits.log_softmax(-1)
    chosen = (log_p.exp() / torch.from_numpy(noise)).argmax(-1, keepdim=True)
    log_prob = log_p.gather(-1, chosen)
    return Choice(logits.numpy(), chosen[:, 0].to(torch.uint8).numpy(), log_prob[:, 0].numpy())


def _tensor(of_wire: U8 | Bools) -> Tensor:
    """A copy: what the wire brings is read-only, which torch warns of."""
    return torch.from_numpy(of_wire.copy())


def _joined(state: LstmState) -> F32:
    return np.concatenate([part.numpy() for part in state], 1)
