"""Curiosity about the others: c is how little the agent expected of what they did next.

With P[j, ·] = p(aʲ_{t+1} | a_t, s_t), what the agent's own model of the others expects after what
it did, c_t is the mean of −log P[j, aʲ_{t+1}] over the agents in view. It needs that model:
`moa_auxiliary = true`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic.reward import Intrinsic
from ssd_actors.intrinsic.transition import Moment, Past
from ssd_wire.messages import Timestep


class Surprise(Intrinsic):
    """c_t in nats; 0 where nobody is in view, and at an episode's last step."""

    waits = True  # for a_{t+1}, which timestep t + 2 tells

    def asks_about(self, moment: Moment, following: Timestep) -> NDArray[np.int64]:
        """Games in which somebody is in view, and the episode goes on."""
        return np.flatnonzero(self._in_view(moment).any(1) & ~following.is_first)

    def reward(self, past: Past, after: Timestep | None) -> NDArray[np.float32]:
        """[B] float32."""
        total = np.zeros(len(past.next.is_first), np.float32)
        if past.what_if is None or after is None:
            return total
        games, others = past.what_if.games, self.part.others
        did, view = past.moment.decision.act.chosen[games], self._in_view(past.moment)[games]
        logits = past.what_if.logits[np.arange(len(games)), did]  # after what it really did
        logits = logits.reshape(len(games), len(others), self.shape.num_actions)
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        next_actions = after.actions[games][:, list(others), None].astype(np.int64)
        surprise = -np.take_along_axis(log_p, next_actions, -1)[..., 0]  # [R, J]
        total[games] = (surprise * view).sum(1) / view.sum(1)
        return total

    def _in_view(self, moment: Moment) -> NDArray[np.bool_]:
        """[B, J]."""
        return np.take(moment.seen.visible, self.part.others, 1)
