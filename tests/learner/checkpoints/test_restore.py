"""Resuming from checkpoints, also when the newest one is damaged or missing."""

import errno
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.learner.segments.receiving import hello, send, train

from ssd_learner.checkpoints.checkpoint_file import (
    CheckpointError,
    TrainingProgress,
    newest_checkpoint,
    write_checkpoint,
)
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.checkpoints.restore import restore
from ssd_learner.segments.epochs import SegmentCounts, Watermark
from ssd_learner.segments.receiver import SegmentReceiver

PROGRESS = TrainingProgress(
    agent=1,
    fingerprint="this run",
    own_steps=640,
    version=3,
    counts=SegmentCounts(received=7, trained=6, surplus=1, duplicate=4),
    watermarks=(Watermark(0, 2**62 - 1, 4, 1, False), Watermark(1, 17, 3, 0, True)),
)


def write(folder, trainer, keep=9, **change):
    return write_checkpoint(folder, replace(PROGRESS, **change), trainer.state(), keep)


def damage(path):
    path.write_bytes(path.read_bytes()[:-1])


def receiver_of(*known):
    return SegmentReceiver(1, 99, "this run", 100, *known)


@pytest.fixture
def write_ledger(tmp_path, make_trainer):
    """Writes the ledger of a checkpoint with these watermarks; the checkpoint itself is lost."""

    def write(own_steps, *watermarks):
        counts = SegmentCounts(
            trained=sum(mark.consumed - mark.surplus - mark.given_up for mark in watermarks),
            surplus=sum(mark.surplus for mark in watermarks),
            given_up=sum(mark.given_up for mark in watermarks),
        )
        trainer, ledger, lost = make_trainer(), tmp_path / "learner-1.json", tmp_path / "lost"
        trainer.own_steps = own_steps
        lost.mkdir()
        Checkpointer(lost, ledger, 10.0, 1).save(trainer, receiver_of(watermarks, counts))
        return ledger

    return write


def test_without_checkpoints_training_starts_from_scratch(tmp_path, make_trainer):
    assert restore(tmp_path, make_trainer(), "this run") is None


def test_a_trainer_continues_from_the_newest_checkpoint(tmp_path, make_trainer):
    older = make_trainer(seed=8)
    for version in (3, 4):
        write(tmp_path, older, version=version)
    trainer = make_trainer()
    assert restore(tmp_path, trainer, "this run") == replace(PROGRESS, version=4)
    assert (trainer.own_steps, trainer.version) == (640, 4)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"fingerprint": "another run"}, "wanted fingerprint this run, found another run"),
        ({"agent": 2}, "wanted agent 1, found 2"),
    ],
    ids=["another run", "another agent"],
)
def test_a_checkpoint_of_another_run_or_agent_is_refused(tmp_path, make_trainer, change, wanted):
    path = write(tmp_path, make_trainer(), **change)
    with pytest.raises(CheckpointError, match=wanted):
        restore(tmp_path, make_trainer(), "this run")
    assert path.exists()


def without(name):
    return lambda tensors: {n: t for n, t in tensors.items() if n != name}


def other_shape(name):
    return lambda tensors: tensors | {name: torch.zeros(2, 3)}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (without("weights/policy.value.bias"), r"value\.bias: wanted shape \(1,\), found none"),
        (other_shape("weights/policy.value.bias"), r"wanted shape \(1,\), found \(2, 3\)"),
        (other_shape("adam/policy.value.bias/exp_avg"), r"wanted shape \(1,\), found \(2, 3\)"),
        (other_shape("adam/policy.value.bias/exp"), r"wanted shape none, found \(2, 3\)"),
        (without("adam/policy.value.bias/step"), r"step: wanted shape \(\), found none"),
        (without("random"), "random: wanted shape"),
    ],
    ids=["a weight", "its shape", "a moment's shape", "a stray moment", "a step", "random state"],
)
def test_a_checkpoint_of_other_tensors_is_refused_by_the_name_of_one(
    tmp_path, make_trainer, change, fault
):
    trainer = make_trainer(optimizer="adam")
    for parameter in trainer.network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trainer.optimizer.step()
    path = write_checkpoint(tmp_path, PROGRESS, change(trainer.state()), keep=1)
    with pytest.raises(CheckpointError, match=f"{path}: does not fit this network: .*{fault}"):
        restore(tmp_path, make_trainer(optimizer="adam"), "this run")


def test_a_damaged_newest_checkpoint_is_renamed_and_the_one_before_it_is_used(
    tmp_path, make_trainer, write_ledger, caplog
):
    older = make_trainer(seed=8)
    write(tmp_path, older)
    newest = write(tmp_path, make_trainer(seed=9), version=4, own_steps=960)
    damage(newest)
    ledger = write_ledger(960, Watermark(0, 2**62 - 1, 6, 1, False), Watermark(1, 17, 3, 0, True))

    trainer = make_trainer()
    with caplog.at_level(logging.ERROR):
        progress = restore(tmp_path, trainer, "this run", ledger)

    weights = zip(trainer.tensors().values(), older.tensors().values(), strict=True)
    assert all((ours == theirs).all() for ours, theirs in weights)
    assert (progress.version, progress.own_steps) == (3, 640)
    assert str(newest) in caplog.text
    assert "320 own-steps and 2 segments of training are lost" in caplog.text
    assert not newest.exists()
    assert newest.with_name(newest.name + ".damaged").exists()


@pytest.mark.parametrize(
    "code", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES], ids=errno.errorcode.get
)
def test_a_checkpoint_that_cannot_be_read_now_is_not_damaged(
    tmp_path, make_trainer, monkeypatch, code
):
    write(tmp_path, make_trainer())
    newest = write(tmp_path, make_trainer(), version=4)

    def fail(_):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", fail)
        with pytest.raises(OSError, match=f"cannot be read: .*{newest}") as caught:
            restore(tmp_path, make_trainer(), "this run")
    assert caught.value.errno == code
    assert restore(tmp_path, make_trainer(), "this run") == replace(PROGRESS, version=4)


def test_epochs_continue_after_the_last_segment_acknowledged_as_durable(
    tmp_path, make_trainer, write_ledger
):
    write(tmp_path, make_trainer())
    damage(write(tmp_path, make_trainer(), version=4))
    ledger = write_ledger(
        960,
        Watermark(0, 2**62 - 1, 6, 1, True),
        Watermark(1, 17, 3, 0, True),
        Watermark(0, 5, 2, 0, False),
    )

    progress = restore(tmp_path, make_trainer(), "this run", ledger)

    assert progress.watermarks == (
        Watermark(0, 2**62 - 1, consumed=6, surplus=1, retired=True, given_up=2),
        Watermark(1, 17, consumed=3, surplus=0, retired=True, given_up=0),
        Watermark(0, 5, consumed=2, surplus=0, retired=False, given_up=2),
    )
    assert progress.counts == replace(PROGRESS.counts, given_up=4)


def test_segments_stay_given_up_if_the_learner_is_killed_before_its_next_checkpoint(
    tmp_path, make_trainer, write_ledger
):
    write(tmp_path, make_trainer())
    damage(write(tmp_path, make_trainer(), version=4))
    ledger = write_ledger(960, Watermark(0, 2**62 - 1, 6, 1, True), Watermark(1, 17, 3, 0, True))

    once = restore(tmp_path, make_trainer(), "this run", ledger)
    again = restore(tmp_path, make_trainer(), "this run", ledger)

    assert once.counts.given_up == 2
    assert again == once


class RunningLearner:
    """A learner without training: what it restores, receives and writes."""

    def __init__(self, folder, trainer):
        self.folder, self.trainer, ledger = folder, trainer, folder / "learner-1.json"
        restored = restore(folder, trainer, "this run", ledger)
        known = restored or replace(PROGRESS, watermarks=(), counts=SegmentCounts())
        self.receiver = receiver_of(known.watermarks, known.counts, known.forgotten)
        self.checkpointer = Checkpointer(folder, ledger, 10.0, 9)

    @property
    def epoch(self):
        return hello(self.receiver)

    def write_checkpoint_after(self, segments):
        """Train on so many segments more, and write a checkpoint and the ledger."""
        for _ in range(segments):
            send(self.receiver, self.epoch.received + 1)
        train(self.receiver)
        self.trainer.version += 1
        self.trainer.own_steps += segments
        self.checkpointer.save(self.trainer, self.receiver)
        return newest_checkpoint(self.folder)


def test_a_second_loss_is_known_too_if_the_learner_is_killed_before_its_next_checkpoint(
    tmp_path, make_trainer
):
    durable = given_up = 0
    for kept, lost in ((2, 3), (1, 2)):
        learner = RunningLearner(tmp_path, make_trainer())
        learner.write_checkpoint_after(kept)
        damage(learner.write_checkpoint_after(lost))
        durable, given_up = durable + kept + lost, given_up + lost
        for _ in range(2):  # the first is killed before it writes a checkpoint
            learner = RunningLearner(tmp_path, make_trainer())
            assert learner.epoch.durable == durable
            assert learner.epoch.given_up == learner.receiver.counts.given_up == given_up


def test_an_older_ledger_changes_nothing(tmp_path, make_trainer, write_ledger):
    write(tmp_path, make_trainer())
    ledger = write_ledger(320, Watermark(0, 2**62 - 1, 3, 1, False), Watermark(1, 17, 1, 0, False))
    assert restore(tmp_path, make_trainer(), "this run", ledger) == PROGRESS


def ledger_with(**change):
    epoch = {"arena": 0, "epoch": 17, "durable": 3, "retired": False}
    return {"own_steps": 960, "segments": {"trained": 3}, "epochs": [epoch]} | change


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([1, 2], r"found \[1, 2\]: "),
        ({"segments": {}, "epochs": []}, "in own_steps: Field required"),
        (ledger_with(segments=7), "found 7 in segments: "),
        (ledger_with(segments={"trained": "many"}), "found 'many' in segments.trained: "),
        (ledger_with(epochs={"17": 3}), "found {'17': 3} in epochs: "),
        (ledger_with(epochs=[{"arena": 0, "epoch": 17}]), "in epochs.0.durable: Field required"),
        (ledger_with(epochs=[None]), "found None in epochs.0: "),
    ],
    ids=["a list", "no steps", "segments", "a count", "epochs", "an epoch's key", "an epoch"],
)
def test_json_that_is_no_ledger_is_refused_by_its_name_and_what_was_found(
    tmp_path, make_trainer, content, found
):
    write(tmp_path, make_trainer())
    newest = write(tmp_path, make_trainer(), version=4)
    damage(newest)
    ledger = tmp_path / "learner-1.json"
    ledger.write_text(json.dumps(content))
    with pytest.raises(
        CheckpointError, match=f"{ledger}: wanted a ledger of ssd-learner, .*{found}"
    ):
        restore(tmp_path, make_trainer(), "this run", ledger)
    assert newest.exists()


@pytest.mark.parametrize("content", [None, b"", b"\0\0\0\0", b'{"own_steps": 96'])
def test_a_ledger_that_is_missing_or_torn_by_a_crash_of_the_machine_is_not_needed(
    tmp_path, make_trainer, content
):
    write(tmp_path, make_trainer())
    ledger = tmp_path / "learner-1.json"
    if content is not None:
        ledger.write_bytes(content)
    assert restore(tmp_path, make_trainer(), "this run", ledger) == PROGRESS


def test_a_ledger_that_cannot_be_read_now_is_an_error(tmp_path, make_trainer):
    write(tmp_path, make_trainer())
    folder = tmp_path / "learner-1.json"
    folder.mkdir()
    with pytest.raises(OSError, match=f"cannot be read: .*{folder}"):
        restore(tmp_path, make_trainer(), "this run", folder)


def test_if_all_checkpoints_are_damaged_the_start_is_refused_and_the_files_stay(
    tmp_path, make_trainer
):
    paths = [write(tmp_path, make_trainer(), version=version) for version in (3, 4)]
    for path in paths:
        damage(path)
    with pytest.raises(CheckpointError, match="all checkpoints are damaged"):
        restore(tmp_path, make_trainer(), "this run")
    assert all(path.exists() for path in paths)


def test_a_missing_checkpoint_of_a_trained_agent_is_refused_with_advice(
    tmp_path, make_trainer, write_ledger
):
    ledger = write_ledger(960)
    with pytest.raises(CheckpointError, match=rf"960 own-steps were trained.*delete {ledger}"):
        restore(tmp_path, make_trainer(), "this run", ledger)


def test_an_untrained_agent_needs_no_checkpoint(tmp_path, make_trainer, write_ledger):
    assert restore(tmp_path, make_trainer(), "this run", write_ledger(0)) is None


def test_temporary_files_of_a_killed_learner_are_removed(tmp_path, make_trainer):
    (tmp_path / ".update-000000000004.safetensors.tmp").write_bytes(b"half")
    restore(tmp_path, make_trainer(), "this run")
    assert list(tmp_path.iterdir()) == []
