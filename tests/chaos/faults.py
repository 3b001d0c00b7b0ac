"""Faults as data, drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

KILL, TERMINATE, FREEZE, CUT, FULL_DISK = "kill", "terminate", "freeze", "cut", "full disk"
FORK_SERVER, DISK = "fork-server", "disk"
SHORT, LONG, FULL = (1.0, 10.0), (61.0, 75.0), (3.0, 12.0)  # seconds
LONG_EVERY = 12  # faults from one long freeze to the next
AT_ONCE = 0.2
KINDS = {KILL: 30, TERMINATE: 16, FREEZE: 24, CUT: 26, FULL_DISK: 4}  # and their weights


@dataclass(frozen=True)
class Fault:
    """A fault of one process, or of the disk.

    Attributes:
        kind: One of `KINDS`.
        role: Of the process; `FORK_SERVER`, or `DISK` for a full disk.
        pause: Seconds from the fault before to this one.
        seconds: How long a freeze, or a full disk, lasts; else 0.
        pick: In [0, 1): chooses one of the connections of the process.
    """

    kind: str
    role: str
    pause: float
    seconds: float = 0.0
    pick: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.role}" + (f" {self.seconds:.0f} s" if self.seconds else "")


def draw(
    seed: int, roles: Sequence[str], pauses: tuple[float, float], *, steady: bool = False
) -> Iterator[Fault]:
    """Faults without end; the same for the same arguments.

    Every `LONG_EVERY`th is a long freeze: of an actor, an environment, the fork server and a
    learner in turn. `AT_ONCE` of all come together with the fault before.

    Args:
        seed: Of the draws.
        roles: Of all processes.
        pauses: Shortest and longest time between two faults, in seconds.
        steady: No long freezes, and no two faults at once.
    """
    rng = Random(seed)  # noqa: S311 - not for a secret
    number = 0
    while True:
        number += 1
        at_once = not steady and rng.random() < AT_ONCE
        pause = 0.0 if at_once else rng.uniform(*pauses)
        turn, rest = divmod(number, LONG_EVERY)
        if not steady and rest == 0:
            kind = ("learner", "actor", "env", FORK_SERVER)[turn % 4]
            role = rng.choice([role for role in (*roles, FORK_SERVER) if role.startswith(kind)])
            yield Fault(FREEZE, role, pause, rng.uniform(*LONG))
        else:
            yield _draw_one(rng, roles, pause)


def _draw_one(rng: Random, roles: Sequence[str], pause: float) -> Fault:
    (kind,) = rng.choices([*KINDS], [*KINDS.values()])
    if kind == FULL_DISK:
        return Fault(kind, DISK, pause, rng.uniform(*FULL))
    role = rng.choice([*roles] if kind == CUT else [*roles, FORK_SERVER])
    seconds = rng.uniform(*SHORT) if kind == FREEZE else 0.0
    return Fault(kind, role, pause, seconds, rng.random())
