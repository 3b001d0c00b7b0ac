"""A job step as the launcher sees it: `srun` with a channel to the process in the step.

| to the step | |
|---|---|
| ``{"start": program, "number": n}`` | start a process, for the n-th time |
| ``{"signal": "TERM" or "KILL", "role": role}`` | signal a process |

| from the step | |
|---|---|
| ``{"hello": address, "ports": [port, …], "sockets": folder}`` | once: its node's address, free ports, and a directory for sockets |
| ``{"ready": true or false}`` | whether it can start processes |
| ``{"started": role, "pid": pid or null}`` | the answer to a start; null if it failed this time |
| ``{"ended": role, "code": code}`` | a process has ended |
| ``{"failed": reason}`` | the step cannot go on |
"""  # noqa: E501 - rows of a table

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ssd_run.processes.programs import Program
from ssd_run.processes.spawner import RunFailedError
from ssd_run.slurm.job import PORTS_OF_LEARNER, StepPlan
from ssd_run.slurm.json_channel import JsonReader, Message, write_message
from ssd_wire.errors import EndpointError

ANSWER_SECONDS = 30.0  # that a step has to start a process
END_SECONDS = 10.0  # that a step has to end, once its processes have ended
# Of the job; with these, Slurm would give a step a part of its node only.
PARTS = ("SLURM_CPUS_PER_TASK", "SLURM_TRES_PER_TASK")
STEP_PROCESS = "ssd_run.slurm.step_process"


@dataclass(frozen=True)
class Place:
    """What a step has told about its node.

    Attributes:
        address: Of the node.
        ports: Free ports.
        sockets: A private directory on it, with a short path.
    """

    address: str
    ports: tuple[int, ...]
    sockets: Path


class StepChild:
    """A process that a step has started.

    Args:
        role: Of the process.
        pid: On its node.
        signal_it: Sends a signal by its name.
        receive: Reads what the step has reported.
    """

    def __init__(
        self, role: str, pid: int, signal_it: Callable[[str], None], receive: Callable[[], None]
    ) -> None:
        self.role = role
        self.pid = pid
        self.code: int | None = None
        self._signal = signal_it
        self._receive = receive

    def poll(self) -> int | None:
        """Its exit code once it has ended, negative if it was killed by a signal; else None."""
        if self.code is None:
            self._receive()
        return self.code

    def terminate(self) -> None:
        """Ask it to stop."""
        self._signal("TERM")

    def kill(self) -> None:
        """Kill it."""
        self._signal("KILL")


class Step:
    """A running job step.

    Args:
        plan: What it is for.
        command: Starts it: `srun` with the process of the step.

    Attributes:
        place: Of its node, once it has told it.
        is_ready: Whether it can start a process now.
        failure: Why it cannot go on, if so.
    """

    def __init__(self, plan: StepPlan, command: list[str]) -> None:
        self.plan = plan
        self.place: Place | None = None
        self.is_ready = False
        self.failure = ""
        self._children: dict[str, StepChild] = {}
        self._answers: dict[str, int | None] = {}
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in PARTS},
        )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._requests = self._process.stdin
        self._reports = self._process.stdout
        self._reader = JsonReader(self._reports.fileno())

    def fileno(self) -> int:
        """The descriptor on which it reports."""
        return self._reader.fileno()

    def receive(self) -> None:
        """Read what it has reported."""
        if self.failure or self._reports.closed:
            return
        for message in self._reader.read():
            self._handle(message)
        if self._reader.ended and not self.failure:
            self._fail(f"on {self.plan.node} has ended")

    def start(self, program: Program, number: int) -> StepChild | None:
        """Start a process in it; None if that failed this time.

        Raises:
            RunFailedError: when it does not answer.
        """
        self._send({"start": asdict(program), "number": number})
        deadline = time.monotonic() + ANSWER_SECONDS
        while program.role not in self._answers:
            left = deadline - time.monotonic()
            if self.failure or left <= 0:
                raise RunFailedError(self.plan.name, self.failure or "does not answer")
            select.select([self], [], [], left)
            self.receive()
        self._answers.pop(program.role)
        return self._children.get(program.role)

    def close(self) -> None:
        """Close the channel, upon which it stops its processes and ends."""
        with suppress(OSError):
            self._requests.close()

    def wait(self) -> None:
        """Wait until it has ended after `close`; kill it if it does not."""
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reports.close()

    def _send(self, message: Message) -> None:
        with suppress(OSError):  # it has ended, which `receive` finds
            write_message(self._requests.fileno(), message)

    def _handle(self, message: Message) -> None:
        match message:
            case {"hello": str(address), "ports": [*ports], "sockets": str(sockets)}:
                self.place = Place(address, tuple(ports), Path(sockets))
            case {"ready": bool(is_ready)}:
                self.is_ready = is_ready
            case {"started": str(role), "pid": pid}:
                self._answers[role] = pid
                if pid is not None:
                    self._children[role] = StepChild(
                        role, pid, lambda name: self._send_signal(role, name), self.receive
                    )
            case {"ended": str(role), "code": int(code)}:
                self._children.pop(role).code = code
            case {"failed": str(reason)}:
                self._fail(reason)

    def _send_signal(self, role: str, name: str) -> None:
        self._send({"signal": name, "role": role})

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self.is_ready = False
        for child in self._children.values():
            child.code = -signal.SIGKILL
        self._children.clear()


def start_step(plan: StepPlan, root: Path) -> Step:
    """Start a step of this job.

    All steps of a node share its CPUs, memory and GPUs, as the processes of one machine do.

    Args:
        plan: What it is for.
        root: The run directory.
    """
    ports = PORTS_OF_LEARNER * len(plan.agents)
    return Step(
        plan,
        [
            "srun",
            f"--job-name={plan.name}",
            f"--nodelist={plan.node}",
            *("--nodes=1", "--ntasks=1", "--overlap", "--cpu-bind=none", "--unbuffered"),
            *(sys.executable, "-P", "-m", STEP_PROCESS, str(root), plan.name, f"--ports={ports}"),
        ],
    )


def wait_for_places(steps: list[Step], seconds: float) -> list[Place]:
    """What all steps tell about their nodes.

    Raises:
        EndpointError: when one has ended, or has told nothing in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        for step in steps:
            step.receive()
            if step.failure:
                raise EndpointError(f"step {step.plan.name} {step.failure}")
        places = [step.place for step in steps if step.place is not None]
        if len(places) == len(steps):
            return places
        left = deadline - time.monotonic()
        if left <= 0:
            silent = [step.plan.name for step in steps if step.place is None]
            raise EndpointError(f"steps have not started in {seconds:g} s: {', '.join(silent)}")
        select.select([step for step in steps if step.place is None], [], [], left)
