"""A learner that receives, checks, collates and acknowledges, and trains nothing.

`python -m ssd_bench.load.ingest` takes the options of `ssd-learner` and is one but for two things:
an update drops its batch, and no weights are published. So the way in is measured alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from ssd_bench.load.segments import cast
from ssd_envs.spec import game_spec
from ssd_influence.network import AgentShape
from ssd_learner.archive import Archive
from ssd_learner.batch import collate
from ssd_learner.cli import ZmqMail
from ssd_learner.intake import Intake
from ssd_learner.learner import Learner
from ssd_learner.metrics import LearnerMetrics
from ssd_learner.report import Report
from ssd_learner.trainer import Trainer
from ssd_run.plan import validate
from ssd_wire.memory import keep_freed_memory
from ssd_wire.messages import Segment
from ssd_wire.process import announce, log_as, process_options, reports_errors, serve_metrics
from ssd_wire.runfile import fingerprint, load_run_file
from ssd_wire.stop import Stop


class Empty(Trainer):
    """Publishes no weights."""

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """None: an empty frame is published."""
        return {}


def drop(trainer: Trainer, segments: Sequence[Segment], tend: Callable[[], bool]) -> Report:
    """Collate and drop: nothing but the clocks moves."""
    trainer.own_steps += collate(segments, trainer.device).steps
    trainer.version += 1
    tend()
    return Report()


@click.command()
@process_options
@click.option("--agent", required=True, type=click.IntRange(0), help="Whose segments to take.")
@click.option("--bind", required=True, help="Endpoint that receives segments.")
@click.option("--weights", required=True, help="Endpoint that publishes empty weights.")
@click.option("--checkpoints", required=True, type=click.Path(path_type=Path, file_okay=False))
@reports_errors
def main(
    run_file: Path,
    run_dir: Path | None,
    metrics: str,
    lifeline: int | None,
    agent: int,
    bind: str,
    weights: str,
    checkpoints: Path,
) -> None:
    """Take segments as a learner does, and drop them."""
    stop = Stop(lifeline)
    role = f"learner-{agent}"
    log_as(role)
    torch.set_num_threads(1)
    keep_freed_memory()
    checkpoints.mkdir(parents=True, exist_ok=True)
    plan = validate(load_run_file(run_file))
    spec = game_spec(plan.game)
    shape = AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)
    cpu = torch.device("cpu")
    trainer = Empty(shape, plan.network, plan.experiment, plan.learning, cpu, plan.run.seed)
    mark = fingerprint(plan.run, plan.game, plan.experiment, plan.network)
    intake = Intake(agent, secrets.randbits(62), mark, plan.run.retained)
    ledger = run_dir / "ledgers" / f"{role}.json" if run_dir else None
    learning = plan.learning
    archive = Archive(checkpoints, ledger, learning.checkpoint_seconds, learning.checkpoints_kept)
    mail = ZmqMail(stop, bind, weights)
    sizes = cast(plan, agent).sizes
    learner = Learner(mail, trainer, intake, archive, sizes, plan.run.window, train=drop)
    addresses = {
        "metrics": serve_metrics(LearnerMetrics(learner), metrics),
        "segments": mail.router.endpoint,
        "weights": mail.publisher.endpoint,
    }
    announce(run_dir, role, addresses)
    learner.live()


if __name__ == "__main__":
    main()
