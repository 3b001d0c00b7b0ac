"""A disk in memory. Programs use it through paths, and through what they take from `os`.

The programs' own code for files runs unchanged: a write to a temporary file, a rename, a deletion.
A process can be killed before each of these, and in the middle of a write. What was written before
survives.
"""

import errno
import os
from contextlib import contextmanager
from fnmatch import fnmatch
from types import SimpleNamespace

import ssd_actors.ledger
import ssd_learner.checkpoints.checkpoint_file

ROOT = "/run"


class Disk:
    """Files by name.

    Args:
        on_rename: Called with the process, the new name and the content when a file is renamed.

    Attributes:
        files: Their content.
        faults: By role: until when its processes cannot write, and the error number.
    """

    def __init__(self, scheduler, on_rename):
        self.scheduler = scheduler
        self.files = {}
        self.faults = {}
        self._on_rename = on_rename

    def path(self, process, *parts):
        """A path for the programs of a process; None for a reader outside the simulation."""
        return SimulatedPath(self, process, "/".join((ROOT, *parts)))

    def touch(self, process):
        """Called before each change: the process may be killed, or the disk may fail.

        Raises:
            OSError: the disk fails.
        """
        process.effect("disk")
        until, number = self.faults.get(process.role, (0.0, 0))
        if until > self.scheduler.now:
            raise OSError(number, os.strerror(number))

    def rename(self, process, old, new):
        """Rename a file; replaces another."""
        self.touch(process)
        self.files[new] = self.files.pop(old)
        self._on_rename(process, new, self.files[new])
        process.effect("disk")


class SimulatedPath:
    """As much of a `pathlib.Path` as the programs use."""

    def __init__(self, disk, process, full):
        self._disk = disk
        self._process = process
        self._full = full

    def __str__(self):
        return self._full

    def __lt__(self, other):
        return self._full < other._full

    def __truediv__(self, name):
        return SimulatedPath(self._disk, self._process, f"{self._full}/{name}")

    @property
    def name(self):
        return self._full.rpartition("/")[2]

    @property
    def parent(self):
        return SimulatedPath(self._disk, self._process, self._full.rpartition("/")[0])

    def with_name(self, name):
        return self.parent / name

    def mkdir(self, parents, exist_ok):
        assert parents
        assert exist_ok

    def glob(self, pattern):
        folder = f"{self._full}/"
        for full in sorted(self._disk.files):
            name = full.removeprefix(folder)
            hides = name.startswith(".") and not pattern.startswith(".")
            if full.startswith(folder) and "/" not in name and fnmatch(name, pattern) and not hides:
                yield self / name

    def read_bytes(self):
        if self._full not in self._disk.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._full)
        return self._disk.files[self._full]

    def read_text(self):
        return self.read_bytes().decode()

    def write_text(self, text):
        with self.open("wb") as file:
            file.write(text.encode())

    def open(self, mode):
        assert mode == "wb"
        self._disk.touch(self._process)
        self._disk.files[self._full] = b""
        return OpenFile(self._disk, self._process, self._full)

    def replace(self, target):
        self._disk.rename(self._process, self._full, target._full)

    rename = replace

    def unlink(self, missing_ok=False):
        if missing_ok and self._full not in self._disk.files:
            return
        self._process.effect("disk")
        del self._disk.files[self._full]


class OpenFile:
    """A file that a process has opened for writing; also in place of its file descriptor."""

    def __init__(self, disk, process, full):
        self._disk = disk
        self._process = process
        self._full = full

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def write(self, data):
        """Append, in two parts: a process killed in between leaves the first."""
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            self._disk.touch(self._process)
            self._disk.files[self._full] += part

    def flush(self):
        self._disk.touch(self._process)

    def fileno(self):
        return self

    def pwrite(self, data, offset):
        """Write in place. A full disk does not prevent it."""
        if self._disk.faults.get(self._process.role, (0.0, 0))[1] == errno.ENOSPC:
            self._process.effect("disk")
        else:
            self._disk.touch(self._process)
        old = self._disk.files[self._full]
        self._disk.files[self._full] = old[:offset] + data + old[offset + len(data) :]


@contextmanager
def simulated_files():
    """Meanwhile the programs' code for files works on open files of a simulated disk."""
    modules = (ssd_actors.ledger, ssd_learner.checkpoints.checkpoint_file)
    simulated = SimpleNamespace(
        O_RDONLY=os.O_RDONLY,
        O_WRONLY=os.O_WRONLY,
        open=lambda path, _flags: OpenFile(path._disk, path._process, path._full),
        close=lambda _file: None,
        fsync=lambda file: file.flush(),
        pwrite=lambda file, data, offset: file.pwrite(data, offset),
    )
    for module in modules:
        module.os = simulated
    try:
        yield
    finally:
        for module in modules:
            module.os = os
