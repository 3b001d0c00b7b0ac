"""Stops the processes of a run in order, so that no training is lost."""

from __future__ import annotations

from collections.abc import Callable

from ssd_run.processes.spawner import RunFailedError
from ssd_run.processes.supervisor import Supervisor

# Actors first: they say Bye to the learners and wait until their segments are durable. Then
# learners, which write a last checkpoint, then environments. Late processes delay the next kind for
# their share of the time only: learners can write their checkpoint whatever the actors do.
ORDER = (("actor", 1 / 2), ("learner", 5 / 6), ("env", 1.0))
SECONDS_TO_DIE = 5.0  # that a killed process takes at most to end


def shut_down(
    supervisor: Supervisor,
    seconds: float,
    clock: Callable[[], float],
    wait: Callable[[], bool],
) -> tuple[str, ...]:
    """Stop all processes.

    Args:
        supervisor: Of the processes.
        seconds: After that, processes that still run are killed.
        clock: A monotonic clock in seconds.
        wait: Waits a moment; true when the user has asked again.

    Returns:
        Roles of the processes that were killed.
    """
    began = clock()
    for kind, share in ORDER:
        supervisor.stop(kind)
        while supervisor.alive(kind) and clock() - began < share * seconds:
            if wait():
                return _kill(supervisor, clock, wait)
            _check(supervisor)
    return _kill(supervisor, clock, wait)


def _kill(
    supervisor: Supervisor, clock: Callable[[], float], wait: Callable[[], bool]
) -> tuple[str, ...]:
    killed = supervisor.kill()
    began = clock()
    while supervisor.alive() and clock() - began < SECONDS_TO_DIE:
        wait()
        _check(supervisor)
    return killed


def _check(supervisor: Supervisor) -> None:
    try:
        supervisor.check()
    except RunFailedError:
        return  # a learner may die while actors wait for it: stopping goes on
