"""A console that may go away: its terminal is closed, or whoever read the pipe has ended.

That costs what would have been shown, and nothing else.
"""

from __future__ import annotations

import os
import sys

from rich.console import Console


class Terminal(Console):
    """A console on standard output."""

    def _check_buffer(self) -> None:
        try:
            super()._check_buffer()
        except OSError:  # EPIPE of a pipe, EIO of a terminal, ENOSPC of a file
            self.lose()

    def on_broken_pipe(self) -> None:
        """Go on without a console; rich would end the process."""
        self.lose()

    def lose(self) -> None:
        """Write into nothing from now on, also where the standard error is the same file."""
        self.quiet = True
        same = os.path.samestat(os.fstat(1), os.fstat(2))
        nothing = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr) if same else (sys.stdout,):
            os.dup2(nothing, stream.fileno())
        os.close(nothing)
