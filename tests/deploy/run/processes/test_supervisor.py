"""Decisions of the supervisor, with fake processes and a clock that the test turns."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

import pytest

from ssd_run.processes.history import History
from ssd_run.processes.programs import Program
from ssd_run.processes.shutdown import shut_down
from ssd_run.processes.supervisor import RunFailedError, Supervisor

TEMPORARY_FAULT, REPLACED, CONFIGURATION_ERROR = 74, 76, 78
A_CRASH = ("ValueError: too large: 17", 'File "reward.py", line 9: ValueError')
ANOTHER_CRASH = ("KeyError: 3", 'File "reward.py", line 11: KeyError')


@dataclass
class FakeProcess:
    """A process that does what the test says."""

    role: str
    number: int
    pid: int
    code: int | None = None
    heeds: bool = True  # whether it ends when it is asked to
    asked: bool = False

    def poll(self):
        return self.code

    def terminate(self):
        self.asked = True
        if self.heeds:
            self.code = 0

    def kill(self):
        self.code = -signal.SIGKILL


@dataclass
class Stage:
    """Pretends to start processes; also the clock, and what the user was told."""

    started: list[FakeProcess] = field(default_factory=list)
    up: bool = True
    ready: bool = True
    fails: int = 0  # starts that come to nothing
    now: float = 1000.0
    said: list[str] = field(default_factory=list)
    progress: bool = True
    error: tuple[str, str] = ("", "")

    def last_error(self, role):
        del role
        return self.error

    def made_progress(self, role):
        del role
        return self.progress

    def is_ready(self):
        return self.ready

    def start(self, program, number):
        assert self.ready
        if self.fails:
            self.fails -= 1
            self.ready = False
            return None
        self.started.append(FakeProcess(program.role, number, pid=len(self.started) + 1))
        return self.started[-1]

    def announced(self, role, pid):
        del role, pid
        return self.up

    def clock(self):
        return self.now

    def newest(self, role):
        return [process for process in self.started if process.role == role][-1]

    def count(self, role):
        return sum(process.role == role for process in self.started)


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "history.jsonl", tmp_path)


@pytest.fixture
def supervisor(stage, history):
    programs = [
        Program("learner-0", "", ()),
        Program("env-0", "", (), numbered=True),
        Program("actor-0-0", "", ()),
    ]
    return Supervisor(programs, stage, history, stage.clock, stage.said.append, stage.made_progress)


def die(stage, supervisor, role, code=-9):
    stage.newest(role).code = code
    supervisor.check()


def seconds_until_restart(stage, supervisor, role):
    before, began = stage.count(role), stage.now
    while stage.count(role) == before:
        stage.now += 0.125
        supervisor.check()
    return stage.now - began


def test_everything_is_started_at_once(stage, supervisor):
    supervisor.check()
    assert [process.role for process in stage.started] == ["learner-0", "env-0", "actor-0-0"]


def test_nothing_is_started_before_that_is_possible(stage, supervisor):
    stage.ready = False
    supervisor.check()
    assert stage.started == []
    stage.ready = True
    supervisor.check()
    assert len(stage.started) == 3


def test_a_start_that_came_to_nothing_is_made_up_for_at_once(stage, supervisor):
    stage.fails = 1
    supervisor.check()
    assert stage.started == []
    stage.ready = True
    supervisor.check()
    assert [process.role for process in stage.started] == ["learner-0", "env-0", "actor-0-0"]
    assert stage.said == []


def test_a_world_whose_start_came_to_nothing_does_not_use_its_number_again(stage, supervisor):
    stage.fails = 1
    stage.newest = lambda role: next(p for p in stage.started if p.role == role)
    supervisor._processes.sort(key=lambda process: process.role != "env-0")
    supervisor.check()
    stage.ready = True
    supervisor.check()
    assert stage.newest("env-0").number == 1


def test_what_dies_is_started_again_and_counted_and_told(stage, supervisor, history):
    supervisor.check()
    die(stage, supervisor, "actor-0-0")
    seconds_until_restart(stage, supervisor, "actor-0-0")
    assert stage.said == [
        "actor-0-0 was killed by SIGKILL; restarting in 0.5 s",
        "actor-0-0 restarted",
    ]
    assert history.restarts == {"learner-0": 0, "env-0": 0, "actor-0-0": 1}


def test_a_clean_end_that_nobody_asked_for_is_followed_by_a_start_too(stage, supervisor):
    supervisor.check()
    die(stage, supervisor, "actor-0-0", code=0)
    seconds_until_restart(stage, supervisor, "actor-0-0")
    assert stage.count("actor-0-0") == 2


def test_pauses_double_up_to_half_a_minute(stage, supervisor):
    supervisor.check()
    pauses = []
    for _ in range(8):
        die(stage, supervisor, "learner-0")
        pauses.append(seconds_until_restart(stage, supervisor, "learner-0"))
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_health_forgives_earlier_deaths(stage, supervisor):
    supervisor.check()
    for _ in range(4):
        die(stage, supervisor, "learner-0")
        seconds_until_restart(stage, supervisor, "learner-0")
    stage.now += 60
    die(stage, supervisor, "learner-0")
    assert seconds_until_restart(stage, supervisor, "learner-0") == 0.5


def test_one_processs_deaths_do_not_delay_anothers_start(stage, supervisor):
    supervisor.check()
    for _ in range(4):
        die(stage, supervisor, "learner-0")
        seconds_until_restart(stage, supervisor, "learner-0")
    die(stage, supervisor, "env-0")
    assert seconds_until_restart(stage, supervisor, "env-0") == 0.5


def test_a_world_that_is_started_again_has_the_next_number(stage, supervisor):
    supervisor.check()
    die(stage, supervisor, "env-0")
    seconds_until_restart(stage, supervisor, "env-0")
    assert [p.number for p in stage.started if p.role == "env-0"] == [0, 1]


def test_a_configuration_error_ends_the_run_at_once(stage, supervisor):
    supervisor.check()
    with pytest.raises(RunFailedError, match=r"learner-0 cannot go on \(exit code 78\)") as failed:
        die(stage, supervisor, "learner-0", code=CONFIGURATION_ERROR)
    assert failed.value.role == "learner-0"


def test_three_deaths_before_it_was_ever_up_end_the_run(stage, supervisor):
    stage.up = False
    supervisor.check()
    for _ in range(2):
        die(stage, supervisor, "env-0", code=1)
        seconds_until_restart(stage, supervisor, "env-0")
    with pytest.raises(RunFailedError, match="env-0 ended with exit code 1, 3 times before"):
        die(stage, supervisor, "env-0", code=1)


def die_and_return(stage, supervisor, role, code=-9):
    die(stage, supervisor, role, code)
    seconds_until_restart(stage, supervisor, role)


def test_a_process_that_makes_progress_may_be_killed_as_often_as_somebody_likes(stage, supervisor):
    supervisor.check()
    for _ in range(20):
        die_and_return(stage, supervisor, "actor-0-0")


def test_five_deaths_without_progress_in_between_end_the_run(stage, supervisor):
    supervisor.check()
    for _ in range(9):  # whatever it had managed before
        die_and_return(stage, supervisor, "learner-0")
    stage.progress = False
    for _ in range(4):
        die_and_return(stage, supervisor, "learner-0")
    with pytest.raises(RunFailedError, match="learner-0 was killed by SIGKILL, 5 times without"):
        die(stage, supervisor, "learner-0")


def test_progress_between_deaths_forgives_those_without(stage, supervisor):
    supervisor.check()
    for progress in 4 * ([False] * 4 + [True]):
        stage.progress = progress
        die_and_return(stage, supervisor, "learner-0")


def test_five_deaths_by_the_same_error_end_the_run_whatever_was_done_in_between(stage, supervisor):
    supervisor.check()
    stage.error = A_CRASH
    for _ in range(4):
        die_and_return(stage, supervisor, "actor-0-0", code=1)
        stage.now += 3600
    with pytest.raises(RunFailedError, match="exit code 1, 5 times by the same error"):
        die(stage, supervisor, "actor-0-0", code=1)


def test_different_errors_do_not_add_up(stage, supervisor):
    supervisor.check()
    for error in 10 * [A_CRASH, ANOTHER_CRASH]:
        stage.error = error
        die_and_return(stage, supervisor, "actor-0-0", code=1)


def test_the_last_line_of_the_log_is_shown_at_the_first_death_by_an_error_and_not_again(
    stage, supervisor
):
    supervisor.check()
    stage.error = A_CRASH
    for _ in range(2):
        die_and_return(stage, supervisor, "actor-0-0", code=1)
    assert stage.said == [
        "actor-0-0 ended with exit code 1 (ValueError: too large: 17); restarting in 0.5 s",
        "actor-0-0 restarted",
        "actor-0-0 ended with exit code 1; restarting in 1 s",
        "actor-0-0 restarted",
    ]


def test_a_fault_that_may_pass_is_told_and_waited_for_without_end(stage, supervisor):
    supervisor.check()
    stage.error = ("error: [Errno 28] No space left on device: 'x'", "")
    stage.progress = stage.up = False
    for _ in range(50):
        die_and_return(stage, supervisor, "learner-0", code=TEMPORARY_FAULT)
    assert stage.said[-2] == (
        "learner-0 could not read or write files (error: [Errno 28] No space left on device: 'x');"
        " restarting in 30 s"
    )


def test_an_actor_that_was_replaced_ends_itself_and_not_the_run(stage, supervisor):
    supervisor.check()
    die(stage, supervisor, "actor-0-0", code=REPLACED)
    stage.now += 1000
    supervisor.check()
    assert stage.count("actor-0-0") == 1
    assert stage.said == [
        "actor-0-0 was replaced by a process that started later; it is not restarted"
    ]


def test_a_failed_process_is_not_started_again_while_the_rest_stops(stage, supervisor):
    supervisor.check()
    with pytest.raises(RunFailedError):
        die(stage, supervisor, "env-0", code=CONFIGURATION_ERROR)
    stage.now += 100
    supervisor.check()
    assert stage.count("env-0") == 1


def wait_a_second(stage, asked=lambda: False):
    def wait():
        stage.now += 1
        return asked()

    return wait


def test_actors_stop_before_learners_and_learners_before_worlds(stage, supervisor):
    supervisor.check()
    order = []
    for process in stage.started:
        process.terminate = lambda it=process: (order.append(it.role), setattr(it, "code", 0))
    killed = shut_down(supervisor, 30, stage.clock, wait_a_second(stage))
    assert order == ["actor-0-0", "learner-0", "env-0"]
    assert (killed, supervisor.alive()) == ((), ())


def test_a_learner_is_not_asked_to_stop_while_actors_take_leave(stage, supervisor):
    supervisor.check()
    actor, learner = stage.newest("actor-0-0"), stage.newest("learner-0")
    actor.heeds = False

    def leave_after_five_seconds():
        assert not learner.asked or actor.code == 0
        actor.code = 0 if stage.now >= 1005 else None

    assert (
        shut_down(supervisor, 30, stage.clock, wait_a_second(stage, leave_after_five_seconds)) == ()
    )


def test_a_learner_that_dies_while_actors_take_leave_is_started_again(stage, supervisor):
    supervisor.check()
    stage.newest("actor-0-0").heeds = False
    stage.newest("learner-0").code = -9
    shut_down(supervisor, 30, stage.clock, wait_a_second(stage))
    assert stage.count("learner-0") == 2


def test_actors_that_do_not_stop_leave_learners_time_for_a_last_checkpoint(stage, supervisor):
    supervisor.check()
    stage.newest("actor-0-0").heeds = False
    assert shut_down(supervisor, 30, stage.clock, wait_a_second(stage)) == ("actor-0-0",)
    assert stage.newest("learner-0").code == 0


def test_what_does_not_stop_in_time_is_killed_and_named(stage, supervisor):
    supervisor.check()
    for process in stage.started:
        process.heeds = False
    killed = shut_down(supervisor, 30, stage.clock, wait_a_second(stage))
    assert set(killed) == {"actor-0-0", "learner-0", "env-0"}
    assert stage.now - 1000 <= 32
    assert supervisor.alive() == ()


def test_asking_once_more_kills_at_once(stage, supervisor):
    supervisor.check()
    for process in stage.started:
        process.heeds = False
    killed = shut_down(supervisor, 30, stage.clock, wait_a_second(stage, asked=lambda: True))
    assert len(killed) == 3
    assert stage.now - 1000 <= 2


def test_nothing_is_started_again_once_it_was_stopped(stage, supervisor):
    supervisor.check()
    shut_down(supervisor, 30, stage.clock, wait_a_second(stage))
    stage.now += 1000
    supervisor.check()
    assert len(stage.started) == 3


def test_an_actor_still_waiting_for_its_next_start_does_not_hold_up_the_stop(stage, supervisor):
    supervisor.check()
    die(stage, supervisor, "actor-0-0")
    shut_down(supervisor, 30, stage.clock, wait_a_second(stage))
    assert stage.count("actor-0-0") == 1
