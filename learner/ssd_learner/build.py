"""Builds a learner from its run file and its checkpoints."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from pathlib import Path

import torch

from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.networks.agent_network import network_class
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.roles import optional_axes, role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.checkpoints.checkpoint_file import CheckpointError
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.checkpoints.restore import restore
from ssd_learner.learner import Learner, Links
from ssd_learner.segments.epochs import ForgottenEpochs, SegmentCounts
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.settings import LearningSettings
from ssd_learner.trainer import Trainer
from ssd_wire.dims import Dims
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import (
    RunSettings,
    errors_in_section,
    fingerprint,
    load_complete_run_file,
    section,
)


@dataclass(frozen=True)
class RunSections:
    """The sections of the run file that a learner reads."""

    run: RunSettings
    game: GameSettings
    experiment: ExperimentSettings
    network: NetworkSettings
    learning: LearningSettings

    @classmethod
    def load(cls, run_file: Path) -> RunSections:
        """Read and validate them.

        Raises:
            RunFileError: the file or one of its sections is unusable.
        """
        sections = load_complete_run_file(run_file)
        found = cls(
            run=section(sections, "run", RunSettings),
            game=section(sections, "game", GameSettings),
            experiment=section(sections, "experiment", ExperimentSettings),
            network=section(sections, "network", NetworkSettings, network_class),
            learning=section(sections, "learning", LearningSettings),
        )
        if (conflict := found.learning.conflict(found.run)) is not None:
            raise RunFileError(f"[learning] {conflict}")
        return found

    def fingerprint(self) -> str:
        """The fingerprint of the run."""
        return fingerprint(self.run, self.game, self.experiment, self.network)


def build_trainer(sections: RunSections, agent: int, device: torch.device) -> Trainer:
    """An untrained agent.

    Raises:
        RunFileError: the game has no such agent, or the experiment does not fit it; or a
            deterministic run is not trained on the CPU.
    """
    if sections.run.deterministic and device.type != "cpu":
        raise RunFileError(f"a deterministic run: wanted --device cpu, found {device}")
    spec = game_spec(sections.game)
    if agent >= spec.num_agents:
        raise RunFileError(f"wanted an agent of 0 to {spec.num_agents - 1}, found {agent}")
    shape = AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)
    settings = sections.network, sections.experiment, sections.learning
    with errors_in_section("experiment"):
        return Trainer(shape, *settings, device, sections.run.seed)


def resume(
    sections: RunSections, trainer: Trainer, checkpoints: Path, ledger: Path | None
) -> tuple[SegmentReceiver, Checkpointer]:
    """Restore a trainer from its checkpoints, if there are any.

    Args:
        sections: Of the run file.
        trainer: Is changed.
        checkpoints: Folder of the agent's checkpoints.
        ledger: File for the account of segments, if one is kept.

    Raises:
        RunFileError: a checkpoint is unusable.
        OSError: a file cannot be read now.
    """
    learning, run_fingerprint = sections.learning, sections.fingerprint()
    try:
        progress = restore(checkpoints, trainer, run_fingerprint, ledger)
    except CheckpointError as fault:
        raise RunFileError(str(fault)) from fault
    receiver = SegmentReceiver(
        trainer.shape.agent,
        learner_incarnation=secrets.randbits(62),
        fingerprint=run_fingerprint,
        retained=sections.run.retained,
        watermarks=progress.watermarks if progress else (),
        counts=progress.counts if progress else SegmentCounts(),
        forgotten=progress.forgotten if progress else ForgottenEpochs(),
        deterministic=sections.run.deterministic,
    )
    times = learning.checkpoint_seconds, learning.checkpoints_kept
    checkpointer = Checkpointer(checkpoints, ledger, *times)
    checkpointer.durable_own_steps = trainer.own_steps
    return receiver, checkpointer


def build_learner(
    sections: RunSections,
    links: Links,
    trainer: Trainer,
    receiver: SegmentReceiver,
    checkpointer: Checkpointer,
    own_steps: int | None,
) -> Learner:
    """A learner over these links, that trains for so many own-steps; None for no limit."""
    run, learning = sections.run, sections.learning
    window = run.window * learning.segments_per_batch(run.segment)
    batch_threshold = learning.batch_threshold(run.segment, run.lanes)
    wait_for_arenas = learning.wait_for_arenas and learning.algorithm == "ppo"
    if run.deterministic:  # one batch at a time, each of the same size, and of one arena
        window = learning.segments_per_batch(run.segment)
        batch_threshold = window * run.lanes
        wait_for_arenas = False
    return Learner(
        links,
        trainer,
        receiver,
        checkpointer,
        learner_dims(sections, trainer),
        window=window,
        batch_threshold=batch_threshold,
        budget=own_steps or math.inf,
        deterministic=run.deterministic,
        wait_for_arenas=wait_for_arenas,
    )


def learner_dims(sections: RunSections, trainer: Trainer) -> Dims:
    """The dims of the messages between a trainer's learner and its actors."""
    state_size = trainer.network.state_size
    return dims_of(sections.run, trainer.shape, sections.experiment, state_size)


def dims_of(
    run: RunSettings, shape: AgentShape, experiment: ExperimentSettings, state: int
) -> Dims:
    """The dims of an agent's messages, with S floats of recurrent state."""
    role = role_of(experiment, shape.agent, shape.num_agents)
    optional = optional_axes(role, experiment, shape.num_actions)
    return Dims.of(shape, run.games, T=run.segment, S=state, **optional)
