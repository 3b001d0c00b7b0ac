"""One agent's network as it lives: it looks, decides, and reckons what it did to others."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ssd_actors.intrinsic import make_intrinsic
from ssd_actors.intrinsic.reward import NO_GAMES
from ssd_actors.intrinsic.transition import Moment, Past, WhatIf
from ssd_influence.inference.decision import State
from ssd_influence.inference.factory import inference_for
from ssd_influence.networks.agent_network import make_network
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.rewards.social import SocialReward
from ssd_influence.roles import axes, part_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.messages import Act, Timestep
from ssd_wire.weights import Weights


class Agent:
    """A policy, a model of others, and the rewards made of them in one lane, with one version.

    Args:
        shape: Who the agent is.
        network, experiment: Sections of the run file.
        games: B.
        noise: Draws the actions and symbols.

    Attributes:
        part: What the agent has to do with the others.
        axes: Lengths of the axes that messages have on its account.
        intrinsic: What it pays itself; None for nothing.
        learner_incarnation, version: Whose weights these are, and which.
    """

    def __init__(
        self,
        shape: AgentShape,
        network: NetworkSettings,
        experiment: ExperimentSettings,
        games: int,
        noise: torch.Generator,
    ) -> None:
        self.shape = shape
        self.experiment = experiment
        self.games = games
        self.part = part_of(experiment, shape.agent, shape.num_agents)
        self.axes = axes(self.part, experiment, shape.num_actions)
        self.network = make_network(shape, network, experiment).eval()
        self.intrinsic = make_intrinsic(shape, experiment)
        self.learner_incarnation = 0
        self.version = 0
        self._inference = inference_for(self.network, games)
        self._draws = torch.empty(games, shape.num_actions)
        self._symbol_draws = torch.empty(games, experiment.symbols)
        self._noise = noise

    def take(self, weights: Weights) -> None:
        """Think with these weights from now on."""
        for name, parameter in self.network.named_parameters():
            parameter.data.copy_(torch.from_numpy(weights.tensors[name].copy()))
        self._inference.refresh()
        self.learner_incarnation, self.version = weights.learner_incarnation, weights.version

    def fresh_state(self) -> State:
        """The state of one who remembers nothing."""
        return self._inference.fresh_state()

    def fresh_social_reward(self) -> SocialReward | None:
        """What makes a reward of everyone's, with nothing behind it; None for one's own alone."""
        if self.experiment.reward == "own":
            return None
        return SocialReward(self.experiment, self.shape.agent, self.shape.num_agents, self.games)

    def decide(self, seen: Timestep, state: State) -> Moment:
        """Look at s_t, act and speak.

        Args:
            seen: s_t, and what everyone did and said in the step before.
            state: the policy's before s_t in, after it out.
        """
        decision = self._inference.decide(
            seen.pixels,
            seen.actions,
            seen.is_first,
            self._draws.exponential_(generator=self._noise).numpy(),
            state,
            leaders_t=seen.leader_actions,
            symbols_tm1=seen.symbols,
            symbol_noise=self._noise_of_symbols(),
        )
        return Moment(seen, decision)

    def act(self, moment: Moment) -> Act:
        """What the world is told of a decision."""
        seen, decision = moment.seen, moment.decision
        return Act(
            env_incarnation=seen.env_incarnation,
            lane=seen.lane,
            tick=seen.tick,
            action=decision.act.chosen,
            symbol=None if decision.symbol is None else decision.symbol.chosen,
            log_probs=log_softmax(decision.act.logits) if self.part.tells_policy else None,
            responses=decision.responses,
        )

    def recall(self, moment: Moment, following: Timestep, state: State) -> Past:
        """With s_{t+1} here, tell the MOA what everyone did at t, and imagine what if I had not.

        Args:
            moment: of step t.
            following: the timestep t + 1, which carries everyone's a_t.
            state: the MOA's before t in, after t out; no counterfactual ever enters it.
        """
        if state.moa is None:
            return Past(moment, following, None)
        games = NO_GAMES
        if self.intrinsic is not None:
            games = self.intrinsic.asks_about(moment, following)
        logits = self._inference.recall(
            following.actions, moment.seen.is_first, state, games, symbols_t=following.symbols
        )
        return Past(moment, following, WhatIf(games, logits) if len(games) else None)

    def reward(self, past: Past, after: Timestep | None) -> NDArray[np.float32]:
        """c_t in all B games, clipped; in nats where it is influence.

        Args:
            past: step t and timestep t + 1.
            after: timestep t + 2, where the reward waits for it.
        """
        if self.intrinsic is None:
            return np.zeros(self.games, np.float32)
        limit = self.experiment.influence_clip
        return np.clip(self.intrinsic.reward(past, after), -limit, limit)

    def _noise_of_symbols(self) -> NDArray[np.float32] | None:
        if not self.experiment.symbols:
            return None
        return self._symbol_draws.exponential_(generator=self._noise).numpy()


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities over the last axis."""
    below = logits - logits.max(-1, keepdims=True)
    normalised: NDArray[np.float32] = below - np.log(np.exp(below).sum(-1, keepdims=True))
    return normalised
