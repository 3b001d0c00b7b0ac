"""An intrinsic reward for surprise: how little the agent expected of what the others did next.

With P[j, ·] = p(aʲ_{t+1} | a_t, s_t), the prediction of the agent's own model of the others (MOA),
c_t is the mean of −log P[j, aʲ_{t+1}] over the visible agents j. It needs that model:
`moa_auxiliary = true`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic import Intrinsic, Transition
from ssd_wire.messages import Timestep


class Surprise(Intrinsic):
    """c_t in nats; 0 where nobody is visible, and at an episode's last step."""

    needs_timestep_tp2 = True  # it carries a_{t+1}

    def counterfactual_games(self, transition: Transition) -> NDArray[np.int64]:
        """Games in which somebody is visible and the episode goes on."""
        goes_on = ~transition.next_timestep.is_first
        return np.flatnonzero(self._visible(transition).any(1) & goes_on)

    def reward(self, transition: Transition, timestep_tp2: Timestep | None) -> NDArray[np.float32]:
        """float32 [B]."""
        c_t = np.zeros(len(transition.next_timestep.is_first), np.float32)
        predicted = transition.counterfactuals
        if predicted is None or timestep_tp2 is None:
            return c_t
        games, others = predicted.games, self.role.others
        own_action = transition.decision.action.choice[games]
        logits = predicted.logits[np.arange(len(games)), own_action]  # for what it really did
        logits = logits.reshape(len(games), len(others), self.shape.num_actions)
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        next_actions = timestep_tp2.actions[games][:, list(others), None].astype(np.int64)
        surprise = -np.take_along_axis(log_probs, next_actions, -1)[..., 0]  # [R, J]
        visible = self._visible(transition)[games]
        c_t[games] = (surprise * visible).sum(1) / visible.sum(1)
        return c_t

    def _visible(self, transition: Transition) -> NDArray[np.bool_]:
        """[B, J] whether this agent saw each other agent in s_t."""
        return np.take(transition.timestep.visible, self.role.others, 1)
