"""The processes of a run, and their command lines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from ssd_run.run_directory import RunDir
from ssd_wire.endpoints import check_endpoint


@dataclass(frozen=True)
class Program:
    """One process of the run.

    Attributes:
        role: Its name in the run directory: ``env-0``, ``actor-0-3``, ``learner-3``.
        module: The module whose `main` it runs.
        command: The command that a user would type to start it. Agent and arena come first, since
            `ps` may cut it off.
        numbered: Whether it gets the number of its earlier starts, so that it does not draw the
            same random numbers again.
        replaceable: Whether the run can go on with another process in its place.
    """

    role: str
    module: str
    command: tuple[str, ...]
    numbered: bool = False
    replaceable: bool = True

    @property
    def kind(self) -> str:
        """``env``, ``actor`` or ``learner``."""
        return self.role.partition("-")[0]


@dataclass(frozen=True)
class RunSize:
    """The size of a run on this machine. Not part of the run file: it may change on resume.

    Attributes:
        agents: N, the number of learners.
        arenas: Their number; each has one environment and N actors.
        steps: Agent-steps of all agents together, or None for no limit.
        devices: Of the learners, in turn.
    """

    agents: int
    arenas: int
    steps: int | None
    devices: tuple[str, ...] = ("cpu",)

    @property
    def own_steps(self) -> int | None:
        """Budget of each learner."""
        return None if self.steps is None else math.ceil(self.steps / self.agents)


def all_programs(
    size: RunSize, run_dir: RunDir, sockets: Path, *, deterministic: bool = False
) -> tuple[Program, ...]:
    """All processes of a run, learners first, since they take longest to start.

    Args:
        size: Of the run.
        run_dir: Of the run.
        sockets: A private directory with a short path, for the ipc sockets.
        deterministic: Whether the run is. Then games and recurrent states that are lost with an
            environment or an actor cannot be replaced.

    Raises:
        EndpointError: when the path of that directory is too long for a socket.
    """
    agents, arenas = range(size.agents), range(size.arenas)
    return (
        *(_learner(agent, size, run_dir, sockets) for agent in agents),
        *(
            replace(program, replaceable=not deterministic)
            for arena in arenas
            for program in (
                _env(arena, run_dir, sockets),
                *(_actor(agent, arena, run_dir, sockets) for agent in agents),
            )
        ),
    )


def _learner(agent: int, size: RunSize, run_dir: RunDir, sockets: Path) -> Program:
    device = size.devices[agent % len(size.devices)]
    budget = [] if size.own_steps is None else [f"--own-steps={size.own_steps}"]
    return Program(
        f"learner-{agent}",
        "ssd_learner.cli",
        (
            "ssd-learner",
            f"--agent={agent}",
            *_files(run_dir),
            f"--bind={_endpoint(sockets, f'segments-{agent}')}",
            f"--weights={_endpoint(sockets, f'weights-{agent}')}",
            f"--checkpoints={run_dir.checkpoints / f'agent-{agent}'}",
            f"--device={device}",
            *budget,
        ),
    )


def _env(arena: int, run_dir: RunDir, sockets: Path) -> Program:
    return Program(
        f"env-{arena}",
        "ssd_env_server.cli",
        (
            "ssd-env",
            f"--arena={arena}",
            *_files(run_dir),
            f"--bind={_endpoint(sockets, f'env-{arena}')}",
        ),
        numbered=True,
    )


def _actor(agent: int, arena: int, run_dir: RunDir, sockets: Path) -> Program:
    return Program(
        f"actor-{arena}-{agent}",
        "ssd_actors.cli",
        (
            "ssd-actor",
            f"--agent={agent}",
            f"--arena={arena}",
            *_files(run_dir),
            f"--env={_endpoint(sockets, f'env-{arena}')}",
            f"--learner={_endpoint(sockets, f'segments-{agent}')}",
            f"--weights={_endpoint(sockets, f'weights-{agent}')}",
        ),
        numbered=True,
    )


def _files(run_dir: RunDir) -> tuple[str, str]:
    return (f"--run={run_dir.run_file}", f"--run-dir={run_dir.root}")


def _endpoint(sockets: Path, name: str) -> str:
    return check_endpoint(f"ipc://{sockets / name}")
