"""One agent: its policy, its model of others (MOA) and its intrinsic reward."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ssd_actors.intrinsic import make_intrinsic
from ssd_actors.intrinsic.reward import NO_GAMES
from ssd_actors.intrinsic.transition import Counterfactuals, Transition
from ssd_influence.inference.decision import Decision, RecurrentState
from ssd_influence.inference.factory import make_inference
from ssd_influence.networks.agent_network import make_network
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.rewards.social import SocialReward
from ssd_influence.roles import optional_axes, role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.dims import Dims
from ssd_wire.messages import LARGEST_FLOAT, Act, Timestep
from ssd_wire.weights import Weights


class Agent:
    """A policy, a model of others and an intrinsic reward, for the B games of one lane.

    Args:
        shape: Which agent it is, and its numbers of agents, actions and cells.
        network, experiment: Sections of the run file.
        games: B.
        rng: Draws the actions and symbols.

    Attributes:
        role: Which agents it influences, follows, and exchanges information with.
        dims: Of its messages, except for T.
        intrinsic: Its intrinsic reward; None if it has none.
        learner_incarnation, weights_version: Which weights it acts with.
    """

    def __init__(
        self,
        shape: AgentShape,
        network: NetworkSettings,
        experiment: ExperimentSettings,
        games: int,
        rng: torch.Generator,
    ) -> None:
        self.shape = shape
        self.experiment = experiment
        self.games = games
        self.role = role_of(experiment, shape.agent, shape.num_agents)
        self.network = make_network(shape, network, experiment).eval()
        self.dims = Dims.of(
            shape,
            games,
            S=self.network.state_size,
            **optional_axes(self.role, experiment, shape.num_actions),
        )
        self.intrinsic = make_intrinsic(shape, experiment)
        self.learner_incarnation = 0
        self.weights_version = 0
        self._inference = make_inference(self.network, games)
        self._action_noise = torch.empty(games, shape.num_actions)
        self._symbol_noise = torch.empty(games, experiment.symbols)
        self._rng = rng

    def load_weights(self, weights: Weights) -> None:
        """Act with these weights from now on."""
        for name, parameter in self.network.named_parameters():
            parameter.data.copy_(torch.from_numpy(weights.tensors[name].copy()))
        self._inference.reload_weights()
        self.learner_incarnation = weights.learner_incarnation
        self.weights_version = weights.version

    def initial_state(self) -> RecurrentState:
        """The recurrent state at the start."""
        return self._inference.initial_state()

    def make_social_reward(self) -> SocialReward | None:
        """The scheme that computes a reward from everyone's; None if the agent has its own only."""
        if self.experiment.reward == "own":
            return None
        return SocialReward(self.experiment, self.shape.agent, self.shape.num_agents, self.games)

    def decide(self, timestep: Timestep, state: RecurrentState) -> Decision:
        """Choose an action, and a symbol where the experiment has symbols.

        Args:
            timestep: timestep t.
            state: the policy's recurrent state: before t in, after t out.
        """
        return self._inference.decide(
            timestep.pixels,
            timestep.actions,
            timestep.is_first,
            self._action_noise.exponential_(generator=self._rng).numpy(),
            state,
            leader_actions_t=timestep.leader_actions,
            symbols_tm1=timestep.symbols,
            symbol_noise=self._draw_symbol_noise(),
        )

    def act_message(self, timestep: Timestep, decision: Decision) -> Act:
        """The answer to a timestep: the decision, and what the experiment discloses of it.

        `Actor` sets `learner_complete`.
        """
        return Act(
            env_incarnation=timestep.env_incarnation,
            lane=timestep.lane,
            tick=timestep.tick,
            learner_complete=False,
            action=decision.action.choice,
            symbol=None if decision.symbol is None else decision.symbol.choice,
            log_probs=log_softmax(decision.action.logits) if self.role.sends_log_probs else None,
            responses=None if decision.responses is None else bounded(decision.responses),
        )

    def complete_transition(
        self, timestep: Timestep, decision: Decision, next_timestep: Timestep, state: RecurrentState
    ) -> Transition:
        """Advance the MOA by step t, and ask it for the counterfactuals that the reward needs.

        Args:
            timestep: timestep t.
            decision: what was chosen at t.
            next_timestep: timestep t + 1, which carries everyone's a_t.
            state: the MOA's recurrent state: before t in, after t out. Counterfactuals do not
                change it.
        """
        transition = Transition(timestep, decision, next_timestep)
        if state.moa is None:
            return transition
        games = NO_GAMES
        if self.intrinsic is not None:
            games = self.intrinsic.counterfactual_games(transition)
        logits = self._inference.predict_others(
            next_timestep.actions, timestep.is_first, state, games, symbols_t=next_timestep.symbols
        )
        if not len(games):
            return transition
        return replace(transition, counterfactuals=Counterfactuals(games, logits))

    def intrinsic_reward(
        self, transition: Transition, timestep_tp2: Timestep | None
    ) -> NDArray[np.float32]:
        """c_t [B], clipped; in nats where it is influence.

        Args:
            transition: step t and timestep t + 1.
            timestep_tp2: timestep t + 2, where the reward needs it.
        """
        if self.intrinsic is None:
            return np.zeros(self.games, np.float32)
        limit = min(self.experiment.influence_clip, LARGEST_FLOAT)
        return np.clip(self.intrinsic.reward(transition, timestep_tp2), -limit, limit)

    def _draw_symbol_noise(self) -> NDArray[np.float32] | None:
        if not self.experiment.symbols:
            return None
        return self._symbol_noise.exponential_(generator=self._rng).numpy()


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities over the last axis."""
    below = logits - logits.max(-1, keepdims=True)
    return bounded(below - np.log(np.exp(below).sum(-1, keepdims=True)))


def bounded(log_probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities that a message may hold: those of what never happens become finite.

    A custom network may forbid an action with a log-probability of −∞, or close to it.
    """
    return np.maximum(log_probs, np.float32(-LARGEST_FLOAT))
