"""Fake processes and their starter, for the supervisor."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field


@dataclass
class FakeProcess:
    """A process that the test controls."""

    role: str
    number: int
    pid: int
    code: int | None = None
    obeys: bool = True  # whether it ends when it is asked to
    asked: bool = False

    def poll(self):
        return self.code

    def terminate(self):
        self.asked = True
        if self.obeys:
            self.code = 0

    def kill(self):
        self.code = -signal.SIGKILL


@dataclass
class FakeStarter:
    """Starts fake processes; also the clock, and the messages to the user."""

    started: list[FakeProcess] = field(default_factory=list)
    up: bool = True
    ready: bool = True
    fails: int = 0  # starts that fail
    now: float = 1000.0
    messages: list[str] = field(default_factory=list)
    progress: bool = True
    error: tuple[str, str] = ("", "")

    def last_error(self, role):
        del role
        return self.error

    def made_progress(self, role):
        del role
        return self.progress

    def is_ready(self):
        return self.ready

    def start(self, program, number):
        assert self.ready
        if self.fails:
            self.fails -= 1
            self.ready = False
            return None
        self.started.append(FakeProcess(program.role, number, pid=len(self.started) + 1))
        return self.started[-1]

    def announced(self, role, pid):
        del role, pid
        return self.up

    def clock(self):
        return self.now

    def newest(self, role):
        return [process for process in self.started if process.role == role][-1]

    def count(self, role):
        return sum(process.role == role for process in self.started)


def die(starter, supervisor, role, code=-9):
    starter.newest(role).code = code
    supervisor.check()


def seconds_until_restart(starter, supervisor, role):
    before, began = starter.count(role), starter.now
    while starter.count(role) == before:
        starter.now += 0.125
        supervisor.check()
    return starter.now - began
