"""`ssd-learner`: the learner of one agent, as a process."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from pathlib import Path

import click
import torch

from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.networks.agent_network import network_class
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.roles import optional_axes, role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.checkpoints.checkpoint_file import CheckpointError
from ssd_learner.checkpoints.checkpointer import Archive
from ssd_learner.checkpoints.restore import restore
from ssd_learner.learner import Learner
from ssd_learner.metrics import LearnerMetrics
from ssd_learner.segments.receiver import Counts, Intake
from ssd_learner.settings import LearningSettings
from ssd_learner.trainer import Trainer
from ssd_wire.allocator import keep_freed_memory
from ssd_wire.dims import Dims
from ssd_wire.endpoints import lock_file
from ssd_wire.errors import RunFileError
from ssd_wire.messages import Message
from ssd_wire.process import (
    WholeNumber,
    configure_logging,
    process_options,
    reports_errors,
    serve_metrics,
    write_process_entry,
)
from ssd_wire.run_file import RunSettings, errors_in_section, fingerprint, load_run_file, section
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.sockets import Poller, Publisher, Router
from ssd_wire.stop import Stop


class ZmqMail:
    """Letters over ZeroMQ: segments and answers through a ROUTER, weights through a PUB."""

    def __init__(
        self, stop: Stop, segments: str, weights: str, security: SocketSecurity, agent: int
    ) -> None:
        allowed = (f"actor-{agent}",)
        self.router = Router(segments, security, allowed)
        self.publisher = Publisher(weights, security.server_options(allowed))
        self._stop = stop
        self._waiting = Poller(stop, [self.router])

    def wait(self, seconds: float) -> bool:
        """Return when letters are there or time is up; false when asked to stop."""
        self._waiting.wait(seconds)
        return not self._stop.requested

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All letters that are there."""
        return self.router.receive()

    def send(self, peer: bytes, message: Message) -> bool:
        """Send one, without waiting."""
        return self.router.send(peer, message)

    def publish(self, frame: bytes) -> None:
        """Send one frame to everybody who listens."""
        self.publisher.publish(frame)


@click.command()
@process_options
@click.option("--agent", required=True, type=click.IntRange(0), help="Whom to train.")
@click.option("--bind", required=True, help="Endpoint that receives segments.")
@click.option("--weights", required=True, help="Endpoint that publishes weights.")
@click.option(
    "--checkpoints",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of this agent's checkpoints; goes on from the newest in it.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:INDEX.")
@click.option("--own-steps", type=WholeNumber(), help="Budget; trains for ever without.")
@reports_errors
def main(
    run_file: Path,
    run_dir: Path | None,
    metrics: str,
    keys: Path | None,
    parent_pipe: int | None,
    agent: int,
    bind: str,
    weights: str,
    checkpoints: Path,
    device: str,
    own_steps: int | None,
) -> None:
    """Train one agent from the segments of every arena."""
    stop = Stop(parent_pipe)
    role = f"learner-{agent}"
    log = configure_logging(role)
    torch.set_num_threads(1)
    keep_freed_memory()
    sections = load_run_file(run_file)
    run = section(sections, "run", RunSettings)
    game = section(sections, "game", GameSettings)
    experiment = section(sections, "experiment", ExperimentSettings)
    network = section(sections, "network", NetworkSettings, network_class)
    learning = section(sections, "learning", LearningSettings)
    if objection := learning.objection(run.segment, run.lanes, run.window, run.retained):
        raise RunFileError(f"[learning] {objection}")
    spec = game_spec(game)
    if agent >= spec.num_agents:
        raise RunFileError(f"wanted an agent of 0 to {spec.num_agents - 1}, found {agent}")

    shape = AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)
    with errors_in_section("experiment"):
        trainer = Trainer(shape, network, experiment, learning, torch_device(device), run.seed)
    mark = fingerprint(run, game, experiment, network)
    held = lock_file(checkpoints / ".lock", f"checkpoint folder {checkpoints}")
    ledger = run_dir / "ledgers" / f"{role}.json" if run_dir else None
    try:
        clocks = restore(checkpoints, trainer, mark, ledger)
    except CheckpointError as fault:
        raise RunFileError(str(fault)) from fault
    intake = Intake(
        agent,
        learner=secrets.randbits(62),
        fingerprint=mark,
        retained=run.retained,
        watermarks=clocks.watermarks if clocks else (),
        counts=clocks.counts if clocks else Counts(),
    )
    archive = Archive(checkpoints, ledger, learning.checkpoint_seconds, learning.checkpoints_kept)
    dims = dims_of(run, shape, experiment, trainer.network.state_size)
    security = SocketSecurity.load(keys, f"learner-{agent}")
    mail = ZmqMail(stop, bind, weights, security, agent)
    learner = Learner(
        mail,
        trainer,
        intake,
        archive,
        dims,
        window=run.window * learning.segments_per_batch(run.segment),
        fill=learning.fill(run.segment, run.lanes),
        budget=own_steps or math.inf,
    )
    addresses = {
        "metrics": serve_metrics(LearnerMetrics(learner), metrics, role),
        "segments": mail.router.endpoint,
        "weights": mail.publisher.endpoint,
    }
    write_process_entry(run_dir, role, addresses)
    log.info("at %d own-steps, version %d, %s", trainer.own_steps, trainer.version, addresses)
    learner.live()
    log.info("stopped at %d own-steps, version %d", trainer.own_steps, trainer.version)
    security.close()
    held.close()


def dims_of(
    run: RunSettings, shape: AgentShape, experiment: ExperimentSettings, state: int
) -> Dims:
    """The dims of an agent's messages, with S floats of recurrent state."""
    role = role_of(experiment, shape.agent, shape.num_agents)
    optional = optional_axes(role, experiment, shape.num_actions)
    return Dims.of(shape, run.games, T=run.segment, S=state, **optional)


def torch_device(name: str) -> torch.device:
    """The device of this name, with what it computes set to float32.

    Raises:
        RunFileError: when there is none.
    """
    try:
        device = torch.device(name)
    except RuntimeError as fault:
        raise RunFileError(f"--device: wanted cpu, cuda or cuda:INDEX, found {name!r}") from fault
    if device.type not in ("cpu", "cuda"):
        raise RunFileError(f"--device: wanted cpu, cuda or cuda:INDEX, found {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise RunFileError(
            f"--device {name}: wanted a CUDA device of this number, "
            f"found {torch.cuda.device_count()} CUDA devices"
        )
    # By TF32, cuDNN's default, an H100's gradients differed from the CPU's by 1e-3, relatively, and
    # log-probabilities by up to 2e-4; by float32 by 7e-7 and 2e-6.
    torch.backends.cudnn.allow_tf32 = False
    return device


if __name__ == "__main__":
    main()
