"""A step of no account, after which every kernel that a mind needs is compiled and at hand."""

from __future__ import annotations

import numpy as np

from ssd_actors.agent import Agent, log_softmax
from ssd_wire.messages import Timestep


def warm_up(mind: Agent) -> None:
    """Decide, tell the world, and reckon what came of it."""
    seen = _something_to_see(mind)
    state = mind.fresh_state()
    moment = mind.decide(seen, state)
    mind.act(moment)
    past = mind.recall(moment, seen, state)
    waits = mind.intrinsic is not None and mind.intrinsic.waits
    mind.reward(past, seen if waits else None)


def _something_to_see(mind: Agent) -> Timestep:
    """As it comes off the wire: read-only."""
    games, agents, view = mind.games, mind.shape.num_agents, mind.shape.view
    actions = mind.shape.num_actions
    size = mind.axes

    def uniform(*axes: int) -> np.ndarray:
        return log_softmax(np.zeros(axes, np.float32))

    seen = Timestep(
        env_incarnation=0,
        lane=0,
        tick=0,
        pixels=np.zeros((games, view, view), np.uint8),
        is_first=np.zeros(games, np.bool_),
        reward=np.zeros(games, np.float32),
        actions=np.zeros((games, agents), np.uint8),
        visible=np.ones((games, agents), np.bool_),
        symbols=np.zeros((games, agents), np.uint8) if size["V"] else None,
        leader_actions=np.zeros((games, size["L"]), np.uint8) if size["L"] else None,
        leader_log_probs=uniform(games, size["Q"], actions) if size["Q"] else None,
        responses=uniform(games, size["J"], size["C"], actions) if size["J"] else None,
        all_rewards=np.zeros((games, size["R"]), np.float32) if size["R"] else None,
    )
    for array in vars(seen).values():
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return seen
