"""The file of addresses that `ssd-train` keeps for Prometheus."""

import errno
import json

import pytest

from ssd_run.reporting import scrape_targets
from ssd_run.reporting.scrape_targets import ScrapeTargets
from ssd_wire.process.command import write_process_entry


@pytest.fixture
def path(tmp_path):
    return tmp_path / "prometheus.json"


@pytest.fixture
def targets(tmp_path, path):
    return ScrapeTargets("my-run", tmp_path / "processes", [path])


@pytest.fixture
def start(tmp_path):
    """A process of a role announces the port of its metrics."""
    return lambda role, port: write_process_entry(
        tmp_path, role, {"metrics": f"127.0.0.1:{port}", "env": "ipc:///elsewhere"}
    )


def read(path):
    return [(*one["targets"], one["labels"]) for one in json.loads(path.read_text())]


def test_each_running_process_is_a_target_with_the_labels_that_it_has(targets, start, path):
    for port, role in enumerate(("learner-1", "env-0", "actor-0-1")):
        start(role, 9000 + port)
    targets.update(["learner-1", "env-0", "actor-0-1"])
    run = {"run": "my-run"}
    actor = {"role": "actor", "arena": "0", "agent": "1"}
    assert read(path) == [
        ("127.0.0.1:9000", run | {"instance": "learner-1", "role": "learner", "agent": "1"}),
        ("127.0.0.1:9001", run | {"instance": "env-0", "role": "env", "arena": "0"}),
        ("127.0.0.1:9002", run | {"instance": "actor-0-1"} | actor),
    ]


def test_a_restarted_process_keeps_its_labels_at_its_new_address(targets, start, path):
    start("learner-1", 9000)
    targets.update(["learner-1"])
    ((_, before),) = read(path)
    targets.update([])
    assert read(path) == []
    start("learner-1", 9005)
    targets.update(["learner-1"])
    assert read(path) == [("127.0.0.1:9005", before)]


def test_a_process_without_a_whole_entry_is_left_out(targets, tmp_path, path):
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "learner-0.json").write_text('{"role": "learner-0"')
    targets.update(["learner-0", "learner-1"])
    assert read(path) == []


def test_the_file_is_replaced_only_when_it_changes(targets, start, path):
    start("env-0", 9000)
    targets.update(["env-0"])
    first = path.stat().st_ino
    targets.update(["env-0"])
    assert path.stat().st_ino == first
    start("env-0", 9001)
    targets.update(["env-0"])
    assert path.stat().st_ino != first


def test_on_a_full_disk_the_old_file_stays_and_the_new_one_is_written_once_there_is_space(
    targets, start, path, monkeypatch
):
    targets.update([])
    start("env-0", 9000)

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(scrape_targets, "write_atomically", fail)
        targets.update(["env-0"])
    assert targets.fault.errno == errno.ENOSPC
    assert read(path) == []
    targets.update(["env-0"])
    assert targets.fault is None
    assert len(read(path)) == 1


def test_a_copy_is_kept_elsewhere_and_both_are_removed_at_the_end(tmp_path, start, path):
    copy = tmp_path / "elsewhere" / "my-run.json"
    targets = ScrapeTargets("my-run", tmp_path / "processes", [path, copy])
    start("env-0", 9000)
    targets.update(["env-0"])
    assert copy.read_text() == path.read_text()
    targets.remove()
    assert not copy.exists()
    assert not path.exists()
    assert list(copy.parent.iterdir()) == []
