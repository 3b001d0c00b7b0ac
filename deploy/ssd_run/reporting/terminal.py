"""A console whose terminal may be closed, or whose pipe may lose its reader.

The output is then lost; the run goes on.
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
        """Continue without a console; rich would end the process."""
        self.lose()

    def lose(self) -> None:
        """Write to /dev/null from now on, and so does standard error if it is the same file."""
        self.quiet = True
        same = os.path.samestat(os.fstat(1), os.fstat(2))
        nothing = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr) if same else (sys.stdout,):
            os.dup2(nothing, stream.fileno())
        os.close(nothing)
