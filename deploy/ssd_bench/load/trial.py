"""One trial: many actors at one learner, warmed up, measured and settled. Start reading here."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ssd_bench.load.actors import Crowd, gather
from ssd_bench.load.figures import Figures, between, median, read
from ssd_bench.load.learner import Target, running, started
from ssd_bench.load.segments import Cast, draw
from ssd_run.account import Account, read_ledgers, settle
from ssd_wire.codec import encode
from ssd_wire.stop import Stop
from ssd_wire.weights import encode_weights

DISTINCT = 8  # segments drawn; more tell a learner nothing, and cost the generator its cache
WARM_UPDATES = 5  # allocators, threads and windows have settled by then


@dataclass(frozen=True)
class Load:
    """What is put on a learner, and how it is measured.

    Attributes:
        cast: The run, and which agent.
        own_steps_per_second: That each actor makes; None for as many as the learner takes.
        seconds: Length of a window.
        repeats: Windows, of which the median counts.
        ingest_only: Whether to measure the way in alone, with a learner that trains nothing.
        at: Run directory of a learner that runs already; None starts one.
    """

    cast: Cast
    own_steps_per_second: float | None
    seconds: float
    repeats: int
    ingest_only: bool
    at: Path | None

    @property
    def pace(self) -> float:
        """Seconds between two segments of one actor."""
        if self.own_steps_per_second is None:
            return 0.0
        return self.cast.plan.segment_steps / self.own_steps_per_second


class StoppedError(Exception):
    """The user asked to stop before the trial was over."""


@dataclass(frozen=True)
class Row:
    """What a trial found.

    Attributes:
        preset, agent, actors, ingest_only: What was loaded, by how many.
        games, lanes, steps, window, batch_segments: B, lanes, T and more of the run file.
        own_steps_per_second_each: What each actor made, None for as much as was taken.
        segment_bytes, weights_bytes: Of one segment, and of one publication of weights.
        repeats: Windows that the figures are medians of.
        figures: What happened in them.
        settled: Whether all segments were durable at the end.
        account: Of all segments that this learner ever got.
    """

    preset: str
    agent: int
    actors: int
    ingest_only: bool
    games: int
    lanes: int
    steps: int
    window: int
    batch_segments: int
    own_steps_per_second_each: float | None
    segment_bytes: int
    weights_bytes: int
    repeats: int
    figures: Figures
    settled: bool
    account: Account


def trial(load: Load, actors: int, stop: Stop) -> Row:
    """Put a learner under the load of so many actors.

    Raises:
        StoppedError: when asked to stop.
        RunFileError: when there is no learner to load, or it does not come up.
        RefusedError: when it is another run's.
    """
    drawn = draw(load.cast, DISTINCT)
    size = sum(
        memoryview(frame).nbytes
        for frame in encode(drawn[0].draft.finish(1, 1, 0, drawn[0].last_actions))
    )
    with _target(load) as target, ExitStack() as exits:
        crowd = gather(exits, stop, load.cast, target, actors, drawn, load.pace)
        windows = list(_windows(load, crowd, target, size))
        settled = crowd.take_leave()
        return _row(load, crowd, size, median(windows), settled, _account(load, crowd, target))


@contextmanager
def _target(load: Load) -> Iterator[Target]:
    if load.at is not None:
        yield running(load.at, load.cast.agent)
        return
    module = "ssd_bench.load.ingest" if load.ingest_only else "ssd_learner.cli"
    with (
        tempfile.TemporaryDirectory(prefix="ssd-load-") as folder,
        started(load.cast.plan, load.cast.agent, Path(folder), module) as target,
    ):
        yield target


def _windows(load: Load, crowd: Crowd, target: Target, segment_bytes: int) -> Iterator[Figures]:
    """Each begins and ends with an update, so that none is counted in part."""
    _play_until_trained(crowd, WARM_UPDATES * load.cast.plan.learning.batch_segments)
    before = read(target, crowd)
    for _ in range(load.repeats):
        _play_for(crowd, load.seconds)
        _play_until_trained(crowd, crowd.trained + 1)
        after = read(target, crowd)
        yield between(before, after, len(crowd.players), segment_bytes)
        before = after


def _play_for(crowd: Crowd, seconds: float) -> None:
    until = time.monotonic() + seconds
    _play(crowd, lambda: time.monotonic() >= until)


def _play_until_trained(crowd: Crowd, segments: int) -> None:
    _play(crowd, lambda: crowd.trained >= segments)


def _play(crowd: Crowd, over: Callable[[], bool]) -> None:
    if not crowd.play_until(over):
        raise StoppedError


def _account(load: Load, crowd: Crowd, target: Target) -> Account:
    actors, learners, faults = read_ledgers(target.run_dir / "ledgers")
    agent = load.cast.agent
    account = settle(
        [one for one in actors if one.agent == agent],
        [one for one in learners if one.agent == agent],
        {player.epoch for player in crowd.players},
        load.cast.plan.segment_steps,
    )
    return replace(account, faults=(*account.faults, *faults))


def _row(
    load: Load, crowd: Crowd, segment_bytes: int, figures: Figures, settled: bool, account: Account
) -> Row:
    weights = crowd.players[0].teacher.weights
    assert weights is not None, "nobody was welcome, and yet something was trained"  # noqa: S101
    plan = load.cast.plan
    return Row(
        preset=plan.preset.name,
        agent=load.cast.agent,
        actors=len(crowd.players),
        ingest_only=load.ingest_only,
        games=plan.run.games,
        lanes=plan.run.lanes,
        steps=plan.run.segment,
        window=plan.run.window,
        batch_segments=plan.learning.batch_segments,
        own_steps_per_second_each=load.own_steps_per_second,
        segment_bytes=segment_bytes,
        weights_bytes=len(encode_weights(weights)),
        repeats=load.repeats,
        figures=figures,
        settled=settled,
        account=account,
    )
