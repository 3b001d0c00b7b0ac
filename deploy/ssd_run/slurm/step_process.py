"""The process of a job step: starts the run's processes on its node. Start reading here.

The launcher sends requests to its standard input, and reads from its standard output what has
happened: `ssd_run.slurm.step` has the messages. When its input ends, the launcher has ended, and it
stops its processes.
"""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ssd_run import run_directory
from ssd_run.processes.programs import Program
from ssd_run.processes.socket_directory import socket_directory
from ssd_run.processes.spawner import Child, RunFailedError, Spawner
from ssd_run.slurm.json_channel import JsonReader, Message, write_message
from ssd_wire.errors import EndpointError
from ssd_wire.process.command import reports_errors

CHECK_PERIOD = 0.1  # seconds between checks of the processes
STOP_SECONDS = 25.0  # that processes have to stop after the launcher has ended
PATIENCE = 60.0  # seconds to wait for processes on this node of a start that Slurm has given up
PORTS = range(20_000, 32_000)  # below those that the system gives to clients
TRIED_PORTS = 1000


class StepProcess:
    """Does what the launcher asks for, and reports what happens.

    Args:
        spawner: Starts processes on this node.
        requests: From the launcher.
        answers: Descriptor of the pipe to the launcher.
    """

    def __init__(self, spawner: Spawner, requests: JsonReader, answers: int) -> None:
        self._spawner = spawner
        self._requests = requests
        self._answers = answers
        self._children: dict[str, Child] = {}
        self._is_ready = False

    def serve(self) -> None:
        """Start and signal processes until the launcher has ended.

        Raises:
            RunFailedError: when processes cannot be started.
        """
        while not self._requests.ended:
            awaited = (self._requests.fileno(), *self._spawner.descriptors)
            select.select(awaited, [], [], CHECK_PERIOD)
            self._report_ends()
            for request in self._requests.read():
                self._handle(request)
            self._report_readiness()

    def stop(self) -> None:
        """Stop all processes; the launcher has ended, or they cannot be supervised any more."""
        self._spawner.close()
        deadline = time.monotonic() + STOP_SECONDS
        while self._children and time.monotonic() < deadline:
            time.sleep(CHECK_PERIOD)
            self._take_ended()

    def _handle(self, request: Message) -> None:
        match request:
            case {"start": program, "number": int(number)}:
                self._start(_program(program), number)
            case {"signal": "TERM", "role": str(role)} if role in self._children:
                self._children[role].terminate()
            case {"signal": "KILL", "role": str(role)} if role in self._children:
                self._children[role].kill()

    def _start(self, program: Program, number: int) -> None:
        child = self._spawner.start(program, number)
        if child is not None:
            self._children[program.role] = child
        pid = None if child is None else child.pid
        self._send({"started": program.role, "pid": pid})

    def _report_ends(self) -> None:
        for role, code in self._take_ended().items():
            self._send({"ended": role, "code": code})

    def _take_ended(self) -> dict[str, int]:
        codes = {role: child.poll() for role, child in self._children.items()}
        ended = {role: code for role, code in codes.items() if code is not None}
        for role in ended:
            del self._children[role]
        return ended

    def _report_readiness(self) -> None:
        is_ready = self._spawner.is_ready()
        if is_ready != self._is_ready:
            self._is_ready = is_ready
            self._send({"ready": is_ready})

    def _send(self, message: Message) -> None:
        with suppress(BrokenPipeError):  # the launcher has ended: so will the requests
            write_message(self._answers, message)


def _program(fields: dict[str, Any]) -> Program:
    return Program(fields["role"], fields["module"], tuple(fields["command"]), fields["numbered"])


def own_address(peer: str) -> str:
    """The address of this node that a peer on another node can reach.

    Args:
        peer: Its address.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 9))  # sends nothing
        return str(probe.getsockname()[0])


def free_ports(address: str, count: int) -> list[int]:
    """Ports that nothing on this node is bound to.

    Raises:
        EndpointError: when there are too few.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, TRIED_PORTS):
        if len(found) == count:
            return found
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
        found.append(port)
    raise EndpointError(f"{address}: wanted {count} free ports, found {len(found)}")


@click.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("--ports", default=0, help="Number of ports that learners need.")
@reports_errors
def main(root: Path, name: str, ports: int) -> None:
    """Start processes of the run in ROOT as the step NAME, as the launcher asks for them."""
    # Slurm signals all steps and the batch script at once when it ends a job. The launcher stops
    # the processes in order, so this one has to outlive them.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: None)
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else may write there
    run_dir = run_directory.join(root, name, PATIENCE)
    address = own_address(os.environ["SLURM_LAUNCH_NODE_IPADDR"])
    with socket_directory(lambda text: click.echo(text, err=True)) as sockets:
        hello = {"hello": address, "ports": free_ports(address, ports), "sockets": str(sockets)}
        write_message(answers, hello)
        spawner = Spawner(run_dir, role=f"fork-server-{name}")
        step = StepProcess(spawner, JsonReader(sys.stdin.fileno()), answers)
        try:
            step.serve()
        except RunFailedError as fault:
            write_message(answers, {"failed": str(fault)})
        finally:
            step.stop()


if __name__ == "__main__":
    main()
