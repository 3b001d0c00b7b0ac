"""Stopping a run in order, so that nothing that was learned is lost."""

from __future__ import annotations

from collections.abc import Callable

from ssd_run.processes.spawner import RunFailedError
from ssd_run.processes.supervisor import Supervisor

# Actors first: they take leave of the learners and wait until their segments are durable. Then
# learners, which write a last checkpoint, then worlds. One that is late holds up the next for only
# its share of the time: learners get to their checkpoint whatever the actors do.
ORDER = (("actor", 1 / 2), ("learner", 5 / 6), ("env", 1.0))
SECONDS_TO_DIE = 5.0  # what a killed process takes at most to be gone


def shut_down(
    supervisor: Supervisor,
    seconds: float,
    clock: Callable[[], float],
    wait: Callable[[], bool],
) -> tuple[str, ...]:
    """Stop everything.

    Args:
        supervisor: Of the processes.
        seconds: After this long, what still runs is killed.
        clock: Seconds that only grow.
        wait: Waits a moment; true when the user has asked once more.

    Returns:
        Roles that had to be killed.
    """
    begun = clock()
    for kind, share in ORDER:
        supervisor.stop(kind)
        while supervisor.alive(kind) and clock() - begun < share * seconds:
            if wait():
                return _kill(supervisor, clock, wait)
            _look(supervisor)
    return _kill(supervisor, clock, wait)


def _kill(
    supervisor: Supervisor, clock: Callable[[], float], wait: Callable[[], bool]
) -> tuple[str, ...]:
    killed = supervisor.kill()
    begun = clock()
    while supervisor.alive() and clock() - begun < SECONDS_TO_DIE:
        wait()
        _look(supervisor)
    return killed


def _look(supervisor: Supervisor) -> None:
    try:
        supervisor.check()
    except RunFailedError:
        return  # a learner may die while actors still take leave: the stop goes on
