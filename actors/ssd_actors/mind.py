"""One agent's network as it lives: it looks, decides, and reckons what it did to others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ssd_influence.inference import Choice, Inference, State, influence
from ssd_influence.network import AgentNetwork, AgentShape
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.messages import Timestep
from ssd_wire.weights import Weights


@dataclass(frozen=True, eq=False)
class Moment:
    """What the agent must remember of step t until t + 1 tells what the others did in it.

    Attributes:
        first: [B] bool, whether s_t began an episode.
        choice: what it did, and from which policy.
        visible: [B, J] bool, which others it saw in s_t.
    """

    first: NDArray[np.bool_]
    choice: Choice
    visible: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Reckoning:
    """Step t's counterfactuals, for the games in which influence can be other than 0.

    Attributes:
        games: [R] long, those games.
        counterfactual_logits: [R, A, J · A] of a_{t+1}.
        moment: of step t, all B games.
    """

    games: NDArray[np.int64]
    counterfactual_logits: NDArray[np.float32]
    moment: Moment


class Mind:
    """An agent's policy and model of others in one lane, with the weights of one version.

    Args:
        shape: Who the agent is.
        network, experiment: Sections of the run file.
        games: B.
        noise: Draws the actions.

    Attributes:
        learner, version: Whose weights these are, and which.
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
        self.network = AgentNetwork(shape, network, experiment).eval()
        self.learner = 0
        self.version = 0
        self._inference = Inference(self.network, games)
        self._draws = torch.empty(games, shape.num_actions)
        self._noise = noise

    def take(self, weights: Weights) -> None:
        """Think with these weights from now on."""
        for name, parameter in self.network.named_parameters():
            parameter.data.copy_(torch.from_numpy(weights.tensors[name].copy()))
        self._inference.refresh()
        self.learner, self.version = weights.learner, weights.version

    def rehearse(self) -> None:
        """Live one step of no account, after which every kernel is compiled and at hand."""
        games = len(self._draws)
        seen = Timestep(
            world=0,
            lane=0,
            tick=0,
            pixels=np.zeros((games, self.shape.view, self.shape.view), np.uint8),
            first=np.zeros(games, np.bool_),
            reward=np.zeros(games, np.float32),
            actions=np.zeros((games, self.shape.num_agents), np.uint8),
            visible=np.ones((games, self.shape.num_agents), np.bool_),
        )
        for array in (seen.pixels, seen.first, seen.actions, seen.visible):
            array.flags.writeable = False  # as they are when they come off the wire
        state = self.fresh_state()
        moment = self.decide(seen, state)
        if state.moa is not None and (known := self.recall(moment, seen, state)) is not None:
            self.influence(known, seen.actions)

    def fresh_state(self) -> State:
        """The state of one who remembers nothing."""
        return self._inference.fresh_state()

    def decide(self, seen: Timestep, state: State) -> Moment:
        """Look at s_t and act.

        Args:
            seen: s_t, and what everyone did in the step before.
            state: the policy's before s_t in, after it out.
        """
        noise = self._draws.exponential_(generator=self._noise).numpy()
        choice = self._inference.decide(seen.pixels, seen.actions, seen.first, noise, state)
        return Moment(seen.first, choice, np.take(seen.visible, self.shape.others, 1))

    def recall(self, moment: Moment, seen: Timestep, state: State) -> Reckoning | None:
        """With s_{t+1} here, tell the MOA what everyone did at t, and imagine what if I had not.

        Args:
            moment: of step t.
            seen: the timestep t + 1, which carries everyone's a_t.
            state: the MOA's before t in, after t out; no counterfactual ever enters it.

        Returns:
            The counterfactuals; None where influence is not wanted or nobody could be influenced.
        """
        if self.experiment.influence == "moa":
            # The last step of an episode has no t + 1 in it: influence is 0 there.
            games = np.flatnonzero(moment.visible.any(1) & ~seen.first)
        else:
            games = np.empty(0, np.int64)
        logits = self._inference.recall(seen.actions, moment.first, state, games)
        return Reckoning(games, logits, moment) if len(games) else None

    def influence(
        self, reckoning: Reckoning, next_actions: NDArray[np.uint8] | None
    ) -> NDArray[np.float32]:
        """c_t in all B games, in nats, clipped (§6).

        Args:
            reckoning: of step t.
            next_actions: [B, N] everyone's a_{t+1}; only PMI asks for it.
        """
        moment, limit = reckoning.moment, self.experiment.influence_clip
        reward = influence(
            reckoning.counterfactual_logits,
            moment.choice,
            moment.visible,
            self.experiment.divergence,
            reckoning.games,
            None if next_actions is None else np.take(next_actions, self.shape.others, 1),
        )
        return np.clip(reward, -limit, limit)
