"""Reads the Prometheus metrics of the processes over HTTP.

A stopped process accepts a connection and never answers, so requests are made in a separate thread,
with short time-outs. The launcher reads the latest answers.
"""

from __future__ import annotations

import http.client
import json
import math
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

PERIOD = 1.0  # seconds between rounds
TIMEOUT = 1.0  # seconds that a process has to answer
UNRESPONSIVE_SECONDS = 5.0  # seconds without an answer after which a process is reported
LARGEST_ANSWER = 1 << 20

Metrics = Mapping[str, float]  # "name", or "name{label=value}" → finite number


def parse(text: str) -> dict[str, float]:
    """The finite samples in a Prometheus text.

    Raises:
        ValueError: when it is not valid.
    """
    return {
        _key(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if math.isfinite(sample.value)
    }


def _key(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name


def fetch(address: str, timeout: float = TIMEOUT) -> dict[str, float]:
    """Read the metrics of one process.

    Raises:
        OSError: when it does not answer in time, or not properly.
        ValueError: when the answer holds no metrics.
    """
    return parse(fetch_text(address, timeout))


def fetch_text(address: str, timeout: float = TIMEOUT) -> str:
    """The same as text.

    Raises:
        OSError: when it does not answer in time, or not properly.
    """
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        return response.read(LARGEST_ANSWER).decode()
    except http.client.HTTPException as fault:
        raise OSError(f"{address} does not speak HTTP: {fault!r}") from fault
    finally:
        connection.close()


class Scraper:
    """Reads the metrics of all processes periodically, in a thread.

    Args:
        processes: The folder of the processes' entries, each with the address of its metrics.
    """

    def __init__(self, processes: Path) -> None:
        self._processes = processes
        self._latest: dict[str, Metrics] = {}
        self._answered: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scraper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the current request."""
        self._stopped.set()
        self._thread.join(2 * TIMEOUT)

    def latest(self) -> dict[str, Metrics]:
        """Role → its latest metrics, also of processes that have ended or do not answer."""
        return dict(self._latest)

    def unresponsive(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Those of these roles that have not answered for a while, or never."""
        long_ago = time.monotonic() - UNRESPONSIVE_SECONDS
        return tuple(role for role in roles if self._answered.get(role, -math.inf) < long_ago)

    def scrape(self) -> None:
        """Read the metrics of all processes once."""
        for entry in sorted(self._processes.glob("*.json")):
            if self._stopped.is_set():
                return
            try:
                known = json.loads(entry.read_text())
                self._latest[known["role"]] = fetch(known["metrics"])
                self._answered[known["role"]] = time.monotonic()
            except (OSError, ValueError, KeyError, TypeError):
                continue  # still starting, stopped, or just ended: the supervisor knows

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            self.scrape()
            self._stopped.wait(max(0.1, PERIOD - (time.monotonic() - began)))
