"""`ssd-learner`: the learner of one agent, as a process."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from ssd_learner.build import RunSections, build_learner, build_trainer, learner_dims, resume
from ssd_learner.device import torch_device
from ssd_learner.links import ZmqLinks
from ssd_learner.metrics import LearnerMetrics
from ssd_wire.endpoints import lock_file
from ssd_wire.process.allocator import keep_freed_memory
from ssd_wire.process.command import (
    WholeNumber,
    configure_logging,
    process_options,
    reports_errors,
    serve_metrics,
    write_process_entry,
)
from ssd_wire.process.health import Health
from ssd_wire.process.stop import Stop
from ssd_wire.security.curve import SocketSecurity


@click.command()
@process_options
@click.option("--agent", required=True, type=click.IntRange(0), help="The agent to train.")
@click.option("--bind", required=True, help="Endpoint that receives segments.")
@click.option("--weights", required=True, help="Endpoint that publishes weights.")
@click.option(
    "--checkpoints",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of this agent's checkpoints. Training resumes from the newest one in it.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:INDEX.")
@click.option("--own-steps", type=WholeNumber(), help="Own-steps to train for; default: no limit.")
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
    sections = RunSections.load(run_file)
    trainer = build_trainer(sections, agent, torch_device(device))
    lock = lock_file(checkpoints / ".lock", f"checkpoint folder {checkpoints}")
    ledger = run_dir / "ledgers" / f"{role}.json" if run_dir else None
    receiver, checkpointer = resume(sections, trainer, checkpoints, ledger)
    security = SocketSecurity.load(keys, role)
    dims = learner_dims(sections, trainer)
    links = ZmqLinks(stop, bind, weights, security, agent, dims)
    learner = build_learner(sections, links, trainer, receiver, checkpointer, own_steps)
    health = Health(
        lambda: links.poller.waited_at, lambda: trainer.version, lambda: receiver.complete
    )
    collector = LearnerMetrics(learner, security, [links.router.guard, links.publisher.guard])
    addresses = {
        "metrics": serve_metrics(collector, metrics, role, health),
        "segments": links.router.endpoint,
        "weights": links.publisher.endpoint,
    }
    write_process_entry(run_dir, role, addresses)
    log.info("at %d own-steps, version %d, %s", trainer.own_steps, trainer.version, addresses)
    learner.run()
    log.info("stopped at %d own-steps, version %d", trainer.own_steps, trainer.version)
    security.close()
    lock.close()


if __name__ == "__main__":
    main()
