"""The fork server: loads all libraries of a run once, then forks its processes. Start reading here.

A Python process that imports torch needs seconds and a hundred megabytes, and a run has eleven of
them. A forked process starts at once, and shares the memory that it does not change.

A fork copies only the calling thread, and a lock that another thread held stays locked for ever. So
nothing here starts a thread, and every fork checks that there is only one.

The processes should be children of the launcher, so that the kernel tells it how each of them
ended, and so that the fork server can die without affecting them. The launcher is therefore a
subreaper (`ssd_run.processes.spawner`), and every process is orphaned at its start, by forking
twice.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import shlex
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from setproctitle import setproctitle, setthreadtitle

from ssd_wire.process.command import reports_errors

READY = b"ready"
LARGEST_PACKET = 1 << 16


@dataclass(frozen=True)
class ForkRequest:
    """A request to fork a process.

    Attributes:
        module: The module whose `main` it runs.
        command: Its `sys.argv`, and what `ps` shows.
        log: The file to which its output is appended.
    """

    module: str
    command: list[str]
    log: str


def main(channel: socket.socket, preload: str, run_file: Path) -> None:
    """Load all libraries, then fork processes until the launcher has ended.

    Args:
        channel: To the launcher: each packet is a request as JSON, answered by a pid.
        preload: The module whose `preload` loads what this run's processes need.
        run_file: Of the run.
    """
    set_title(["ssd-fork-server", str(run_file.parent)])
    gc.disable()  # before forks: a collection writes to shared memory
    load(preload, run_file)
    gc.collect()
    gc.freeze()
    channel.send(READY)
    request = serve(channel)
    if request is not None:
        end(exit_code(request))


@reports_errors
def load(preload: str, run_file: Path) -> None:
    """Load what this run's processes need; an error in its run file ends this process."""
    importlib.import_module(preload).preload(run_file)


def serve(channel: socket.socket) -> ForkRequest | None:
    """Fork a process for each request.

    Returns:
        In the forked process, its request. None in this process, when the launcher has ended.
    """
    while packet := channel.recv(LARGEST_PACKET):
        if fork_orphan():
            channel.send(b"%d" % os.getpid())
            channel.close()
            return ForkRequest(**json.loads(packet))
    return None


def fork_orphan() -> bool:
    """Fork a process whose parent has ended; returns True in that process.

    It continues only after this process has seen its parent end: from then on it is a child of the
    launcher, which can wait for it. If this process dies before that, it ends, too.

    Raises:
        RuntimeError: when a fork would be unsafe.
        OSError: when the system cannot start another process.
    """
    check_may_fork()
    wait_end, go_end = os.pipe()
    parent = os.fork()
    if parent:
        os.close(wait_end)
        if os.waitpid(parent, 0)[1] != 0:
            raise OSError("the system cannot start another process")
        os.write(go_end, b"!")
        os.close(go_end)
        return False
    os.close(go_end)
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        os._exit(1)
    if not os.read(wait_end, 1):
        os._exit(1)
    os.close(wait_end)
    return True


def check_may_fork() -> None:
    """Refuse to fork with other threads, of any library, or with CUDA, which do not survive it.

    Raises:
        RuntimeError: naming what was found.
    """
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"wanted 1 thread before a fork, found {threads}")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        raise RuntimeError("wanted no CUDA before a fork, found it initialised")


def exit_code(request: ForkRequest) -> int:
    """Run the requested program; returns its exit code, after the traceback where it failed."""
    try:
        run_request(request)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except BaseException:  # as the interpreter does
        traceback.print_exc()
        return 1
    return 0


def end(code: int) -> NoReturn:
    """End this process without the interpreter's cleaning up.

    That would touch all objects, and so copy the memory that is shared with the fork server: it
    takes longer than everything else that a process does in order to stop.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@reports_errors
def run_request(request: ForkRequest) -> None:
    """Run the requested program in a new session; returns or exits as that program does."""
    os.setsid()
    with Path(request.log).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    set_title(request.command)
    sys.argv = request.command
    gc.enable()
    importlib.import_module(request.module).main()


def set_title(command: Sequence[str]) -> None:
    """Show this command in `ps`, and its first word in `top`."""
    setproctitle(shlex.join(command))
    setthreadtitle(command[0])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], Path(sys.argv[3]))
