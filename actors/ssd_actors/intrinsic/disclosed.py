"""Influence by what the others disclose: how they would have acted (experiments I and II).

P[c, j, ·] comes from agent j itself. It is its policy, had agent k chosen each action c (§4) or
each symbol c (§5).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic.reward import Intrinsic
from ssd_actors.intrinsic.transition import Transition
from ssd_influence.inference.decision import Sample
from ssd_influence.rewards.influence import influence_reward
from ssd_wire.messages import Timestep

F32 = NDArray[np.float32]


class BasicInfluence(Intrinsic):
    """How far a leader's action changed what its followers did in the same step."""

    def reward(self, transition: Transition, timestep_tp2: Timestep | None) -> F32:  # noqa: ARG002 - not needed
        """Also for the last step of an episode: all of it happens within that step."""
        all_games = np.arange(len(transition.next_timestep.is_first))
        choice = transition.decision.action
        return _disclosed_influence(self, choice, transition.next_timestep, all_games)


class CommunicationInfluence(Intrinsic):
    """How far a symbol, received in the next step, changed what everyone did in that step."""

    needs_timestep_tp2 = True

    def reward(self, transition: Transition, timestep_tp2: Timestep | None) -> F32:
        """0 for the last symbol of an episode, which nobody receives in it."""
        symbol = transition.decision.symbol
        if timestep_tp2 is None or symbol is None:
            raise ValueError("wanted a symbol and timestep t + 2, found None")
        received = np.flatnonzero(~transition.next_timestep.is_first)
        return _disclosed_influence(self, symbol, timestep_tp2, received)


class UnderInfluence(Intrinsic):
    """How far an influencee was influenced by its leaders: the influencee's reward of §10.4.1.

    The agent can compute it from its own policy and its leaders' actions and policies.
    """

    def reward(self, transition: Transition, timestep_tp2: Timestep | None) -> F32:  # noqa: ARG002 - not needed
        """Summed over the leaders."""
        timestep, decision = transition.timestep, transition.decision
        actions, log_probs = timestep.leader_actions, timestep.leader_log_probs
        if actions is None or log_probs is None or decision.responses is None:
            raise ValueError("wanted an agent that follows leaders, found one that has none")
        games = np.arange(len(timestep.is_first))
        own_action = decision.action.choice[:, None]
        total = np.zeros(len(games), np.float32)
        for leader in range(actions.shape[1]):
            choice = Sample(log_probs[:, leader].copy(), actions[:, leader].copy(), _UNUSED)
            responses = np.ascontiguousarray(decision.responses[:, leader])  # [B, C, A]
            counted = np.ones((len(games), 1), np.bool_)
            divergence = self.experiment.divergence
            total += influence_reward(responses, choice, counted, divergence, games, own_action)
        return total


_UNUSED = np.empty(0, np.float32)  # log-probability of a leader's action: influence needs none


def _disclosed_influence(
    intrinsic: Intrinsic, choice: Sample, timestep: Timestep, games: NDArray[np.int64]
) -> F32:
    """[B] influence of agent k's choice.

    Args:
        intrinsic: Of agent k.
        choice: What agent k chose.
        timestep: It carries the responses that the others disclosed, and their actions.
        games: [R] those to compute it in; it is 0 in the others.
    """
    if timestep.responses is None:
        raise ValueError("wanted the others' responses, found None")
    others = intrinsic.role.disclosed_by
    _, num_others, alternatives, num_actions = timestep.responses.shape
    responses = np.ascontiguousarray(
        timestep.responses[games].transpose(0, 2, 1, 3)
    )  # [R, C, J, A]
    return influence_reward(
        responses.reshape(len(games), alternatives, num_others * num_actions),
        choice,
        np.ones((len(timestep.is_first), len(others)), np.bool_),
        intrinsic.experiment.divergence,
        games,
        np.take(timestep.actions, others, 1),
    )
