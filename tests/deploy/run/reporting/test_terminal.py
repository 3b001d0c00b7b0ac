"""What becomes of the launcher's output when nobody can read it any more."""

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
print("heard", file=sys.stderr, flush=True)
sys.exit(7)
"""


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_output_that_nobody_can_take_costs_nothing_but_itself(kind):
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
    assert errors == "heard\n"
