"""The processes of a run, and their command lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

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
    """The size of a run. Not part of the run file: it may change on resume.

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


@dataclass(frozen=True)
class Endpoints:
    """Where the processes of a run bind and connect.

    Attributes:
        env: [R] endpoint of each arena's environment.
        segments, weights: [N] endpoints of each agent's learner.
        options: Role → further options of that process, as ``--keys=FOLDER``.
    """

    env: tuple[str, ...]
    segments: tuple[str, ...]
    weights: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def ipc(cls, sockets: Path, size: RunSize) -> Self:
        """Those of a run on this machine.

        Args:
            sockets: A private directory with a short path.
            size: Of the run.

        Raises:
            EndpointError: when the path of that directory is too long for a socket.
        """
        agents = range(size.agents)
        return cls(
            env=tuple(ipc_endpoint(sockets, f"env-{arena}") for arena in range(size.arenas)),
            segments=tuple(ipc_endpoint(sockets, f"segments-{agent}") for agent in agents),
            weights=tuple(ipc_endpoint(sockets, f"weights-{agent}") for agent in agents),
        )


def ipc_endpoint(sockets: Path, name: str) -> str:
    """The endpoint of a socket in a directory.

    Raises:
        EndpointError: when its path is too long.
    """
    return check_endpoint(f"ipc://{sockets / name}")


def all_programs(
    size: RunSize, run_dir: RunDir, endpoints: Endpoints, *, deterministic: bool = False
) -> tuple[Program, ...]:
    """All processes of a run, learners first, since they take longest to start.

    Args:
        size: Of the run.
        run_dir: Of the run.
        endpoints: Where they bind and connect.
        deterministic: Whether the run is. Then games and recurrent states that are lost with an
            environment or an actor cannot be replaced.
    """
    agents, arenas = range(size.agents), range(size.arenas)
    return (
        *(_learner(agent, size, run_dir, endpoints) for agent in agents),
        *(
            replace(program, replaceable=not deterministic)
            for arena in arenas
            for program in (
                _env(arena, run_dir, endpoints),
                *(_actor(agent, arena, run_dir, endpoints) for agent in agents),
            )
        ),
    )


def _learner(agent: int, size: RunSize, run_dir: RunDir, endpoints: Endpoints) -> Program:
    role = f"learner-{agent}"
    device = size.devices[agent % len(size.devices)]
    budget = [] if size.own_steps is None else [f"--own-steps={size.own_steps}"]
    return Program(
        role,
        "ssd_learner.cli",
        (
            "ssd-learner",
            f"--agent={agent}",
            *_files(run_dir),
            f"--bind={endpoints.segments[agent]}",
            f"--weights={endpoints.weights[agent]}",
            f"--checkpoints={run_dir.checkpoints / f'agent-{agent}'}",
            f"--device={device}",
            *budget,
            *endpoints.options.get(role, ()),
        ),
    )


def _env(arena: int, run_dir: RunDir, endpoints: Endpoints) -> Program:
    role = f"env-{arena}"
    return Program(
        role,
        "ssd_env_server.cli",
        (
            "ssd-env",
            f"--arena={arena}",
            *_files(run_dir),
            f"--bind={endpoints.env[arena]}",
            *endpoints.options.get(role, ()),
        ),
        numbered=True,
    )


def _actor(agent: int, arena: int, run_dir: RunDir, endpoints: Endpoints) -> Program:
    role = f"actor-{arena}-{agent}"
    return Program(
        role,
        "ssd_actors.cli",
        (
            "ssd-actor",
            f"--agent={agent}",
            f"--arena={arena}",
            *_files(run_dir),
            f"--env={endpoints.env[arena]}",
            f"--learner={endpoints.segments[agent]}",
            f"--weights={endpoints.weights[agent]}",
            *endpoints.options.get(role, ()),
        ),
        numbered=True,
    )


def _files(run_dir: RunDir) -> tuple[str, str]:
    return (f"--run={run_dir.run_file}", f"--run-dir={run_dir.root}")
