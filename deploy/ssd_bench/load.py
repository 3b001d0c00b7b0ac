"""`ssd-load`: how much one learner takes, from how many actors. Start reading in `measure`.

Synthetic actors speak to the learner as real ones do. They send segments of random play over and
over, each as many as the learner's window allows.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from ssd_actors.actor import FAREWELL
from ssd_actors.cli import ZmqPoller
from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
from ssd_bench.child_process import PATIENCE, child_process
from ssd_bench.parts.inputs import random_play, segment, shape_of
from ssd_bench.parts.plans import spec_of
from ssd_bench.process_usage import cpu_seconds
from ssd_bench.results.machine import facts
from ssd_bench.results.rows import Result, Row
from ssd_bench.results.table import show
from ssd_bench.whole_runs.training_run import RunRequest
from ssd_influence.networks.agent_network import AgentNetwork, make_network
from ssd_learner.build import axes
from ssd_run.plan import Plan
from ssd_run.progress.scraper import fetch
from ssd_wire.codec import encode
from ssd_wire.errors import RunFileError
from ssd_wire.links import Dealer, Subscriber
from ssd_wire.messages import Hello, Segment
from ssd_wire.process import reports_errors, version_option
from ssd_wire.runfile import fingerprint
from ssd_wire.stop import Stop

DISTINCT = 4  # segments; more tell a learner nothing, and cost this process its cache
WARM_UPDATES = 5  # allocators, threads and windows have settled by then
LONGEST_WAIT = 0.2  # seconds; silence is noticed at most this late
ANSWER = 10.0  # seconds that a busy learner has for its metrics
COUNTERS = ("own_steps", "updates", "busy_seconds")

Reading = tuple[float, ...]  # `COUNTERS`, CPU seconds of the learner and of the load, seconds


def segments_of(plan: Plan, network: AgentNetwork) -> list[Segment]:
    """Distinct segments of random play, one after the other, as an agent's actor makes them."""
    steps, size = plan.run.segment, network.state_size
    shown = random_play(plan, network.shape.agent, steps, DISTINCT * steps + 2)
    starts = range(0, DISTINCT * steps, steps)
    return [segment(plan, shown[start : start + steps + 2], size) for start in starts]


class SyntheticActor:
    """One actor of one arena; numbers and sends these segments over and over, as many as it may."""

    def __init__(
        self, epoch: int, teacher: LearnerClient, lanes: int, segments: Sequence[Segment]
    ) -> None:
        self.teacher, self._epoch = teacher, epoch
        self._lanes, self._segments = cycle(range(lanes)), cycle(segments)

    def play(self) -> None:
        """Read what came, make what there is room for, send what the line takes."""
        self.teacher.tend()
        while self.teacher.has_room() and (weights := self.teacher.weights) is not None:
            numbered = replace(
                next(self._segments),
                epoch=self._epoch,
                seq=self.teacher.outbox.made + 1,
                lane=next(self._lanes),
                learner_incarnation=weights.learner_incarnation,
                weights_version=weights.version,
            )
            self.teacher.outbox.add(encode(numbered))
        self.teacher.send()


class Crowd:
    """All synthetic actors of this process, on one thread.

    `wait` returns when something came or so many seconds are over; false when asked to stop.
    """

    def __init__(self, wait: Callable[[float], bool], actors: Sequence[SyntheticActor]) -> None:
        self._wait, self._actors = wait, actors

    def total(self, count: str) -> int:
        """The sum over all actors of one of the counts that an `Outbox` keeps."""
        return sum(getattr(actor.teacher.outbox, count) for actor in self._actors)

    def play(self, until: float = 0.0, trained: int = 0) -> None:
        """Make and send segments until a time, and until so many are trained."""
        while time.monotonic() < until or self.total("trained") < trained:
            if not self._wait(LONGEST_WAIT):
                raise KeyboardInterrupt
            for actor in self._actors:
                actor.play()

    def finish(self) -> bool:
        """Have all segments made durable, in bounded time; whether all are."""
        deadline = time.monotonic() + FAREWELL
        for actor in self._actors:
            actor.teacher.say_bye()
        while time.monotonic() < deadline and self.total("durable") < self.total("made"):
            self._wait(LONGEST_WAIT)
            for actor in self._actors:
                actor.teacher.tend()
        return self.total("durable") == self.total("made")


@contextmanager
def crowd(plan: Plan, agent: int, actors: int, learner: Mapping[str, Any]) -> Iterator[Crowd]:
    """Actors of one agent in arenas 0 … actors − 1, each connected as a real one is."""
    network = make_network(shape_of(plan, agent), plan.network, plan.experiment)
    segments = segments_of(plan, network)
    sizes = axes(plan.run, spec_of(plan), plan.experiment, network.state_size)
    shapes = {name: tuple(weight.shape) for name, weight in network.named_parameters()}
    mark = fingerprint(plan.run, plan.game, plan.experiment, plan.network)
    links: list[Dealer | Subscriber] = []
    players = []
    with ExitStack() as exits:
        for arena in range(actors):
            hello = Hello(agent, arena, secrets.randbits(62), mark)
            line = exits.enter_context(closing(Dealer(learner["segments"])))
            news = exits.enter_context(closing(Subscriber(learner["weights"])))
            outbox = Outbox(plan.run.lanes, plan.run.retained)
            teacher = LearnerClient(line, news, hello, outbox, sizes, shapes, time.monotonic)
            players.append(SyntheticActor(hello.epoch, teacher, plan.run.lanes, segments))
            links += (line, news)
        yield Crowd(ZmqPoller(Stop(), *links).wait, players)


@contextmanager
def learner_of(plan: Plan, agent: int) -> Iterator[dict[str, Any]]:
    """A learner that is started here and stopped in the end: its pid and addresses.

    Raises:
        RunFileError: when it does not come up; says what it had to say.
    """
    with tempfile.TemporaryDirectory(prefix="ssd-load-") as name:
        folder, deadline = Path(name), time.monotonic() + PATIENCE
        (folder / "run.toml").write_text(plan.toml())
        files = (f"--run={folder}/run.toml", f"--run-dir={folder}", f"--checkpoints={folder}/kept")
        sockets = (f"--bind=ipc://{folder}/segments", f"--weights=ipc://{folder}/weights")
        options = (f"--agent={agent}", *files, *sockets)
        entry, log = folder / "processes" / f"learner-{agent}.json", folder / "log"
        with child_process("ssd_learner.cli", *options, log=str(log)) as process:
            while not entry.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RunFileError(f"the learner did not come up; it says: {log.read_text()}")
                time.sleep(0.05)
            yield json.loads(entry.read_text())


def measure(plan: Plan, agent: int, actors: int, seconds: float, repeats: int) -> Row:
    """Put a learner under the load of so many actors, over so many windows of time.

    Raises:
        click.ClickException: when segments were lost.
    """
    warm = WARM_UPDATES * plan.learning.batch_segments
    with learner_of(plan, agent) as learner, crowd(plan, agent, actors, learner) as players:
        players.play(trained=warm)
        readings = [_read(learner)]
        for _ in range(repeats):
            players.play(until=time.monotonic() + seconds)
            players.play(trained=players.total("trained") + 1)  # no update is counted in part
            readings.append(_read(learner))
        settled = players.finish()
    made, trained = players.total("made"), players.total("trained")
    if not settled or made != trained:
        raise click.ClickException(f"segments were lost: {made} made, {trained} trained")
    columns = rates(readings, plan.segment_steps)
    name = f"load/{plan.preset.name}/{actors}-actors"
    return Row(name=name, samples=columns.pop("own-steps/s"), also=columns)


def _read(learner: Mapping[str, Any]) -> Reading:
    """All clocks and counters at one moment."""
    heard = fetch(learner["metrics"], ANSWER)
    counters = (heard[f"ssd_learner_{name}_total"] for name in COUNTERS)
    return (*counters, cpu_seconds(learner["pid"]), time.process_time(), time.monotonic())


def rates(readings: Sequence[Reading], segment_steps: int) -> dict[str, tuple[float, ...]]:
    """What happened from each reading to the next, per second.

    CPU is the learner's, its ZeroMQ thread included, as a share of the time; and in µs for each
    own-step, which other work on the machine moves least. Where the load's own share is near 1, it
    is this process that is measured.
    """
    grown = np.diff(np.array(readings), axis=0)
    own_steps, updates, busy, cpu, load_cpu, _ = (grown / grown[:, -1:]).T
    columns = {
        "own-steps/s": own_steps,
        "segments/s": own_steps / segment_steps,
        "updates/s": updates,
        "in updates": busy,
        "CPU": cpu,
        "CPU µs": 1e6 * cpu / np.maximum(own_steps, 1e-9),
        "load's CPU": load_cpu,
    }
    return {name: tuple(map(float, column)) for name, column in columns.items()}


def _numbers(_context: object, _option: object, text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise click.BadParameter(f"wanted numbers separated by commas, found {text!r}") from None
    if min(numbers) < 1:
        raise click.BadParameter(f"wanted numbers of at least 1, found {text!r}")
    return numbers


@click.command()
@version_option
@click.option("--preset", default="cleanup-moa", show_default=True, help="Or an own .toml file.")
@click.option("--agent", default=0, show_default=True, type=click.IntRange(0), help="Which one.")
@click.option("--actors", default="1", callback=_numbers, help="N,N,…: a row for each number.")
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE")
@click.option("--seconds", default=10.0, show_default=True, help="Length of a window.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1), help="Windows.")
@click.option("--json", "kept", type=click.Path(path_type=Path), help="Write all figures here.")
@click.pass_context
@reports_errors
def main(
    context: click.Context,
    preset: str,
    agent: int,
    actors: tuple[int, ...],
    assignments: tuple[str, ...],
    seconds: float,
    repeats: int,
    kept: Path | None,
) -> None:
    """Load one learner with made-up segments of many actors, over the real protocol.

    Starts an ssd-learner for each row, in a directory that is gone afterwards.
    """
    if not seconds > 0:
        raise click.UsageError(f"--seconds: wanted more than 0, found {seconds}")
    plan = RunRequest(preset, assignments).plan
    if agent >= plan.game.agents:
        raise RunFileError(f"wanted an agent of 0 to {plan.game.agents - 1}, found {agent}")
    torch.set_num_threads(1)
    try:
        rows = tuple(measure(plan, agent, number, seconds, repeats) for number in actors)
    except KeyboardInterrupt:
        sys.exit(130)
    settings = {name: value for name, value in context.params.items() if name != "kept"}
    result = Result(machine=facts(), settings=settings, rows=rows)
    if kept is not None:
        result.write(kept)
    show(result)


if __name__ == "__main__":
    main()
