"""The Slurm job that the launcher runs in, and which of its nodes runs what."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from ssd_run.processes.programs import RunSize

PORTS_OF_LEARNER = 2  # of segments and of weights


@dataclass(frozen=True)
class StepPlan:
    """A job step: what it runs on one node.

    Attributes:
        name: Unique in the job.
        node: Where it runs.
        agents: Those whose learners run in it.
        arenas: Those whose environments and actors run in it.
    """

    name: str
    node: str
    agents: tuple[int, ...] = ()
    arenas: tuple[int, ...] = ()

    def roles(self, size: RunSize) -> tuple[str, ...]:
        """Its processes."""
        actors = (f"actor-{arena}-{agent}" for arena in self.arenas for agent in range(size.agents))
        learners = (f"learner-{agent}" for agent in self.agents)
        return (*learners, *(f"env-{arena}" for arena in self.arenas), *actors)


def check_size(nodes: Sequence[str], arenas: int) -> None:
    """Refuse a job of which some nodes would have nothing to do.

    Raises:
        click.UsageError: naming what was wanted and what was found.
    """
    if arenas < len(nodes) - 1:
        raise click.UsageError(
            f"{len(nodes)} nodes: wanted at least {len(nodes) - 1} arenas, found {arenas}; "
            "the other nodes would have nothing to do"
        )


def plan_steps(nodes: Sequence[str], size: RunSize) -> tuple[StepPlan, ...]:
    """All steps of a job: learners on the first node, arenas on all nodes in turn.

    The first node, which has the learners, is the last to get an arena.

    Args:
        nodes: Of the job.
        size: Of the run.
    """
    in_turn = (*nodes[1:], nodes[0])
    arenas = {
        node: tuple(range(place, size.arenas, len(nodes))) for place, node in enumerate(in_turn)
    }
    return (
        StepPlan("learners", nodes[0], agents=tuple(range(size.agents))),
        *(StepPlan(f"arenas-{node}", node, arenas=here) for node, here in arenas.items() if here),
    )


def nodes_of_job(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The names of this job's nodes; the first is the one where its batch script runs.

    Raises:
        click.UsageError: when this process is not in a Slurm job.
    """
    if not (names := environment.get("SLURM_JOB_NODELIST")):
        raise click.UsageError("--slurm: wanted a Slurm job, found none (no SLURM_JOB_NODELIST)")
    try:
        shown = subprocess.run(  # noqa: S603 - Slurm's own
            ["scontrol", "show", "hostnames", names],  # noqa: S607 - from the user's PATH
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as fault:
        raise click.UsageError(f"--slurm: scontrol cannot name the job's nodes: {fault}") from fault
    return tuple(shown.stdout.split())
