"""What probes are told: a process that hangs is to be restarted, one without work is not ready."""

import http.client
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry

from ssd_wire.process.health import HANG_SECONDS, PROGRESS_SECONDS, Health
from ssd_wire.process.metrics_server import MetricsServer


class Process:
    """Times and counts that a test sets."""

    def __init__(self):
        self.now = 1000.0
        self.looped_at = self.now
        self.work = 0
        self.finished = False
        self.health = Health(
            lambda: self.looped_at, lambda: self.work, lambda: self.finished, lambda: self.now
        )

    def later(self, seconds):
        """Time passes, and the main loop goes on."""
        self.now += seconds
        self.looped_at = self.now
        return self


@pytest.fixture
def process():
    return Process()


def test_a_process_whose_loop_runs_is_alive_also_without_work(process):
    assert process.later(10 * PROGRESS_SECONDS).health.fault("/healthz") is None


def test_a_process_whose_loop_does_not_run_is_to_be_restarted(process):
    process.now += HANG_SECONDS
    assert process.health.fault("/healthz") == "the main loop has not run for 60 seconds"
    assert process.health.fault("/readyz") is not None


def test_a_process_is_ready_once_it_has_worked_and_while_it_goes_on(process):
    assert process.health.fault("/readyz") == "no work was done in the last 120 seconds"
    for _ in range(3):
        process.work += 1
        assert process.later(PROGRESS_SECONDS).health.fault("/readyz") is None
    assert process.later(PROGRESS_SECONDS - 1).health.fault("/readyz") is None
    assert process.later(1).health.fault("/readyz") is not None


def test_a_process_that_has_finished_its_work_is_ready(process):
    process.finished = True
    assert process.later(10 * PROGRESS_SECONDS).health.fault("/readyz") is None


def status(port, path):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=3)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_probes_are_answered_at_the_port_of_the_metrics(process):
    server = MetricsServer("127.0.0.1", 0, CollectorRegistry(), process.health)
    server.start()
    try:
        assert status(server.server_port, "/healthz") == (200, "ok\n")
        assert status(server.server_port, "/readyz")[0] == 503
        process.work = 1
        assert status(server.server_port, "/readyz") == (200, "ok\n")
    finally:
        server.shutdown()
        server.server_close()
