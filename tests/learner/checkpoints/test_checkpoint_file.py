import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssd_learner.checkpoints.checkpoint_file import (
    CheckpointError,
    Clocks,
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from ssd_learner.checkpoints.checkpointer import restore
from ssd_learner.segments.receiver import Counts, Watermark

CLOCKS = Clocks(
    agent=1,
    fingerprint="this run",
    own_steps=640,
    version=3,
    counts=Counts(received=7, trained=6, surplus=1, duplicate=4),
    watermarks=(Watermark(0, 2**62 - 1, 4, 1, False), Watermark(1, 17, 3, 0, True)),
)


def write(folder, version=3, value=1.0, keep=2):
    tensors = {"weights/a": torch.full((2, 3), value)}
    return write_checkpoint(folder, replace(CLOCKS, version=version), tensors, keep)


def test_a_checkpoint_holds_what_was_put_into_it(tmp_path):
    tensors = {
        "weights/a": torch.randn(2, 3),
        "adam/a/step": torch.tensor(3.0),
        "random": torch.get_rng_state(),
    }
    clocks, found = read_checkpoint(write_checkpoint(tmp_path, CLOCKS, tensors, keep=1))
    assert clocks == CLOCKS
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_a_folder_without_checkpoints_has_no_newest(tmp_path):
    (tmp_path / ".lock").touch()
    assert newest_checkpoint(tmp_path) is None


def test_the_newest_is_the_one_of_most_updates_and_so_many_older_ones_stay(tmp_path):
    paths = [write(tmp_path, version, keep=3) for version in (9, 10, 99, 100, 101)]
    assert newest_checkpoint(tmp_path) == paths[-1]
    assert sorted(tmp_path.iterdir()) == paths[-3:]


def test_a_second_checkpoint_of_an_update_takes_the_place_of_the_first(tmp_path):
    write(tmp_path, value=1.0)
    path = write(tmp_path, value=2.0)
    assert read_checkpoint(path)[1]["weights/a"].eq(2.0).all()
    assert len(list(tmp_path.iterdir())) == 1


class PowerCutError(Exception):
    """The process is gone at this very moment."""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_who_dies_writing_leaves_the_former_checkpoint_the_newest(tmp_path, monkeypatch, moment):
    former = write(tmp_path, version=3, value=1.0)

    def cut_power(*_):
        raise PowerCutError

    where = os if moment == "fsync" else Path
    monkeypatch.setattr(where, moment, cut_power)
    with pytest.raises(PowerCutError):
        write(tmp_path, version=4, value=2.0, keep=1)
    assert newest_checkpoint(tmp_path) == former
    assert read_checkpoint(former)[1]["weights/a"].eq(1.0).all()


def test_the_content_is_on_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    done = []
    real_fsync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("fsync"), real_fsync(file)))
    monkeypatch.setattr(
        Path, "replace", lambda path, to: (done.append("replace"), real_replace(path, to))[1]
    )
    write(tmp_path)
    assert done == ["fsync", "replace", "fsync"]  # the content, the name, the folder


def test_a_draft_cut_short_is_no_checkpoint_and_is_written_over(tmp_path):
    former = write(tmp_path, version=3)
    whole = former.read_bytes()
    (tmp_path / ".update-000000000004.safetensors.draft").write_bytes(whole[: len(whole) // 2])
    assert newest_checkpoint(tmp_path) == former
    path = write(tmp_path, version=4)
    assert newest_checkpoint(tmp_path) == path
    assert read_checkpoint(path)[0].version == 4


@pytest.mark.parametrize("length", [0, 1, 7, 8, 40, 400, -1], ids=lambda n: f"{n} bytes")
def test_a_checkpoint_cut_short_is_refused_by_name(tmp_path, length):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=str(path)):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (b'"format":"1"', b'"format":"2"'),
        (b'"clocks"', b'"cloaks"'),
        (b"own_steps", b"own_stops"),
    ],
    ids=["another format", "no clocks", "no own-steps"],
)
def test_a_checkpoint_of_another_making_is_refused_by_name(tmp_path, there, instead):
    path = write(tmp_path)
    content = path.read_bytes()
    assert there in content
    path.write_bytes(content.replace(there, instead))
    with pytest.raises(CheckpointError, match=str(path)):
        read_checkpoint(path)


def test_a_pickle_is_refused_unread(tmp_path):
    path = tmp_path / "update-000000000001.safetensors"
    torch.save({"weights/a": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        read_checkpoint(path)


def test_a_trainer_starts_afresh_where_there_is_no_checkpoint(tmp_path, make_trainer):
    assert restore(tmp_path, make_trainer(), "this run") is None


def test_a_trainer_goes_on_from_the_newest_checkpoint(tmp_path, make_trainer):
    former = make_trainer(seed=8)
    for version in (3, 4):
        write_checkpoint(tmp_path, replace(CLOCKS, version=version), former.state(), keep=2)
    trainer = make_trainer()
    assert restore(tmp_path, trainer, "this run") == replace(CLOCKS, version=4)
    assert (trainer.own_steps, trainer.version) == (640, 4)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"fingerprint": "another run"}, "wanted fingerprint this run, found another run"),
        ({"agent": 2}, "wanted agent 1, found 2"),
    ],
    ids=["another run", "another agent"],
)
def test_a_checkpoint_of_somebody_else_is_refused(tmp_path, make_trainer, change, wanted):
    trainer = make_trainer()
    write_checkpoint(tmp_path, replace(CLOCKS, **change), trainer.state(), keep=1)
    with pytest.raises(CheckpointError, match=wanted):
        restore(tmp_path, trainer, "this run")


def test_a_damaged_newest_is_refused_and_never_passed_over_for_an_older_one(tmp_path, make_trainer):
    trainer = make_trainer()
    write_checkpoint(tmp_path, CLOCKS, trainer.state(), keep=2)
    newest = write_checkpoint(tmp_path, replace(CLOCKS, version=4), trainer.state(), keep=2)
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=str(newest)):
        restore(tmp_path, trainer, "this run")


def test_another_network_s_checkpoint_is_refused_by_name(tmp_path, make_trainer):
    path = write(tmp_path)
    with pytest.raises(CheckpointError, match=f"{path}: does not fit this network"):
        restore(tmp_path, make_trainer(), "this run")
