"""One process of a run, recorded: `python -m ssd_lab.timeline.recorded FILE ssd-actor …`.

Which calls are timed, and how each tells what it is about, stands here and nowhere else. The spans
are kept in memory, and written when the process ends.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ssd_lab.timeline.recorder import Recorder, Tells, of_nothing, replace
from ssd_lab.timeline.spans import NONE, Kind, Of, write_spans


@dataclass(frozen=True)
class Point:
    """A method or function to time.

    Attributes:
        where: ``module:Class.method``, or ``module:function`` in the module that calls it.
        kind: What it does.
        tells: What a call is about, from its arguments and result.
        how: Which of the recorder's wrappings it wants.
    """

    where: str
    kind: Kind
    tells: Tells = of_nothing
    how: Literal["call", "wait", "each"] = "call"


def _about(message: Any, agent: int = NONE) -> Of:
    return Of(getattr(message, "lane", NONE), getattr(message, "tick", NONE), agent)


def _agent_of(peer: bytes) -> int:
    """An actor's socket identity begins with its role, ``actor-ARENA-AGENT-``."""
    role = peer.split(b"-")
    return int(role[2]) if role[0] == b"actor" else NONE


WAIT = Point("ssd_wire.links:Waiting.wait", Kind.WAITING, how="wait")
WORLD = (
    WAIT,
    Point("ssd_wire.links:Router.receive", Kind.RECEIVE, how="each"),
    Point("ssd_world.server:decode", Kind.RECEIVE),
    Point(
        "ssd_world.referee:Referee.hear",
        Kind.RECEIVE,
        lambda given, _: _about(given[2], _agent_of(given[1])),
    ),
    Point(
        "ssd_world.games:LaneGames.step",
        Kind.STEP,
        lambda given, _: Of(given[0]._lane, given[0].tick),
    ),
    Point("ssd_world.games:LaneGames.timesteps", Kind.SEND, lambda _, made: _about(made[0])),
    Point(
        "ssd_wire.links:Router.send",
        Kind.SEND,
        lambda given, _: _about(given[2], _agent_of(given[1])),
    ),
)
ACTOR = (
    WAIT,
    Point("ssd_actors.world:World.timesteps", Kind.RECEIVE, lambda _, seen: _about(seen), "each"),
    Point(
        "ssd_actors.actor:Actor.answer",
        Kind.ANSWER,
        lambda given, _: Of(given[1].number, given[2].tick),
    ),
    Point("ssd_actors.mind:Mind.recall", Kind.RECKON),
    Point("ssd_actors.mind:Mind.reward", Kind.RECKON),
    Point("ssd_actors.mind:Mind.decide", Kind.DECIDE),
    Point("ssd_actors.world:World.act", Kind.SEND, lambda given, _: _about(given[1])),
    Point("ssd_actors.lane:Lane.begin_segment", Kind.REPORT),
    Point("ssd_actors.teacher:Teacher.push", Kind.REPORT),
    Point("ssd_actors.teacher:Teacher.tend", Kind.REPORT),
    Point("ssd_actors.teacher:Teacher.send", Kind.REPORT),
)
LEARNER = (
    WAIT,
    Point("ssd_learner.learner:Learner.read_mail", Kind.RECEIVE),
    Point("ssd_learner.update:collate", Kind.COLLATE),
    Point("ssd_learner.update:join", Kind.COLLATE),
    Point("ssd_learner.update:vtrace_update", Kind.UPDATE),
    Point("ssd_learner.ppo:learn", Kind.UPDATE),
    Point("ssd_learner.learner:Learner.publish_weights", Kind.REPORT),
    Point("ssd_learner.learner:Learner.acknowledge", Kind.REPORT),
    Point("ssd_learner.learner:Learner.save", Kind.REPORT),
)
COMMANDS = {
    "ssd-env": ("ssd_world.cli", WORLD),
    "ssd-actor": ("ssd_actors.cli", ACTOR),
    "ssd-learner": ("ssd_learner.cli", LEARNER),
}


def record(points: Sequence[Point], recorder: Recorder) -> None:
    """Have all these timed from now on, in this process."""
    for point in points:
        wrapping = getattr(recorder, point.how)
        replace(point.where, partial(wrapping, kind=point.kind, tells=point.tells))


def main(file: Path, command: str, *flags: str) -> None:
    """Run a command as its users do, and leave its spans in a file."""
    module, points = COMMANDS[command]
    recorder = Recorder()
    record(points, recorder)
    sys.argv = [command, *flags]
    try:
        importlib.import_module(module).main()
    finally:
        write_spans(file, recorder.spans)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
