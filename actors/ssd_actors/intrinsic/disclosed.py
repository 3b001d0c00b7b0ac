"""Influence by what the others disclose of how they would have acted: experiments I and II.

P[c, j, ·] comes from agent j itself: its policy, had agent k done (§4) or said (§5) each c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic.reward import Intrinsic
from ssd_actors.intrinsic.transition import Past
from ssd_influence.inference.decision import Choice
from ssd_influence.rewards.influence import influence
from ssd_wire.messages import Timestep

F32 = NDArray[np.float32]


class BasicInfluence(Intrinsic):
    """How far a leader's action moved those who saw it before they acted, within the same step."""

    def reward(self, past: Past, after: Timestep | None) -> F32:  # noqa: ARG002 - known before
        """Also for an episode's last step: all of it lies within that step."""
        everywhere = np.arange(len(past.next.is_first))
        return _moved(self, past.moment.decision.act, past.next, everywhere)


class CommunicationInfluence(Intrinsic):
    """How far a symbol, heard in the next step, moved what everybody did in it."""

    waits = True

    def reward(self, past: Past, after: Timestep | None) -> F32:
        """0 for the last symbol of an episode, which nobody hears in it."""
        if after is None or past.moment.decision.symbol is None:
            raise ValueError("what a symbol did is known after the step in which it was heard")
        heard = np.flatnonzero(~past.next.is_first)
        return _moved(self, past.moment.decision.symbol, after, heard)


class UnderInfluence(Intrinsic):
    """How far an influencee was moved by those it follows: the influencee's reward of §10.4.1.

    It has all that this takes: its own policy, and the leaders' actions and policies of the step.
    """

    def reward(self, past: Past, after: Timestep | None) -> F32:  # noqa: ARG002 - known before
        """Summed over the leaders."""
        seen, decision = past.moment.seen, past.moment.decision
        if (
            seen.leader_actions is None
            or seen.leader_log_probs is None
            or decision.responses is None
        ):
            raise ValueError("who follows nobody is influenced by nobody")
        games = np.arange(len(seen.is_first))
        did = decision.act.chosen[:, None]
        total = np.zeros(len(games), np.float32)
        for place in range(seen.leader_actions.shape[1]):
            led = Choice(
                seen.leader_log_probs[:, place].copy(),
                seen.leader_actions[:, place].copy(),
                _NOT_ASKED_FOR,
            )
            had_it_been = np.ascontiguousarray(decision.responses[:, place])  # [B, C, A]
            counted = np.ones((len(games), 1), np.bool_)
            kind = self.experiment.divergence
            total += influence(had_it_been, led, counted, kind, games, did)
        return total


_NOT_ASKED_FOR = np.empty(0, np.float32)  # a leader's log-probability: influence needs none


def _moved(rewarded: Intrinsic, choice: Choice, told: Timestep, games: NDArray[np.int64]) -> F32:
    """[B] of what k chose, by the responses and actions that a timestep tells; 0 elsewhere."""
    if told.responses is None:
        raise ValueError("nobody has disclosed how it would have acted")
    asked = rewarded.part.asks
    _, others, alternatives, actions = told.responses.shape
    by_choice = np.ascontiguousarray(told.responses[games].transpose(0, 2, 1, 3))  # [R, C, J, A]
    return influence(
        by_choice.reshape(len(games), alternatives, others * actions),
        choice,
        np.ones((len(told.is_first), len(asked)), np.bool_),
        rewarded.experiment.divergence,
        games,
        np.take(told.actions, asked, 1),
    )
