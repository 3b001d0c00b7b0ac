"""Decisions of the supervisor, with fake processes and a fake clock."""

import pytest
from tests.deploy.run.processes.fake_starter import die, seconds_until_restart

from ssd_run.processes.programs import Program
from ssd_run.processes.supervisor import RunFailedError, Supervisor

TEMPORARY_FAULT, REPLACED, CONFIGURATION_ERROR = 74, 76, 78
A_CRASH = ("ValueError: too large: 17", 'File "reward.py", line 9: ValueError')
ANOTHER_CRASH = ("KeyError: 3", 'File "reward.py", line 11: KeyError')


def test_everything_is_started_at_once(starter, supervisor):
    supervisor.check()
    assert [process.role for process in starter.started] == ["learner-0", "env-0", "actor-0-0"]


def test_nothing_is_started_before_the_fork_server_is_ready(starter, supervisor):
    starter.ready = False
    supervisor.check()
    assert starter.started == []
    starter.ready = True
    supervisor.check()
    assert len(starter.started) == 3


def test_a_failed_start_is_repeated_at_once(starter, supervisor):
    starter.fails = 1
    supervisor.check()
    assert starter.started == []
    starter.ready = True
    supervisor.check()
    assert [process.role for process in starter.started] == ["learner-0", "env-0", "actor-0-0"]
    assert starter.messages == []


def test_an_environment_whose_start_failed_does_not_reuse_its_number(starter, supervisor):
    starter.fails = 1
    starter.newest = lambda role: next(p for p in starter.started if p.role == role)
    supervisor._processes.sort(key=lambda process: process.role != "env-0")
    supervisor.check()
    starter.ready = True
    supervisor.check()
    assert starter.newest("env-0").number == 1


def test_a_restart_whose_start_failed_is_counted_once(starter, supervisor, history):
    supervisor.check()
    die(starter, supervisor, "actor-0-0")
    starter.fails = 1
    starter.now += 100
    supervisor.check()
    starter.ready = True
    supervisor.check()
    assert starter.count("actor-0-0") == 2
    assert history.restarts["actor-0-0"] == 1


def test_the_death_of_a_process_that_nothing_can_replace_ends_the_run(starter, history):
    programs = [Program("actor-0-0", "", (), replaceable=False)]
    supervisor = Supervisor(
        programs, starter, history, starter.clock, starter.messages.append, starter.made_progress
    )
    supervisor.check()
    with pytest.raises(RunFailedError, match="actor-0-0 was killed by SIGKILL; a deterministic"):
        die(starter, supervisor, "actor-0-0")


def test_a_process_that_dies_is_restarted_counted_and_reported(starter, supervisor, history):
    supervisor.check()
    die(starter, supervisor, "actor-0-0")
    seconds_until_restart(starter, supervisor, "actor-0-0")
    assert starter.messages == [
        "actor-0-0 was killed by SIGKILL; restarting in 0.5 s",
        "actor-0-0 restarted",
    ]
    assert history.restarts == {"learner-0": 0, "env-0": 0, "actor-0-0": 1}


def test_a_process_that_ends_cleanly_without_being_asked_is_restarted_too(starter, supervisor):
    supervisor.check()
    die(starter, supervisor, "actor-0-0", code=0)
    seconds_until_restart(starter, supervisor, "actor-0-0")
    assert starter.count("actor-0-0") == 2


def pauses(starter, supervisor, number, code=-9):
    """Seconds before each of so many restarts of a learner."""
    found = []
    for _ in range(number):
        die(starter, supervisor, "learner-0", code)
        found.append(seconds_until_restart(starter, supervisor, "learner-0"))
    return found


def test_pauses_double_up_to_half_a_minute_while_a_fault_lasts(starter, supervisor):
    supervisor.check()
    found = pauses(starter, supervisor, 8, code=TEMPORARY_FAULT)
    assert found == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_pauses_double_without_progress_and_start_over_with_it(starter, supervisor):
    supervisor.check()
    starter.progress = False
    assert pauses(starter, supervisor, 4) == [0.5, 1, 2, 4]
    starter.progress = True
    assert pauses(starter, supervisor, 2) == [0.5, 0.5]


def test_pauses_start_over_after_a_minute_without_a_death(starter, supervisor):
    supervisor.check()
    starter.progress = False
    pauses(starter, supervisor, 3)
    starter.now += 60
    assert pauses(starter, supervisor, 1) == [0.5]


def test_one_processs_deaths_do_not_delay_anothers_start(starter, supervisor):
    supervisor.check()
    for _ in range(4):
        die(starter, supervisor, "learner-0")
        seconds_until_restart(starter, supervisor, "learner-0")
    die(starter, supervisor, "env-0")
    assert seconds_until_restart(starter, supervisor, "env-0") == 0.5


def test_a_restarted_environment_has_the_next_number(starter, supervisor):
    supervisor.check()
    die(starter, supervisor, "env-0")
    seconds_until_restart(starter, supervisor, "env-0")
    assert [p.number for p in starter.started if p.role == "env-0"] == [0, 1]


def test_a_configuration_error_ends_the_run_at_once(starter, supervisor):
    supervisor.check()
    with pytest.raises(RunFailedError, match=r"learner-0 cannot go on \(exit code 78\)") as failed:
        die(starter, supervisor, "learner-0", code=CONFIGURATION_ERROR)
    assert failed.value.role == "learner-0"


def test_three_deaths_before_a_process_was_up_end_the_run(starter, supervisor):
    starter.up = False
    supervisor.check()
    for _ in range(2):
        die(starter, supervisor, "env-0", code=1)
        seconds_until_restart(starter, supervisor, "env-0")
    with pytest.raises(RunFailedError, match="env-0 ended with exit code 1, 3 times before"):
        die(starter, supervisor, "env-0", code=1)


def die_and_return(starter, supervisor, role, code=-9):
    die(starter, supervisor, role, code)
    seconds_until_restart(starter, supervisor, role)


def test_a_process_that_makes_progress_is_restarted_after_any_number_of_kills(starter, supervisor):
    supervisor.check()
    for _ in range(20):
        die_and_return(starter, supervisor, "actor-0-0")


def test_five_deaths_without_progress_in_between_end_the_run(starter, supervisor):
    supervisor.check()
    for _ in range(9):  # whatever it had managed before
        die_and_return(starter, supervisor, "learner-0")
    starter.progress = False
    for _ in range(4):
        die_and_return(starter, supervisor, "learner-0")
    with pytest.raises(RunFailedError, match="learner-0 was killed by SIGKILL, 5 times without"):
        die(starter, supervisor, "learner-0")


def test_progress_resets_the_count_of_deaths_without_progress(starter, supervisor):
    supervisor.check()
    for progress in 4 * ([False] * 4 + [True]):
        starter.progress = progress
        die_and_return(starter, supervisor, "learner-0")


def test_five_deaths_by_the_same_error_end_the_run_even_with_progress(starter, supervisor):
    supervisor.check()
    starter.error = A_CRASH
    for _ in range(4):
        die_and_return(starter, supervisor, "actor-0-0", code=1)
        starter.now += 3600
    with pytest.raises(RunFailedError, match="exit code 1, 5 times by the same error"):
        die(starter, supervisor, "actor-0-0", code=1)


def test_different_errors_do_not_add_up(starter, supervisor):
    supervisor.check()
    for error in 10 * [A_CRASH, ANOTHER_CRASH]:
        starter.error = error
        die_and_return(starter, supervisor, "actor-0-0", code=1)


def test_the_last_line_of_the_log_is_shown_only_at_the_first_death_by_an_error(starter, supervisor):
    supervisor.check()
    starter.error = A_CRASH
    for _ in range(2):
        die_and_return(starter, supervisor, "actor-0-0", code=1)
    assert starter.messages == [
        "actor-0-0 ended with exit code 1 (ValueError: too large: 17); restarting in 0.5 s",
        "actor-0-0 restarted",
        "actor-0-0 ended with exit code 1; restarting in 0.5 s",
        "actor-0-0 restarted",
    ]


def test_a_temporary_fault_is_reported_and_retried_without_limit(starter, supervisor):
    supervisor.check()
    starter.error = ("error: [Errno 28] No space left on device: 'x'", "")
    starter.progress = starter.up = False
    for _ in range(50):
        die_and_return(starter, supervisor, "learner-0", code=TEMPORARY_FAULT)
    assert starter.messages[-2] == (
        "learner-0 could not read or write files (error: [Errno 28] No space left on device: 'x');"
        " restarting in 30 s"
    )


def test_an_actor_that_was_replaced_by_a_late_message_of_a_dead_one_is_restarted(
    starter, supervisor
):
    supervisor.check()
    die_and_return(starter, supervisor, "actor-0-0", code=REPLACED)
    assert starter.count("actor-0-0") == 2


def test_an_actor_that_is_replaced_again_and_again_is_given_up_and_the_run_goes_on(
    starter, supervisor
):
    supervisor.check()
    starter.progress = False
    for _ in range(4):
        die_and_return(starter, supervisor, "actor-0-0", code=REPLACED)
    die(starter, supervisor, "actor-0-0", code=REPLACED)
    starter.now += 1000
    supervisor.check()
    assert starter.count("actor-0-0") == 5
    assert starter.messages[-1] == (
        "actor-0-0 was replaced by another process of its role, 5 times without progress in"
        " between; it is not restarted"
    )


def test_a_failed_process_is_not_restarted_while_the_others_stop(starter, supervisor):
    supervisor.check()
    with pytest.raises(RunFailedError):
        die(starter, supervisor, "env-0", code=CONFIGURATION_ERROR)
    starter.now += 100
    supervisor.check()
    assert starter.count("env-0") == 1
