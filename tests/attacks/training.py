"""A small training of real processes over tcp, whose speed and memory are measured."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.system.runs import ManualRun

from ssd_run.account import Account, read_ledgers, reconcile
from ssd_run.progress.scraper import fetch
from ssd_wire.run_file import RunSettings, load_complete_run_file, section

PRESET = "harvest-moa"
SETS = ("run.games=16", "learning.checkpoint_seconds=5")
AGENTS = (0, 1)
ROLES = ("env-0", "learner-0", "learner-1", "actor-0-0", "actor-0-1")


@dataclass(frozen=True)
class Speed:
    """Agent-steps per second, and per second of the run's processor time."""

    by_time: float
    by_cpu: float


class Training:
    """The processes of a run that goes on until it is stopped."""

    def __init__(self, root: Path, keys: Path | None) -> None:
        self.run = ManualRun(root, PRESET, *SETS)
        self.run.keys = keys
        servers = [self.run.env(), *(self.run.learner(agent) for agent in AGENTS)]
        actors = [self.run.actor(agent) for agent in AGENTS]
        self.processes = dict(zip(ROLES, [*servers, *actors], strict=True))
        self._watched = {role: psutil.Process(one.pid) for role, one in self.processes.items()}

    def port(self, role: str, which: str) -> int:
        """The port of one of a process's endpoints."""
        return int(self.run.entry(role)[which].rpartition(":")[2])

    def steps(self) -> float:
        """Agent-steps so far, as the environment counts them."""
        address = self.run.entry("env-0")["metrics"]
        return fetch(address, timeout=10)["ssd_env_agent_steps_total"]

    def speed(self, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> Speed:
        """The speed over so many seconds."""
        steps, cpu, began = self.steps(), self._cpu_seconds(), time.monotonic()
        while time.monotonic() < began + seconds:
            meanwhile()
            time.sleep(0.1)
        steps, cpu = self.steps() - steps, self._cpu_seconds() - cpu
        return Speed(steps / (time.monotonic() - began), steps / cpu)

    def _cpu_seconds(self) -> float:
        return sum(sum(one.cpu_times()[:2]) for one in self._watched.values())

    def memory(self) -> Mapping[str, float]:
        """Megabytes of each process."""
        return {role: one.memory_info().rss / 1e6 for role, one in self._watched.items()}

    @property
    def dead(self) -> list[str]:
        """Processes that have ended."""
        return [role for role, one in self.processes.items() if one.poll() is not None]

    def stop(self) -> Account:
        """Stop actors, then servers; what became of their segments."""
        for role in reversed(ROLES):
            self.processes[role].terminate()
            self.processes[role].wait(timeout=60)
        actors, learners, faults = read_ledgers(self.run.dir / "ledgers")
        settings = section(load_complete_run_file(self.run.run_file), "run", RunSettings)
        clean = {one.key for one in actors if self.processes[_role(one)].returncode == 0}
        account = reconcile(actors, learners, clean, settings.segment * settings.games)
        assert not faults, faults
        return account

    def log_bytes(self) -> int:
        """Size of all logs."""
        return sum(path.stat().st_size for path in self.run.root.glob("*.log"))


def _role(actor) -> str:
    return f"actor-{actor.arena}-{actor.agent}"


@contextmanager
def training(root: Path, keys: Path | None) -> Iterator[Training]:
    """A training that is up to speed; its processes end with it."""
    made = Training(root, keys)
    try:
        made.run.wait("the first updates", lambda: all(_updates(made, one) > 2 for one in AGENTS))
        yield made
    finally:
        made.run.end()


def _updates(made: Training, agent: int) -> int:
    return made.run.ledger(agent)["updates"]
