"""One step on made-up input, so that every kernel an agent needs is compiled and loaded."""

from __future__ import annotations

import numpy as np

from ssd_actors.agent import Agent, log_softmax
from ssd_wire.messages import Timestep


def warm_up(agent: Agent) -> None:
    """Run one whole step: the decision, its message, the transition and the intrinsic reward."""
    timestep, state = _zero_timestep(agent), agent.initial_state()
    decision = agent.decide(timestep, state)
    agent.act_message(timestep, decision)
    transition = agent.complete_transition(timestep, decision, timestep, state)
    needs_tp2 = agent.intrinsic is not None and agent.intrinsic.needs_timestep_tp2
    agent.intrinsic_reward(transition, timestep if needs_tp2 else None)


def _zero_timestep(agent: Agent) -> Timestep:
    """Its arrays are read-only, as they are when they come off the wire."""
    dims = agent.dims

    def uniform(*shape: int) -> np.ndarray:
        return log_softmax(np.zeros(shape, np.float32))

    timestep = Timestep(
        env_incarnation=0,
        lane=0,
        tick=0,
        pixels=np.zeros((dims.B, dims.W, dims.W), np.uint8),
        is_first=np.zeros(dims.B, np.bool_),
        reward=np.zeros(dims.B, np.float32),
        actions=np.zeros((dims.B, dims.N), np.uint8),
        visible=np.ones((dims.B, dims.N), np.bool_),
        symbols=np.zeros((dims.B, dims.N), np.uint8) if dims.V else None,
        leader_actions=np.zeros((dims.B, dims.L), np.uint8) if dims.L else None,
        leader_log_probs=uniform(dims.B, dims.Q, dims.A) if dims.Q else None,
        responses=uniform(dims.B, dims.J, dims.C, dims.A) if dims.J else None,
        all_rewards=np.zeros((dims.B, dims.R), np.float32) if dims.R else None,
    )
    for array in vars(timestep).values():
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return timestep
