"""The launcher's output when its reader has gone."""

import os
import pty
import subprocess
import sys

import pytest

WRITER = """
import sys, time
from ssd_run.reporting.terminal import Terminal
terminal = Terminal(force_terminal=True)
terminal.print("first")
sys.stdin.readline()
for _ in range(100):
    terminal.print("lost")
print("last", flush=True)
print("still here", file=sys.stderr, flush=True)
sys.exit(7)
"""


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_output_that_cannot_be_written_is_dropped_without_an_error(kind):
    ours, theirs = os.pipe() if kind == "pipe" else pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER],
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        assert os.read(ours, 5) == b"first"
        os.close(ours)
        _, errors = process.communicate("\n", timeout=60)
    assert process.returncode == 7
    assert errors == "still here\n"
