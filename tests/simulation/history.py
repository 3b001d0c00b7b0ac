"""One history of a run with faults, in simulated time. Start reading here.

Environments, learners and actors run as in production: the real loops, clients, servers, codec and
code for files. The network, the clock, the disks, the games and the arithmetic are simulated, so
that a history of half a minute takes ten milliseconds. Everything random is drawn from the seed of
the history, so that the same seed gives the same history.

A history has three parts.

1. With faults: processes are killed, stopped, frozen and doubled; messages are lost, late, repeated
   and refused; connections are cut; disks fail. Processes that end are started again.
2. Without faults: every lane, every actor and every learner makes progress again within
   `RECOVERY_SECONDS`, and no more messages are sent than that takes.
3. The end: actors are stopped and make their segments durable, then learners, then environments.

Rules that hold at any time are checked as the history goes on (`checks/record.py`), those of the
end after it (`checks/final.py`). They are checked apart from the code under test: from what the
environments played, what the agents decided, what trainers were trained on and what is on disk.

Where things are:

- `settings.py`: the sizes of the run and the network, drawn first.
- `faults.py`: the faults.
- `programs.py`: what runs in each process; `cluster.py` restarts them.
- `world/`: what is simulated.
- `checks/`: the rules.
- `__main__.py`: the command; `trace.py` prints a history.
"""

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

from tests.simulation import faults
from tests.simulation.checks.final import check_end
from tests.simulation.checks.rules import require
from tests.simulation.cluster import Cluster
from tests.simulation.settings import draw_settings
from tests.simulation.world.disk import simulated_files

RECOVERY_SECONDS = 20.0  # from the last fault until everything makes progress again
DRAIN_SECONDS = 12.0  # for actors to end
STOP_SECONDS = 30.0  # for learners, which train on what they have
STEP = 0.5  # seconds between looks at the progress


@dataclass(frozen=True)
class History:
    """What happened.

    Attributes:
        seed: It is replayed from this.
        cluster: All that is left of it.
        fault: The rule that was broken, or the error that occurred; None if all is well.
        recovery: Seconds from the last fault until everything made progress.
    """

    seed: int
    cluster: Cluster
    fault: BaseException | None
    recovery: float | None


def run_history(seed, draw=draw_settings, kinds=faults.FAULTS):
    """Run the history of a seed.

    Args:
        seed: Of everything.
        draw: Draws its settings.
        kinds: Faults that may happen.
    """
    rng = Random(seed)  # noqa: S311 - for a simulation, not for a secret
    cluster = Cluster(draw(rng), rng)
    recovery, fault = None, None
    with simulated_files(), _without_logs():
        try:
            _run_with_faults(cluster, kinds)
            recovery = _recover(cluster)
            _end(cluster)
            check_end(cluster.record, cluster.disk)
        except Exception as found:
            fault = found
        _abandon(cluster)
    return History(seed, cluster, fault, recovery)


def _run_with_faults(cluster, kinds):
    for role in cluster.roles:
        cluster.scheduler.at(cluster.rng.random(), cluster.start, role)
    faults.schedule(cluster, kinds)
    cluster.scheduler.run(cluster.settings.seconds)
    latency = cluster.rng.choice((0.1, 0.2, 0.3))
    faults.end_all(cluster, latency)


def _recover(cluster):
    """Wait until everything makes progress; how many seconds that took."""
    scheduler, record, began = cluster.scheduler, cluster.record, cluster.scheduler.now
    messages, steps = record.messages, record.steps.copy()
    missing = [""]
    while missing and scheduler.now < began + RECOVERY_SECONDS:
        scheduler.run(scheduler.now + STEP)
        missing = _without_progress(cluster, began, steps)
    seconds = scheduler.now - began
    require(not missing, f"everything makes progress in {RECOVERY_SECONDS:g} s", *missing)
    played = (record.steps.total() - steps.total()) * cluster.settings.agents
    limit = 8 * played + (seconds + 5) * 8 * len(cluster.roles)
    sent = record.messages - messages
    require(sent < limit, "messages are few when all is well", sent, limit)
    return seconds


def _without_progress(cluster, since, steps):
    """What has made no progress since a time, when so many steps had been played."""
    record, settings = cluster.record, cluster.settings
    missing = [f"{other.name} runs on" for other in cluster.others]
    missing += [
        f"lane {lane} of arena {arena} stands still"
        for arena in range(settings.arenas)
        for lane in range(settings.lanes)
        if record.steps[arena, lane] <= steps[arena, lane]
    ]
    alive = {process.role: process for process in cluster.alive()}
    for role in cluster.roles:
        process = alive.get(role)
        if process is None:
            missing.append(f"{role} does not run")
        elif role.startswith("actor"):
            view = record.view_of.get(process)
            if view is None or not view.trained or view.made_at[view.trained - 1] <= since:
                missing.append(f"no new segment of {role} is trained on")
    return missing


def _end(cluster):
    """Stop all processes. The first messages of the end are lost in half of the histories."""
    cluster.restarts = False
    usual, network = cluster.network.conditions, cluster.network
    if cluster.rng.random() < 0.5:
        network.conditions = replace(usual, loss=1.0)
        until = cluster.scheduler.now + 0.5
        cluster.scheduler.at(until, setattr, network, "conditions", usual)
    for kind, seconds in (("actor", DRAIN_SECONDS), ("learner", STOP_SECONDS), ("env", 2.0)):
        stopped = cluster.alive(kind)
        for process in stopped:
            process.stop()
        deadline = cluster.scheduler.now + seconds
        while cluster.alive(kind) and cluster.scheduler.now < deadline:
            cluster.scheduler.run(cluster.scheduler.now + STEP)
        for process in stopped:
            require(not process.is_alive, "a process ends when asked to", process.name)
            # A message of a dead process may arrive this late; then the one that lives is replaced.
            is_clean = process.how == "replaced" or (
                process.how == "ended" and process.result is not False
            )
            require(is_clean, "a process ends cleanly when asked to", process.name, process.how)


def _abandon(cluster):
    """End what is left of a history in which a rule was broken."""
    cluster.restarts = False
    for process in cluster.alive():
        process.kill()


@contextmanager
def _without_logs():
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
