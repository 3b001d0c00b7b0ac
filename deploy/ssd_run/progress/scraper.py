"""What the processes say of themselves: their Prometheus metrics, read over HTTP.

A stopped process accepts a connection and never answers, so all asking is done in a thread of its
own, with short time-outs. The launcher reads what was latest last.
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
TIMEOUT = 1.0  # seconds that a process has for its answer
SILENT = 5.0  # seconds without an answer that the user is told of
LARGEST_ANSWER = 1 << 20

Metrics = Mapping[str, float]  # "name", or "name{label=value}" → finite number


def parse(text: str) -> dict[str, float]:
    """The finite samples in a Prometheus text.

    Raises:
        ValueError: when it is none.
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
    """Ask one process for its metrics.

    Raises:
        OSError: when it does not answer in time, or not properly.
        ValueError: when the answer holds no metrics.
    """
    return parse(fetch_text(address, timeout))


def fetch_text(address: str, timeout: float = TIMEOUT) -> str:
    """The same, as they are served.

    Raises:
        OSError: when it does not answer in time, or not properly.
    """
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        return response.read(LARGEST_ANSWER).decode()
    except http.client.HTTPException as fault:
        raise OSError(f"{address} speaks no HTTP: {fault!r}") from fault
    finally:
        connection.close()


class Scraper:
    """Asks all processes that have announced themselves, over and over, in a thread.

    Args:
        processes: Where they leave their entries, each with the address of its metrics.
    """

    def __init__(self, processes: Path) -> None:
        self._processes = processes
        self._latest: dict[str, Metrics] = {}
        self._when: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="scraper", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; waits for the answer that is awaited now, but no longer."""
        self._over.set()
        self._thread.join(2 * TIMEOUT)

    def latest(self) -> dict[str, Metrics]:
        """What each role said last. One that is gone, or silent, keeps its last word."""
        return dict(self._latest)

    def unresponsive(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Which of these have not answered for a while, or not yet."""
        long_ago = time.monotonic() - SILENT
        return tuple(role for role in roles if self._when.get(role, -math.inf) < long_ago)

    def scrape(self) -> None:
        """Ask everyone once."""
        for entry in sorted(self._processes.glob("*.json")):
            if self._over.is_set():
                return
            try:
                known = json.loads(entry.read_text())
                self._latest[known["role"]] = fetch(known["metrics"])
                self._when[known["role"]] = time.monotonic()
            except (OSError, ValueError, KeyError, TypeError):
                continue  # not up yet, stopped, or just gone: its supervisor knows

    def _work(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            self.scrape()
            self._over.wait(max(0.1, PERIOD - (time.monotonic() - began)))
