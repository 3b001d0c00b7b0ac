"""One agent's network as it lives: it looks, decides, and reckons what it did to others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssd_influence.influence import clip_influence, influence_reward
from ssd_influence.layers import LstmState
from ssd_influence.network import AgentNetwork, AgentShape, AgentState
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.messages import Timestep
from ssd_wire.weights import Weights


@dataclass(frozen=True, eq=False)
class Moment:
    """What the agent must remember of step t until t + 1 tells what the others did in it.

    Attributes:
        moa_features: [B, hidden] of s_t; None without a MOA.
        first: [B] bool, whether s_t began an episode.
        logits: [B, A] of the policy it acted from.
        action: [B] long, a_t.
        seen: [B, J] bool, which others it saw in s_t.
    """

    moa_features: Tensor | None
    first: Tensor
    logits: Tensor
    action: Tensor
    seen: Tensor


@dataclass(frozen=True, eq=False)
class Decision:
    """What was done at t, and the moment to remember it by.

    Attributes:
        action: [B] uint8.
        log_prob: [B] float32 of that action.
        moment: of step t.
        state: the policy's, after s_t.
    """

    action: NDArray[np.uint8]
    log_prob: NDArray[np.float32]
    moment: Moment
    state: LstmState


@dataclass(frozen=True, eq=False)
class Reckoning:
    """Step t's counterfactuals, for the games in which influence can be other than 0.

    Attributes:
        games: [R] long, those games.
        counterfactual_logits: [R, A, J, A] of a_{t+1}.
        moment: of step t, all B games.
    """

    games: Tensor
    counterfactual_logits: Tensor
    moment: Moment


class Mind:
    """An agent's policy and model of others, with the weights of one version.

    Args:
        shape: Who the agent is.
        network, experiment: Sections of the run file.
        noise: Draws the actions.

    Attributes:
        learner, version: Whose weights these are, and which.
    """

    def __init__(
        self,
        shape: AgentShape,
        network: NetworkSettings,
        experiment: ExperimentSettings,
        noise: torch.Generator,
    ) -> None:
        self.shape = shape
        self.experiment = experiment
        self.network = AgentNetwork(shape, network, experiment).eval()
        self.learner = 0
        self.version = 0
        self._noise = noise
        self._others = torch.tensor(shape.others)

    def take(self, weights: Weights) -> None:
        """Think with these weights from now on."""
        for name, parameter in self.network.named_parameters():
            parameter.data.copy_(torch.from_numpy(weights.tensors[name].copy()))
        self.learner, self.version = weights.learner, weights.version

    def fresh_state(self, games: int) -> AgentState:
        """The state of one who remembers nothing."""
        return self.network.split_state(self.network.initial_state(games))

    @torch.inference_mode()
    def decide(self, seen: Timestep, state: LstmState) -> Decision:
        """Look at s_t and act.

        Args:
            seen: s_t, and what everyone did in the step before.
            state: the policy's, before s_t.
        """
        first = torch.from_numpy(seen.first.copy())
        features = self.network.features(torch.from_numpy(seen.pixels.copy()))
        step = self.network.policy_step(
            features.policy, torch.from_numpy(seen.actions.copy()), first, state
        )
        log_policy = step.logits.log_softmax(-1)
        # The largest of p / Exp(1) falls on action a with probability p(a).
        noise = torch.empty_like(log_policy).exponential_(generator=self._noise)
        action = (log_policy - noise.log()).argmax(-1)
        log_prob = log_policy.gather(-1, action[:, None]).squeeze(-1)
        visible = torch.from_numpy(seen.visible.copy())[:, self._others]
        moment = Moment(features.moa, first, step.logits, action, visible)
        return Decision(action.to(torch.uint8).numpy(), log_prob.numpy(), moment, step.state)

    @torch.inference_mode()
    def recall(
        self, moment: Moment, seen: Timestep, state: LstmState
    ) -> tuple[LstmState, Reckoning | None]:
        """With s_{t+1} here, tell the MOA what everyone did at t, and imagine what if I had not.

        Args:
            moment: of step t.
            seen: the timestep t + 1, which carries everyone's a_t.
            state: the MOA's, before t.

        Returns:
            The MOA's state after t, which no counterfactual ever enters; and the counterfactuals,
            or None where influence is not wanted or nobody could be influenced.
        """
        model, features = self.network.moa, moment.moa_features
        if model is None or features is None:  # pragma: no cover - lanes without a MOA never ask
            raise ValueError("a mind without a model of others cannot recall")
        actions = torch.from_numpy(seen.actions.copy())
        if self.experiment.moa != "influence":
            return model.step(features, actions, moment.first, state).state, None
        # The last step of an episode has no t + 1 in it: influence is 0 there.
        counts = moment.seen.any(-1).numpy() & ~seen.first
        games = torch.from_numpy(np.flatnonzero(counts))
        if not len(games):
            return model.step(features, actions, moment.first, state).state, None
        rows = None if len(games) == len(counts) else games
        imagined = model.counterfactuals(features, actions, moment.first, state, rows)
        return imagined.state, Reckoning(games, imagined.logits, moment)

    @torch.inference_mode()
    def influence(
        self, reckoning: Reckoning, next_actions: NDArray[np.uint8] | None
    ) -> NDArray[np.float32]:
        """c_t in all B games, in nats, clipped (§6).

        Args:
            reckoning: of step t.
            next_actions: [B, N] everyone's a_{t+1}; only PMI asks for it.
        """
        games, moment = reckoning.games, reckoning.moment
        influence = torch.zeros(len(moment.action))
        influence[games] = influence_reward(
            reckoning.counterfactual_logits,
            moment.logits[games],
            moment.action[games],
            moment.seen[games],
            self.experiment.divergence,
            None
            if next_actions is None
            else torch.from_numpy(next_actions.copy())[games][:, self._others],
        )
        return clip_influence(influence, self.experiment.influence_clip).numpy()
