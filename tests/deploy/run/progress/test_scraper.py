import json
import socket
import time

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from ssd_run.progress.scraper import Scraper, fetch, parse
from ssd_wire.process.command import serve_metrics


class Learner:
    """A fake collector of a learner."""

    updates = 3

    def collect(self):
        yield CounterMetricFamily("ssd_learner_updates", "Updates.", self.updates)
        yield GaugeMetricFamily("ssd_learner_beta", "Not known yet.", float("nan"))
        waiting = CounterMetricFamily("ssd_actor_waiting_seconds", "Waiting.", labels=["for"])
        waiting.add_metric(["env"], 1.5)
        yield waiting


def announce(folder, role, address):
    (folder / f"{role}.json").write_text(json.dumps({"role": role, "pid": 1, "metrics": address}))


@pytest.fixture
def stopped_process():
    """A stopped process: its socket accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_metrics_are_read_by_name_and_label_without_nan():
    found = fetch(serve_metrics(Learner(), "127.0.0.1:0", "learner-0"))
    assert found["ssd_learner_updates_total"] == 3
    assert found["ssd_actor_waiting_seconds_total{for=env}"] == 1.5
    assert "ssd_learner_beta" not in found


def test_an_answer_that_is_not_metrics_is_refused():
    with pytest.raises(ValueError, match="invalid metric name"):
        parse("<html>")


def test_reading_a_stopped_process_ends_with_a_timeout(stopped_process):
    began = time.monotonic()
    with pytest.raises(OSError, match="timed out"):
        fetch(stopped_process, timeout=0.2)
    assert time.monotonic() - began < 5


def test_a_stopped_process_does_not_block_reading_the_others(tmp_path, stopped_process):
    announce(tmp_path, "actor-0-0", stopped_process)
    announce(tmp_path, "learner-0", serve_metrics(Learner(), "127.0.0.1:0", "learner-0"))
    scraper = Scraper(tmp_path)
    scraper.scrape()
    assert scraper.latest()["learner-0"]["ssd_learner_updates_total"] == 3
    assert scraper.unresponsive(["actor-0-0", "learner-0"]) == ("actor-0-0",)


def test_the_latest_metrics_of_a_process_that_has_ended_are_kept(tmp_path):
    address = serve_metrics(Learner(), "127.0.0.1:0", "learner-0")
    announce(tmp_path, "learner-0", address)
    scraper = Scraper(tmp_path)
    scraper.scrape()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    announce(tmp_path, "learner-0", f"127.0.0.1:{port}")
    scraper.scrape()
    assert scraper.latest()["learner-0"]["ssd_learner_updates_total"] == 3


@pytest.mark.parametrize("entry", ["", "{", "[]", '{"role": "env-0"}', '{"metrics": "x"}'])
def test_a_half_written_entry_is_ignored(tmp_path, entry):
    (tmp_path / "env-0.json").write_text(entry)
    scraper = Scraper(tmp_path)
    scraper.scrape()
    assert scraper.latest() == {}


def test_the_scraper_reads_in_its_thread_until_it_is_stopped(tmp_path):
    announce(tmp_path, "learner-0", serve_metrics(Learner(), "127.0.0.1:0", "learner-0"))
    scraper = Scraper(tmp_path)
    scraper.start()
    deadline = time.monotonic() + 30
    while not scraper.latest():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    scraper.stop()
    assert not scraper._thread.is_alive()
