"""The fork server: loads once what a run's processes need, then forks them. Start reading here.

An interpreter that imports torch takes seconds and a hundred megabytes, and a run has eleven of
them. A forked process has everything at once, and shares the memory of what it does not change.

A fork copies the calling thread alone, and a lock that another thread held stays shut for ever. So
nothing here starts a thread, and every fork checks that nothing has.

The processes are to be the launcher's own children, so that the kernel itself tells it how each of
them ended, and so that the fork server may die without harm to them. The launcher therefore takes
in orphans (`ssd_run.processes.spawner`), and every process is made one at its birth, by forking
twice.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shlex
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from setproctitle import setproctitle, setthreadtitle

from ssd_wire.process import reports_errors

READY = b"ready"
LARGEST_PACKET = 1 << 16


@dataclass(frozen=True)
class ForkRequest:
    """What a forked process is to be.

    Attributes:
        module: Whose `main` it runs.
        command: Its `sys.argv`, and what `ps` shows.
        log: File that its output is added to.
    """

    module: str
    command: list[str]
    log: str


def main(channel: socket.socket, preload: str, run_file: Path) -> None:
    """Load, then fork until the launcher is gone.

    Args:
        channel: To the launcher: packets, each an order as JSON, answered by a process number.
        preload: Module whose `preload` loads what this run's processes need.
        run_file: Of the run.
    """
    set_title(["ssd-fork-server", str(run_file.parent)])
    gc.disable()  # until a fork: a collection writes to the memory of all it looks at
    load(preload, run_file)
    gc.collect()
    gc.freeze()
    channel.send(READY)
    order = serve(channel)
    if order is not None:
        run_request(order)


@reports_errors
def load(preload: str, run_file: Path) -> None:
    """Load what this run's processes need; what is wrong with its run file ends this process."""
    importlib.import_module(preload).preload(run_file)


def serve(channel: socket.socket) -> ForkRequest | None:
    """Fork a process for each order.

    Returns:
        In each forked process its order; None in this one, once the launcher is gone.
    """
    while packet := channel.recv(LARGEST_PACKET):
        if fork_orphan():
            channel.send(b"%d" % os.getpid())
            channel.close()
            return ForkRequest(**json.loads(packet))
    return None


def fork_orphan() -> bool:
    """Fork a process whose parent is gone already; true in it.

    It begins to live only when this process has seen its parent end: then it is the launcher's
    child, which can wait for it. When this process dies before that, it ends unborn.

    Raises:
        RuntimeError: when a fork would be unsafe.
        OSError: when the system has no room for another process.
    """
    check_may_fork()
    awaited, live = os.pipe()
    parent = os.fork()
    if parent:
        os.close(awaited)
        if os.waitpid(parent, 0)[1] != 0:
            raise OSError("the system takes no more processes")
        os.write(live, b"!")
        os.close(live)
        return False
    os.close(live)
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        os._exit(1)
    if not os.read(awaited, 1):
        os._exit(1)
    os.close(awaited)
    return True


def check_may_fork() -> None:
    """Refuse to fork what would not survive it: other threads, of whatever library, and CUDA.

    Raises:
        RuntimeError: naming what there is.
    """
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"wanted 1 thread before a fork, found {threads}")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        raise RuntimeError("wanted no CUDA before a fork, found it initialised")


def run_request(order: ForkRequest) -> None:
    """Be what was ordered, in a session of its own; returns or exits as that program does."""
    os.setsid()
    with Path(order.log).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    set_title(order.command)
    sys.argv = order.command
    gc.enable()
    importlib.import_module(order.module).main()


def set_title(command: Sequence[str]) -> None:
    """Be found by this command in `ps`, and by its first word in `top`."""
    setproctitle(shlex.join(command))
    setthreadtitle(command[0])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], Path(sys.argv[3]))
