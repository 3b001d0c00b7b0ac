"""How a learner behaves while its disk is full."""

import errno
import logging

import pytest
from tests.learner.harness import Harness

from ssd_learner.checkpoints import checkpointer
from ssd_learner.metrics import LearnerMetrics


class Disk:
    """The disk of the checkpoints, which may be full."""

    def __init__(self, monkeypatch):
        self.is_full = False
        self.attempts = 0
        self._write = checkpointer.write_checkpoint
        monkeypatch.setattr(checkpointer, "write_checkpoint", self.write)

    def write(self, *args):
        self.attempts += 1
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._write(*args)


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(batch_segments=2)


@pytest.fixture
def harness(tmp_path, trainer):
    return Harness(tmp_path, trainer)


@pytest.fixture
def message(make_message, trainer):
    return lambda number: make_message(trainer, number)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def is_failing(harness):
    metrics = {m.name: m.samples[0].value for m in LearnerMetrics(harness.learner).collect()}
    return metrics["ssd_learner_checkpoint_failing"]


def test_on_a_full_disk_training_continues_and_segments_become_durable_when_there_is_space(
    harness, message, disk, caplog
):
    failing = []

    def advance_clock():
        harness.now += 11.0
        failing.append(is_failing(harness))
        disk.is_full = len(failing) < 4

    harness.links.on_wait = advance_clock
    with caplog.at_level(logging.INFO, "ssd_learner"):
        links = harness.run([message(0), message(1)], [message(2)], [message(3)], [], [])

    assert links.progress() == [
        (1, 0, 0),
        (1, 1, 0),
        (2, 1, 0),
        (2, 2, 0),
        (3, 2, 0),
        (3, 3, 0),
        (3, 3, 3),
    ]
    assert failing == [False, True, True, True, False, False]
    messages = [record.message for record in caplog.records if "checkpoint" in record.message]
    assert messages == [
        "no checkpoint can be written, training continues: [Errno 28] No space left on device",
        "checkpoints can be written again",
    ]


def test_writing_to_a_full_disk_is_retried_at_most_every_five_seconds(harness, message, disk):
    disk.is_full = True

    def advance_clock():
        harness.now += 1.0
        disk.is_full = harness.now < 40

    harness.links.on_wait = advance_clock
    harness.run([message(0), message(1)], *([] for _ in range(50)))
    assert 5 <= disk.attempts <= 10


def test_a_learner_that_cannot_write_its_last_checkpoint_fails(harness, message, disk):
    disk.is_full = True
    with pytest.raises(OSError, match="No space left on device"):
        harness.run([message(0), message(1)])


def test_a_ledger_that_cannot_be_written_is_written_with_the_next_checkpoint(
    harness, message, monkeypatch
):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def advance_clock():
        harness.now += 11.0
        assert not is_failing(harness)  # the checkpoint itself is written
        if len(harness.links.rounds) == 1:
            monkeypatch.undo()

    monkeypatch.setattr(checkpointer, "write_atomically", fail)
    harness.links.on_wait = advance_clock
    harness.run([message(0), message(1)], [], [message(2)], [])
    assert (harness.folder / "ledger.json").exists()


def test_a_learner_that_cannot_write_its_last_ledger_says_so(harness, message, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpointer, "write_atomically", fail)
    with pytest.raises(OSError, match="No space left on device"):
        harness.run([message(0), message(1)])
    assert harness.links.progress()[-1] == (1, 1, 1)  # it was durable, and acknowledged
