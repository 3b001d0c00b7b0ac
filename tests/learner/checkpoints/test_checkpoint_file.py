"""Checkpoint files are written atomically, and what was damaged is never loaded."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from ssd_learner.checkpoints import checkpoint_file
from ssd_learner.checkpoints.checkpoint_file import (
    CheckpointError,
    DamagedCheckpointError,
    TrainingProgress,
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from ssd_learner.segments.epochs import ForgottenEpochs, SegmentCounts, Watermark

PROGRESS = TrainingProgress(
    agent=1,
    fingerprint="this run",
    own_steps=640,
    version=3,
    counts=SegmentCounts(received=7, trained=6, surplus=1, duplicate=4),
    watermarks=(Watermark(0, 2**62 - 1, 4, 1, False), Watermark(1, 17, 3, 0, True)),
    forgotten=ForgottenEpochs(epochs=2, trained=5),
)


def write(folder, version=3, value=1.0, keep=2):
    tensors = {"weights/a": torch.full((2, 3), value)}
    return write_checkpoint(folder, replace(PROGRESS, version=version), tensors, keep)


def test_reading_a_checkpoint_gives_what_was_written(tmp_path):
    tensors = {
        "weights/a": torch.randn(2, 3),
        "adam/a/step": torch.tensor(3.0),
        "random": torch.get_rng_state(),
    }
    progress, found = read_checkpoint(write_checkpoint(tmp_path, PROGRESS, tensors, keep=1))
    assert progress == PROGRESS
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_a_folder_without_checkpoints_has_no_newest(tmp_path):
    (tmp_path / ".lock").touch()
    assert newest_checkpoint(tmp_path) is None


def test_the_newest_has_the_most_updates_and_only_so_many_are_kept(tmp_path):
    paths = [write(tmp_path, version, keep=3) for version in (9, 10, 99, 100, 101)]
    assert newest_checkpoint(tmp_path) == paths[-1]
    assert sorted(tmp_path.iterdir()) == paths[-3:]


def test_a_second_checkpoint_of_an_update_replaces_the_first(tmp_path):
    write(tmp_path, value=1.0)
    path = write(tmp_path, value=2.0)
    assert read_checkpoint(path)[1]["weights/a"].eq(2.0).all()
    assert len(list(tmp_path.iterdir())) == 1


class KilledError(Exception):
    """The process is killed at this moment."""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_process_killed_while_writing_leaves_the_previous_checkpoint_intact(
    tmp_path, monkeypatch, moment
):
    previous = write(tmp_path, version=3, value=1.0)

    def kill(*_):
        raise KilledError

    module = os if moment == "fsync" else Path
    monkeypatch.setattr(module, moment, kill)
    with pytest.raises(KilledError):
        write(tmp_path, version=4, value=2.0, keep=1)
    assert newest_checkpoint(tmp_path) == previous
    assert read_checkpoint(previous)[1]["weights/a"].eq(1.0).all()


def test_the_content_is_synced_before_the_file_is_renamed(tmp_path, monkeypatch):
    calls = []
    real_fsync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("fsync"), real_fsync(file)))
    monkeypatch.setattr(
        Path, "replace", lambda path, to: (calls.append("replace"), real_replace(path, to))[1]
    )
    write(tmp_path)
    assert calls == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_an_incomplete_temporary_file_is_ignored_and_overwritten(tmp_path):
    previous = write(tmp_path, version=3)
    whole = previous.read_bytes()
    (tmp_path / ".update-000000000004.safetensors.tmp").write_bytes(whole[: len(whole) // 2])
    assert newest_checkpoint(tmp_path) == previous
    path = write(tmp_path, version=4)
    assert newest_checkpoint(tmp_path) == path
    assert read_checkpoint(path)[0].version == 4


@pytest.mark.parametrize("length", [0, 1, 7, 8, 40, 400, -1], ids=lambda n: f"{n} bytes")
def test_a_truncated_checkpoint_is_refused_by_name(tmp_path, length):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=str(path)):
        read_checkpoint(path)


def test_every_flipped_bit_is_detected(tmp_path):
    path = write(tmp_path)
    content = path.read_bytes()
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(DamagedCheckpointError, match=str(path)):
            read_checkpoint(path)
    path.write_bytes(content)
    assert read_checkpoint(path)[0] == PROGRESS


def test_an_older_format_is_refused_by_name_and_is_no_damage(tmp_path):
    path = tmp_path / "update-000000000001.safetensors"
    path.write_bytes(save({"weights/a": torch.ones(2)}, {"format": "1", "clocks": "{}"}))
    with pytest.raises(CheckpointError, match="wanted checkpoint format 3, found 1") as caught:
        read_checkpoint(path)
    assert not isinstance(caught.value, DamagedCheckpointError)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_tensors_that_are_not_finite_are_never_written(tmp_path, number):
    with pytest.raises(ArithmeticError, match="update 3: weights/a is not finite"):
        write(tmp_path, value=number)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_with_tensors_that_are_not_finite_is_refused(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_file, "_is_finite", lambda _: True)
        path = write(tmp_path, value=float("nan"))
    with pytest.raises(DamagedCheckpointError, match="weights/a: wanted finite numbers"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "change",
    [
        {"own_steps": -1},
        {"version": -1},
        {"counts": SegmentCounts(trained=-1)},
        {"watermarks": (Watermark(0, 1, -1, 0, False),)},
        {"forgotten": ForgottenEpochs(epochs=-1)},
    ],
    ids=["own-steps", "version", "counts", "watermark", "forgotten"],
)
def test_no_count_is_negative(change):
    with pytest.raises(ValueError, match="wanted at least 0, found"):
        replace(PROGRESS, **change)


def test_a_pickle_is_refused_without_loading_it(tmp_path):
    path = tmp_path / "update-000000000001.safetensors"
    torch.save({"weights/a": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="not a complete checkpoint"):
        read_checkpoint(path)
