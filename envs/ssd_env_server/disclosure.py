"""The optional arrays of timesteps: what agents send each other through the environment.

Each agent's `Role` says which of them it receives. Nothing else is passed on to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ssd_influence.roles import Role
from ssd_wire.dims import Dims
from ssd_wire.messages import Act, Array, Timestep


class Disclosure:
    """Passes what the agents of a lane disclose to the agents that may know it.

    The arrays of the timesteps are allocated once and overwritten at the next tick.

    Args:
        roles: [N] the role of each agent.
        dims: [N] the dims of each agent's messages.
    """

    def __init__(self, roles: Sequence[Role], dims: Sequence[Dims]) -> None:
        self._roles = roles
        b, n = dims[0].B, dims[0].N  # V and R, too, are the same for all agents
        self._symbols = np.zeros((b, n), np.uint8) if dims[0].V else None
        self._all_rewards = np.zeros((b, n), np.float32) if dims[0].R else None
        self._responses = [_uniform_responses(one) if one.J else None for one in dims]
        self._leader_actions = [np.zeros((b, one.L), np.uint8) for one in dims]
        self._leader_log_probs = [_zero_log_probs(one) if one.Q else None for one in dims]
        # By agent: who sends it responses, and at which index of the sender's `discloses_to`.
        self._sources = [
            tuple(
                (sender, roles[sender].discloses_to.index(role.agent))
                for sender in role.disclosed_by
            )
            for role in roles
        ]
        self._adds_nothing = not any(one.V or one.J or one.R for one in dims)

    def leaders_of(self, agent: int) -> tuple[int, ...]:
        """The agents whose actions of the same step this agent sees before it acts."""
        return self._roles[agent].leaders

    def add_last_step(
        self, timesteps: Sequence[Timestep], acts: Sequence[Act] = ()
    ) -> Sequence[Timestep]:
        """Timesteps with the symbols, responses and rewards of the step before.

        Args:
            timesteps: [N] of one tick.
            acts: [N] of the tick before. None at tick 0: symbols are 0 there, and responses
                uniform.
        """
        if self._adds_nothing:
            return timesteps
        if acts:
            self._collect(acts)
        if self._all_rewards is not None:
            _copy_columns(self._all_rewards, (step.reward for step in timesteps))
        return [
            replace(step, symbols=self._symbols, responses=responses, all_rewards=self._all_rewards)
            for step, responses in zip(timesteps, self._responses, strict=True)
        ]

    def add_leaders(self, timestep: Timestep, agent: int, acts: Sequence[Act | None]) -> Timestep:
        """An agent's timestep with what its leaders do in the same step.

        Args:
            timestep: The agent's, from `add_last_step`.
            agent: Which one.
            acts: [N] of this tick; those of the agent's leaders are present.
        """
        led = [act for leader in self.leaders_of(agent) if (act := acts[leader]) is not None]
        actions, log_probs = self._leader_actions[agent], self._leader_log_probs[agent]
        _copy_columns(actions, (act.action for act in led))
        if log_probs is not None:
            _copy_columns(log_probs, (act.log_probs for act in led))
        return replace(timestep, leader_actions=actions, leader_log_probs=log_probs)

    def _collect(self, acts: Sequence[Act]) -> None:
        if self._symbols is not None:
            _copy_columns(self._symbols, (act.symbol for act in acts))
        for responses, sources in zip(self._responses, self._sources, strict=True):
            if responses is not None:
                _copy_columns(
                    responses, (_response(acts[sender], index) for sender, index in sources)
                )


def _uniform_responses(dims: Dims) -> Array:
    shape = (dims.B, dims.J, dims.C, dims.A)
    return np.full(shape, -math.log(dims.A), np.float32)


def _zero_log_probs(dims: Dims) -> Array:
    return np.zeros((dims.B, dims.Q, dims.A), np.float32)


def _response(act: Act, index: int) -> Array:
    """[B, C, A] the response to the agent at this index of the sender's `discloses_to`."""
    return act.responses[:, index]  # type: ignore[index]  # an act without responses was refused


def _copy_columns(target: Array, arrays: Iterable[Array | None]) -> None:
    """Copy the i-th array into ``target[:, i]``."""
    for index, array in enumerate(arrays):
        target[:, index] = array
