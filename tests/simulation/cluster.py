"""All processes of a run, and what restarts them."""

from tests.simulation.checks.record import Record
from tests.simulation.programs import Programs
from tests.simulation.world.disk import Disk
from tests.simulation.world.network import Network
from tests.simulation.world.scheduler import Process, Scheduler

RESTART_SECONDS = (0.2, 2.0)  # from the end of a process until it is started again


class Cluster:
    """The processes of a run by role; whichever ends is started again.

    Args:
        settings: Of the history.
        rng: Draws everything.

    Attributes:
        processes: By role, the one started last.
        others: Alive, though another of their role was started after them.
        restarts: Whether processes that end are started again.
        started: Number of processes ever started.
        has_faults: Whether this is the part of the history with faults.
    """

    def __init__(self, settings, rng):
        self.settings = settings
        self.rng = rng
        self.scheduler = Scheduler()
        self.record = Record(settings, self.scheduler)
        self.network = Network(self.scheduler, rng, settings.conditions)
        self.disk = Disk(self.scheduler, self.record.on_rename)
        self.processes = {}
        self.others = []
        self.restarts = True
        self.has_faults = True
        self._programs = Programs(settings, self.network, self.disk, self.record, rng)
        self.started = 0

    @property
    def roles(self):
        """Of all processes."""
        arenas, agents = range(self.settings.arenas), range(self.settings.agents)
        envs = [f"env-{arena}" for arena in arenas]
        learners = [f"learner-{agent}" for agent in agents]
        return [
            *envs,
            *learners,
            *(f"actor-{arena}-{agent}" for arena in arenas for agent in agents),
        ]

    def alive(self, kind=""):
        """The running processes, of one kind or of all."""
        everyone = [*self.processes.values(), *self.others]
        return [one for one in everyone if one.is_alive and one.role.startswith(kind)]

    def clients(self, kind):
        """The sockets of actors of one class."""
        return [client for client in self.network.clients if isinstance(client, kind)]

    def start(self, role):
        """Start a process, beside one of its role that still runs."""
        before = self.processes.get(role)
        if before is not None and before.is_alive:
            self.others.append(before)
        self.started += 1
        process = Process(self.scheduler, role, self.started, self._programs.run, self._on_end)
        self.processes[role] = process
        self.record.add(process.name, "starts")
        process.start()

    def _on_end(self, process):
        self.record.add(process.name, "ends", process.how)
        self.network.forget(process)
        if process in self.others:
            self.others.remove(process)
        elif self.restarts:
            pause = self.rng.uniform(*RESTART_SECONDS)
            self.scheduler.at(self.scheduler.now + pause, self._restart, process)

    def _restart(self, ended):
        if self.restarts and self.processes[ended.role] is ended:
            self.start(ended.role)
