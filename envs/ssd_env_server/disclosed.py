"""What agents are told of one another, beside what all do: only what the experiment needs of it.

Each agent's `Role` says what is meant for it, and nothing else is passed on to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ssd_influence.roles import Role
from ssd_wire.dims import Dims
from ssd_wire.messages import Act, Array, Timestep


class Disclosed:
    """Collects what the agents of a lane disclose, for those whom it is meant for.

    The arrays of timesteps are allocated once and written in place: they hold until the next tick.

    Args:
        roles: [N] each agent's role, in order.
        dims: [N] of each agent's messages.
    """

    def __init__(self, roles: Sequence[Role], dims: Sequence[Dims]) -> None:
        self._roles = roles
        b, n = dims[0].B, dims[0].N  # V and R, too, are everyone's
        self._symbols = np.zeros((b, n), np.uint8) if dims[0].V else None
        self._rewards = np.zeros((b, n), np.float32) if dims[0].R else None
        self._responses = [_responses(one) if one.J else None for one in dims]
        self._leaders = [np.zeros((b, one.L), np.uint8) for one in dims]
        self._policies = [_policies(one) if one.Q else None for one in dims]
        # By agent: which others answer it, and in which place of theirs.
        self._answers = [
            tuple(
                (other, roles[other].discloses_to.index(role.agent)) for other in role.disclosed_by
            )
            for role in roles
        ]
        self._is_silent = not any(one.V or one.J or one.R for one in dims)

    def follows(self, agent: int) -> tuple[int, ...]:
        """Whose actions of this step an agent sees before it acts."""
        return self._roles[agent].leaders

    def tell(self, timesteps: Sequence[Timestep], acts: Sequence[Act] = ()) -> Sequence[Timestep]:
        """Timesteps, with what is meant for each agent of the step before.

        Args:
            timesteps: [N] of one tick.
            acts: [N] the answers to the tick before. None at tick 0: symbols are 0 there, and by
                the responses all actions are as likely.
        """
        if self._is_silent:
            return timesteps
        if acts:
            self._collect(acts)
        if self._rewards is not None:
            _lay(self._rewards, (step.reward for step in timesteps))
        return [
            replace(step, symbols=self._symbols, responses=responses, all_rewards=self._rewards)
            for step, responses in zip(timesteps, self._responses, strict=True)
        ]

    def tell_follower(self, timestep: Timestep, agent: int, acts: Sequence[Act | None]) -> Timestep:
        """An agent's timestep, with what those do in this very step whom it follows.

        Args:
            timestep: The agent's, as made by `tell`.
            agent: Who follows.
            acts: [N] the answers to this tick; those of the agents it follows are there.
        """
        first = [act for other in self.follows(agent) if (act := acts[other]) is not None]
        leaders, policies = self._leaders[agent], self._policies[agent]
        _lay(leaders, (act.action for act in first))
        if policies is not None:
            _lay(policies, (act.log_probs for act in first))
        return replace(timestep, leader_actions=leaders, leader_log_probs=policies)

    def _collect(self, acts: Sequence[Act]) -> None:
        if self._symbols is not None:
            _lay(self._symbols, (act.symbol for act in acts))
        for responses, answers in zip(self._responses, self._answers, strict=True):
            if responses is not None:
                _lay(responses, (_answer(acts[other], place) for other, place in answers))


def _responses(dims: Dims) -> Array:
    shape = (dims.B, dims.J, dims.C, dims.A)
    return np.full(shape, -math.log(dims.A), np.float32)


def _policies(dims: Dims) -> Array:
    return np.zeros((dims.B, dims.Q, dims.A), np.float32)


def _answer(act: Act, place: int) -> Array:
    """[B, C, A] what this act discloses to the one in this place of its agent's `answers`."""
    return act.responses[:, place]  # type: ignore[index]  # or the act had been refused


def _lay(into: Array, arrays: Iterable[Array | None]) -> None:
    """Copy arrays side by side: the one at place i becomes ``into[:, i]``."""
    for place, array in enumerate(arrays):
        into[:, place] = array
