"""Starts the processes of a run through the steps of a Slurm job."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from ssd_run.processes.process_files import ProcessFiles
from ssd_run.processes.programs import Endpoints, Program, RunSize, ipc_endpoint
from ssd_run.processes.spawner import Child, RunFailedError
from ssd_run.run_directory import RunDir
from ssd_run.slurm.job import PORTS_OF_LEARNER, StepPlan, plan_steps
from ssd_run.slurm.step import Place, Step, start_step, wait_for_places

KEYS = "keys"  # folder in the run directory
STEP_FAILED = 71  # exit code: another start of the job may succeed
START_SECONDS = 120.0  # that the steps have to start


class StepSpawner(ProcessFiles):
    """Starts each process in the step that it belongs to.

    Args:
        run_dir: Of the run, on a file system that all nodes share.
        steps: All steps.
        size: Of the run.
    """

    def __init__(self, run_dir: RunDir, steps: Sequence[Step], size: RunSize) -> None:
        super().__init__(run_dir)
        self._steps = steps
        self._step_of = {role: step for step in steps for role in step.plan.roles(size)}
        self._reported: set[str] = set()  # steps whose failure was raised

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Descriptors to select on: one of them is readable when a step has reported something."""
        return tuple(step.fileno() for step in self._steps if not step.failure)

    def is_ready(self) -> bool:
        """Whether a process can be started now.

        Raises:
            RunFailedError: when a step cannot go on; once, so that the others can be stopped.
        """
        for step in self._steps:
            step.receive()
            if step.failure and step.plan.name not in self._reported:
                self._reported.add(step.plan.name)
                raise RunFailedError(f"step {step.plan.name}", step.failure, STEP_FAILED)
        return all(step.is_ready for step in self._steps)

    def start(self, program: Program, number: int) -> Child | None:
        """Start a process; to be called only if `is_ready`.

        Args:
            program: What to start.
            number: How often it was started before in this run directory.

        Returns:
            The process; None if that failed this time.

        Raises:
            RunFailedError: when its step does not answer.
        """
        self.forget(program.role)
        return self._step_of[program.role].start(program, number)

    def close(self) -> None:
        """End all steps."""
        close_steps(self._steps)


def close_steps(steps: Iterable[Step]) -> None:
    """End steps, and with them the processes that still run."""
    for step in steps:
        step.close()
    for step in steps:
        step.wait()


def start_steps(
    run_dir: RunDir, size: RunSize, nodes: Sequence[str]
) -> tuple[StepSpawner, Endpoints]:
    """Start the steps of a job; no process of the run is started yet.

    Args:
        run_dir: Of the run.
        size: Of the run.
        nodes: Of the job.

    Returns:
        The spawner, and where the processes are to bind and connect.

    Raises:
        EndpointError: when a step does not start.
    """
    root = run_dir.root.resolve()
    keys = root / KEYS
    if not keys.exists():
        _create_keys(keys, size.agents)
    plans = plan_steps(nodes, size)
    steps = [start_step(plan, root) for plan in plans]
    try:
        places = wait_for_places(steps, START_SECONDS)
    except BaseException:
        close_steps(steps)
        raise
    return StepSpawner(run_dir, steps, size), endpoints_of(plans, places, size, keys)


def _create_keys(folder: Path, agents: int) -> None:
    """Create all keys of a run, or none."""
    from ssd_wire.security.keys import create_keys  # with ZeroMQ, which other launches do not need

    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    create_keys(unfinished, agents)
    unfinished.rename(folder)


def endpoints_of(
    plans: Sequence[StepPlan], places: Sequence[Place], size: RunSize, keys: Path
) -> Endpoints:
    """Where processes bind and connect: inside a step by ipc sockets, between steps by TCP.

    Args:
        plans: Of all steps.
        places: Of each step.
        size: Of the run.
        keys: The key folder.
    """
    segments, weights, env = {}, {}, {}
    options: dict[str, tuple[str, ...]] = {}
    for plan, place in zip(plans, places, strict=True):
        endpoints = [f"tcp://{place.address}:{port}" for port in place.ports]
        for index, agent in enumerate(plan.agents):
            first = PORTS_OF_LEARNER * index
            segments[agent], weights[agent] = endpoints[first : first + PORTS_OF_LEARNER]
        for arena in plan.arenas:
            env[arena] = ipc_endpoint(place.sockets, f"env-{arena}")
        own = (f"--keys={keys}", f"--metrics={place.address}:0")
        options.update(dict.fromkeys(plan.roles(size), own))
    return Endpoints(
        env=tuple(env[arena] for arena in range(size.arenas)),
        segments=tuple(segments[agent] for agent in range(size.agents)),
        weights=tuple(weights[agent] for agent in range(size.agents)),
        options=options,
    )
