"""A process of ours that is measured, or that stands at the other end of what is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0  # seconds for a process to start, compile its kernels if need be, answer, or stop
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@contextmanager
def child_process(
    module: str, *options: str, log: str = os.devnull
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module that takes --lifeline until this context, or this process, ends in any way."""
    lifeline, held_open = os.pipe()
    with Path(log).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-m", module, *options, f"--lifeline={lifeline}"],
            pass_fds=(lifeline,),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **ONE_THREAD},
        )
    os.close(lifeline)
    try:
        yield process
    finally:
        os.close(held_open)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
