"""Compares a segment with what the environment played and what its actor decided."""

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tests.simulation.checks.rules import require
from tests.simulation.settings import EXPERIMENTS
from tests.simulation.world.agent import intrinsic_reward
from tests.simulation.world.games import VIEW_HEADER


class Tick(NamedTuple):
    """What a lane's environment played and showed at one tick, as bytes."""

    actions: bytes  # everyone's last actions
    is_first: bytes
    seen: list  # by agent: its view, its rewards, and whom it sees


@dataclass
class Step:
    """A decision of one actor at one tick.

    Attributes:
        number: Of the decision.
        weights: Learner incarnation and version.
        leader_actions: Of its leaders, as it saw them; None if it has none.
        action, symbol: What it chose, as bytes.
    """

    tick: int
    number: int
    weights: tuple
    leader_actions: bytes | None
    action: bytes = b""
    symbol: bytes | None = None


class TrainedSegment(NamedTuple):
    """A segment that a learner was trained on, and where it was played."""

    epoch: int
    seq: int
    env_incarnation: int
    lane: int
    index: int  # of the segments that this actor made in this lane and environment


def check_segment(record, agent, segment):
    """The place of a segment, after its content has been found to be what was played.

    Args:
        record: Of the history.
        agent: Whose learner was trained on it.
        segment: As it was decoded.
    """
    t = record.settings.segment
    number, arena, lane, seen_by, tick, _ = VIEW_HEADER.unpack(segment.pixels[0, 0].tobytes())
    view, env = record.views[segment.epoch], record.environments[number]
    require((view.arena, view.agent, view.agent) == (arena, agent, seen_by), "own views only")
    require(segment.lane == lane, "lanes are not mixed", segment.lane, lane)
    ticks = record.ticks[env, lane][tick : tick + t + 2]
    steps = record.decisions[segment.epoch, env, lane]
    first = tick - steps[0].tick
    index, rest = divmod(first, t)
    require(rest == 0, "segments follow one another without gaps", first)
    _check_played(record, agent, segment, ticks)
    _check_decided(record, agent, segment, steps[first : first + t], first)
    return TrainedSegment(segment.epoch, segment.seq, env, lane, index)


def _check_played(record, agent, segment, ticks):
    """What the timesteps of the segment contained."""
    views, later = ticks[:-1], ticks[1:-1]
    t, games = record.settings.segment, record.settings.games
    _same("pixels", segment.pixels, [tick.seen[agent][0] for tick in views])
    _same("is_first", segment.is_first, [tick.is_first for tick in views])
    _same("visible", segment.visible, [tick.seen[agent][2] for tick in views])
    _same("actions", segment.actions, [tick.actions for tick in ticks])
    rewards = [reward for tick in later for reward in tick.seen[agent][1]]
    _same("reward", segment.reward, [struct.pack(f"<{t * games}f", *rewards)])
    if segment.shaped_reward is not None:
        shaped = [sum(one[1][game] for one in tick.seen) for tick in later for game in range(games)]
        _same("shaped_reward", segment.shaped_reward, [struct.pack(f"<{t * games}f", *shaped)])


def _check_decided(record, agent, segment, steps, first):
    """What the actor chose in the segment's steps, and with which weights."""
    settings = record.settings
    for array, numbers in (
        (segment.log_prob, [-step.number for step in steps]),
        (segment.influence, [_intrinsic(settings, step) for step in steps]),
        (segment.state[None], [first]),
    ):
        require(
            (array.reshape(len(numbers), -1) == np.array([numbers]).T).all(),
            "log-probabilities, intrinsic rewards and states are those of the decisions",
            array.tolist(),
            numbers,
        )
    weights = (segment.learner_incarnation, segment.weights_version)
    require({step.weights for step in steps} == {weights}, "one version acts in a segment")
    leaders = list(settings.role(agent).leaders)
    for step, actions in zip(steps, segment.actions[1:], strict=False):
        require(actions[:, agent].tobytes() == step.action, "the action played was chosen once")
        if leaders:
            led_by = np.ascontiguousarray(actions[:, leaders]).tobytes()
            require(led_by == step.leader_actions, "leaders do what followers saw them do")
    if EXPERIMENTS[settings.experiment].symbols:
        for step, symbols in zip(steps, segment.symbols[1:], strict=True):
            require(symbols[:, agent].tobytes() == step.symbol, "the symbol sent was chosen once")


def _intrinsic(settings, step):
    return intrinsic_reward([step.tick + n for n in range(settings.reward_delay + 1)]) * bool(
        settings.reward_delay
    )


def _same(name, array, wanted):
    require(array.tobytes() == b"".join(wanted), f"{name} of a segment are those of the timesteps")
