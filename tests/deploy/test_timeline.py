"""The timeline of a tick: spans are recorded truly, cut without gaps, and add up."""

import csv
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from ssd_lab.timeline.picture import draw
from ssd_lab.timeline.recorded import COMMANDS
from ssd_lab.timeline.recorder import Recorder, find, replace
from ssd_lab.timeline.recording import Recording
from ssd_lab.timeline.slices import cut, within
from ssd_lab.timeline.spans import NONE, Kind, Of, Span, read_spans, write_spans
from ssd_lab.timeline.table import rows, write_csv
from ssd_lab.timeline.ticks import ticks, typical

AGENTS = 2
POINTS = [point for _, points in COMMANDS.values() for point in points]


def tell(arguments, result):
    return Of(lane=arguments[0], tick=result)


def span(kind, begin, end, of=None, cpu=None, delay=0.0):
    """A span that computed all the time, or between two readings of the CPU's clock."""
    return Span(kind, of or Of(), begin, end, *(cpu or (begin, end)), delay)


# --- recording


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.where)
def test_what_is_to_be_timed_exists(point):
    owner, name = find(point.where)
    assert callable(getattr(owner, name))


def test_a_timed_call_returns_what_it_did_and_leaves_a_span():
    recorder = Recorder()
    timed = recorder.call(lambda lane, tick: lane + tick, Kind.STEP, tell)
    before = time.monotonic()
    assert timed(1, tick=3) == 4
    (left,) = recorder.spans
    assert (left.kind, left.of) == (Kind.STEP, Of(lane=1, tick=4))
    assert before <= left.begin <= left.end <= time.monotonic()


def test_computing_takes_cpu_time_and_sleeping_takes_next_to_none():
    recorder = Recorder()

    def compute(seconds):
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    for call in (compute, time.sleep):
        recorder.call(call, Kind.STEP, lambda *_: Of())(0.05)
    computed, slept = recorder.spans
    assert 0.05 <= computed.cpu_end - computed.cpu_begin <= computed.end - computed.begin
    assert slept.end - slept.begin >= 0.05
    assert slept.cpu_end - slept.cpu_begin < 0.02


def test_a_wait_tells_how_long_the_thread_was_ready_and_had_no_core():
    core = min(os.sched_getaffinity(0))
    rival = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    found = []

    def spin():
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            pass

    def share_a_core():
        os.sched_setaffinity(0, {core})  # of this thread alone
        recorder = Recorder()
        recorder.wait(spin, Kind.WAITING, lambda *_: Of())()
        found.extend(recorder.spans)

    rivals = [subprocess.Popen([sys.executable, "-c", rival]) for _ in range(2)]
    try:
        time.sleep(0.5)  # until they compute
        thread = threading.Thread(target=share_a_core)
        thread.start()
        thread.join()
    finally:
        for process in rivals:
            process.kill()
            process.wait()
    (left,) = found
    assert 1.3 * (left.cpu_end - left.cpu_begin) < left.delay < left.end - left.begin + 0.05


def test_a_timed_generator_passes_its_items_on_one_by_one():
    recorder, made = Recorder(), []

    def make(_):
        for tick in (5, 6):
            made.append(tick)
            yield tick

    items = recorder.each(make, Kind.RECEIVE, tell)(7)
    assert made == []
    assert next(items) == 5
    assert made == [5]
    assert list(items) == [6]
    assert [left.of for left in recorder.spans] == [Of(7, 5), Of(7, 6), Of()]


def test_the_newest_spans_stay():
    recorder = Recorder(kept=2)
    timed = recorder.call(lambda lane: lane, Kind.STEP, tell)
    for number in range(4):
        timed(number)
    assert [left.of.tick for left in recorder.spans] == [2, 3]


def test_a_method_is_replaced_where_it_stands():
    class Here:
        def double(self, number):
            return 2 * number

    sys.modules["a_module_of_this_test"] = type("Module", (), {"Here": Here})
    try:
        replace("a_module_of_this_test:Here.double", lambda plain: lambda *a: plain(*a) + 1)
    finally:
        del sys.modules["a_module_of_this_test"]
    assert Here().double(3) == 7


def test_spans_are_read_as_they_were_written_outer_ones_first(tmp_path):
    inner = span(Kind.DECIDE, 1.0, 3.0, delay=0.25)
    outer = span(Kind.ANSWER, 1.0, 4.0, Of(1, 2, 3))
    write_spans(tmp_path / "spans", [inner, outer])  # in the order in which calls return
    assert read_spans(tmp_path / "spans") == [outer, inner]


# --- cutting


def nested(rng, begin, end, clock):
    """Spans in a stretch of whole seconds, within and beside each other; clock: [S] CPU time."""
    found, at = [], begin
    while at < end:
        begins, ends = sorted(rng.integers(at, end + 1, 2).tolist())
        if begins == ends:
            at = ends + 1
            continue
        kind = rng.choice([kind for kind in Kind if kind not in (Kind.REST, Kind.WAITING)])
        of = Of(lane=int(rng.integers(-1, 2)))
        found.append(span(kind, begins, ends, of, cpu=(clock[begins], clock[ends])))
        if ends - begins > 1 and (begins, ends) != (begin, end):
            found += nested(rng, begins, ends, clock)
        at = ends
    return found


@pytest.mark.parametrize("seed", range(40))
def test_each_moment_belongs_to_the_innermost_span_around_it(seed):
    rng = np.random.default_rng(seed)
    clock = np.cumsum(rng.random(61))  # less than a second of CPU time each second
    spans = sorted(nested(rng, 0, 60, clock), key=lambda one: (one.begin, -one.end))
    slices = cut(spans)

    for second in range(int(spans[0].begin), int(max(one.end for one in spans))):
        around = [one for one in spans if one.begin <= second and second + 1 <= one.end]
        (here,) = (one for one in slices if one.begin <= second and second + 1 <= one.end)
        assert here.kind == (around[-1].kind if around else Kind.REST)
        lanes = [one.of.lane for one in around if one.of.lane != NONE]
        assert here.lane == (lanes[-1] if lanes else NONE)
    for one in slices:
        assert one.cpu == pytest.approx(clock[int(one.end)] - clock[int(one.begin)])
        assert one.no_core == pytest.approx(one.wall - one.cpu)
    assert all(before.end == after.begin for before, after in pairwise(slices))


def test_a_wait_is_without_a_core_only_as_long_as_the_kernel_says():
    (slept,) = cut([span(Kind.WAITING, 0.0, 10.0, cpu=(0.0, 1.0), delay=3.0)])
    assert (slept.wall, slept.cpu, slept.no_core) == (10.0, 1.0, 3.0)


def test_a_slice_that_a_border_cuts_counts_by_its_share():
    (part,) = within(cut([span(Kind.UPDATE, 0.0, 10.0, cpu=(0.0, 5.0))]), 8.0, 20.0)
    assert (part.begin, part.end, part.cpu, part.no_core) == (8.0, 10.0, 1.0, 1.0)


# --- ticks and tables


def drawn(lengths, slowest=1, updates=()):
    """An arena of one lane and two actors whose ticks have these lengths, of at least 8 seconds.

    The world steps for 1 s, sends to each actor for 0.25 s, and hears the slowest actor last, just
    before its next step. Learner 0 updates between the times given.
    """
    spans = {role: [] for role in ("env-0", "actor-0-0", "actor-0-1", "learner-0", "learner-1")}
    begin = 0.0
    for number, length in enumerate(lengths):
        world, of = spans["env-0"], Of(0, number)
        world.append(span(Kind.STEP, begin, begin + 1, of))
        for agent in range(AGENTS):
            sent = begin + 1 + agent / 4
            world.append(span(Kind.SEND, sent, sent + 0.25, Of(0, number, agent)))
            actor = spans[f"actor-0-{agent}"]
            actor.append(span(Kind.RECEIVE, begin + 2, begin + 3, of))
            actor.append(span(Kind.ANSWER, begin + 3, begin + 6, of))
            actor.append(span(Kind.SEND, begin + 5, begin + 6, of))
        world.append(span(Kind.WAITING, begin + 2, begin + 6, cpu=(begin, begin), delay=1.0))
        for agent in sorted(range(AGENTS), key=lambda agent: agent == slowest):
            heard = begin + length - (0.5 if agent == slowest else 1.5)
            world.append(span(Kind.RECEIVE, heard, heard + 0.5, Of(0, number, agent)))
        begin += length
    for learner in range(AGENTS):
        spans[f"learner-{learner}"].append(span(Kind.WAITING, 0.0, 0.5))
    spans["learner-0"] += [span(Kind.UPDATE, *times) for times in updates]
    for role in ("learner-0", "learner-1"):
        spans[role].append(span(Kind.WAITING, begin, begin + 1))
    return Recording(0.0, begin, spans, dict.fromkeys(spans, 2 * begin))


@pytest.mark.parametrize("slowest", range(AGENTS))
def test_a_tick_follows_the_actor_whose_act_is_heard_last(slowest):
    first, second = drawn([8, 9, 8], slowest).ticks
    assert (first.lane, first.number, first.slowest) == (0, 0, slowest)
    assert first.times == (0, 1, 1 + slowest / 4, 3, 5, 7.5, 8)
    assert (second.seconds, second.slowest) == (9, slowest)


def test_what_is_sent_again_does_not_count():
    spans = drawn([8, 8, 8]).spans
    actors = {agent: spans[f"actor-0-{agent}"] for agent in range(AGENTS)}
    again = [span(Kind.SEND, 5.0, 6.0, Of(0, 0, agent)) for agent in range(AGENTS)]
    world = sorted([*spans["env-0"], *again], key=lambda one: one.begin)
    assert ticks(world, actors)[0] == ticks(spans["env-0"], actors)[0]


def test_a_tick_of_which_something_is_missing_is_left_out():
    recording = drawn([8, 8, 8, 8])
    acts = recording.spans["actor-0-0"]
    acts.remove(next(one for one in acts if one.of.tick == 1 and one.kind is Kind.SEND))
    assert [tick.number for tick in recording.ticks] == [0, 2]


def test_a_tick_that_reaches_over_a_border_is_left_out():
    whole = drawn([8, 8, 8, 8, 8])
    recording = Recording(4.0, 31.0, whole.spans, whole.cpu)
    assert [tick.number for tick in recording.ticks] == [1, 2]


def test_the_typical_pair_is_nearest_to_the_median_length():
    chosen = drawn([8, 30, 20, 21, 8, 8, 30, 30, 8]).ticks
    assert typical(chosen).number == 2
    assert typical(chosen[:1]) is None


def test_a_tick_is_in_training_when_any_learner_updates_in_it():
    recording = drawn([10, 10, 10, 10, 10], updates=[(11.0, 12.0), (28.0, 31.0)])
    told = [recording.in_training(tick) for tick in recording.ticks]
    assert told == [False, True, True, True]


def test_the_shares_of_a_process_add_up_and_so_do_the_stages_of_a_tick():
    table = rows(drawn([8, 9, 8, 12], updates=[(3.0, 20.0)]))
    for process in ("env", "tick"):
        assert sum(row.wall for row in table if row.process == process and row.wall) == (
            pytest.approx(1)
        )
    for process, number in (("env", 1), ("actor", 2), ("learner", 2)):
        cores = sum(row.cores for row in table if row.process == process)
        assert cores == pytest.approx(2 * number)  # what was measured of all threads
    (stepping,) = (row for row in table if row.doing == str(Kind.STEP))
    assert stepping.wall == pytest.approx(4 / 37)
    assert stepping.wall_us == pytest.approx(1e6 * 4 / 3)


def test_the_table_is_written_and_the_ticks_are_drawn(tmp_path):
    recording = drawn([8, 9, 8, 9, 8, 9, 8], updates=[(30.0, 58.0)])
    write_csv(tmp_path / "tick.csv", rows(recording))
    draw(tmp_path / "tick.png", recording, "drawn")
    written = list(csv.DictReader((tmp_path / "tick.csv").read_text().splitlines()))
    assert {row["process"] for row in written} == {"env", "actor", "learner", "tick"}
    assert (tmp_path / "tick.png").read_bytes().startswith(b"\x89PNG")


# --- whole


@pytest.mark.timeout(400)  # processes start slowly on a busy machine
def test_an_arena_is_recorded_as_it_runs(tmp_path):
    # A batch at every tenth tick, so that even a busy machine's learners train in any second.
    small = ("game.agents=2", "game.horizon=100", "run.games=4", "run.segment=10")
    small += ("learning.horizon=10",)
    outputs = [f"--{kind}={tmp_path / 'tick'}.{kind}" for kind in ("csv", "png")]
    command = [sys.executable, "-m", "ssd_lab.timeline", "cleanup-moa", "--seconds=1", "--warmup=0"]
    said = subprocess.run(
        [*command, *(f"--set={one}" for one in small), *outputs],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("cleanup-moa, 2 agents, lanes × games 1 × 4: ")
    written = list(csv.DictReader((tmp_path / "tick.csv").read_text().splitlines()))
    for process in ("env", "actor", "learner", "tick"):
        shares = [
            float(row["wall"]) for row in written if row["process"] == process and row["wall"]
        ]
        assert sum(shares) == pytest.approx(1, abs=0.01)
    assert {row["doing"] for row in written} > {str(kind) for kind in Kind}
    assert (tmp_path / "tick.png").stat().st_size > 10_000
