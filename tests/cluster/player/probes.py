"""Probes of a container, asked as kubelet asks them."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

STARTUP, LIVENESS, READINESS = "startupProbe", "livenessProbe", "readinessProbe"
_TICK_SECONDS = 0.1


@dataclass
class Answers:
    """What a probe was answered since the container started.

    Attributes:
        successes, failures: In all.
        failed_in_row: Failures since the last success.
        last: What the last one said.
    """

    successes: int = 0
    failures: int = 0
    failed_in_row: int = 0
    last: str = "not asked"

    def add(self, fault: str | None) -> None:
        """Count one answer; None is a success."""
        self.last = fault or "success"
        if fault is None:
            self.successes += 1
            self.failed_in_row = 0
        else:
            self.failures += 1
            self.failed_in_row += 1


class Probe:
    """One probe as the manifest states it.

    Args:
        spec: With `httpGet`.
        container: Whose ports it may name.
        address: Of the pod.
    """

    def __init__(self, spec: Mapping[str, Any], container: Mapping[str, Any], address: str) -> None:
        port = spec["httpGet"]["port"]
        named = {each["name"]: each["containerPort"] for each in container.get("ports", ())}
        self.url = f"http://{address}:{named.get(port, port)}{spec['httpGet']['path']}"
        self.period = spec.get("periodSeconds", 10)
        self.limit = spec.get("failureThreshold", 3)
        self._timeout = spec.get("timeoutSeconds", 1)

    def fault(self) -> str | None:
        """Ask once: what is wrong, or None."""
        try:
            with urllib.request.urlopen(self.url, timeout=self._timeout):  # noqa: S310 - http only
                return None
        except urllib.error.HTTPError as refusal:
            with refusal:
                return f"{HTTPStatus(refusal.code).phrase}: {refusal.read(200).decode()}"
        except OSError as fault:
            return str(fault)


class ContainerProbes:
    """Asks the probes of one container in a thread, and restarts it as they demand.

    Args:
        container: With its probes.
        address: Of the pod.
        restart: Restarts the container.

    Attributes:
        answers: By probe, such as `livenessProbe`.
        restarts: That the probes have demanded.
        is_ready: Whether the container counts as ready.
        ready_after: Seconds from its first start until it was ready.
    """

    def __init__(
        self, container: Mapping[str, Any], address: str, restart: Callable[[], None]
    ) -> None:
        self._probes = {
            kind: Probe(container[kind], container, address)
            for kind in (STARTUP, LIVENESS, READINESS)
            if kind in container
        }
        self.answers = {kind: Answers() for kind in self._probes}
        self.restarts = 0
        self.is_ready = False
        self.ready_after: float | None = None
        self._started_at = time.monotonic()
        self._restart = restart
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=container["name"], daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = STARTUP not in self._probes or self._ask_until_started()
            if started:
                self._ask_while_alive()
            self.is_ready = False
            if not self._stopping.is_set():
                self.restarts += 1
                self._restart()
                for answers in self.answers.values():
                    answers.failed_in_row = 0

    def _ask_until_started(self) -> bool:
        """Until this is done, kubelet asks the other probes nothing."""
        while not self._failed_too_often(STARTUP) and not self._stopping.is_set():
            self._ask(STARTUP)
            if self.answers[STARTUP].failed_in_row == 0:
                return True
            self._stopping.wait(self._probes[STARTUP].period)
        return False

    def _ask_while_alive(self) -> None:
        due = {kind: 0.0 for kind in (LIVENESS, READINESS) if kind in self._probes}
        while not self._failed_too_often(LIVENESS) and not self._stopping.is_set():
            for kind in [kind for kind, at in due.items() if at <= time.monotonic()]:
                self._ask(kind)
                due[kind] = time.monotonic() + self._probes[kind].period
            self._judge_readiness()
            self._stopping.wait(_TICK_SECONDS)

    def _judge_readiness(self) -> None:
        if READINESS not in self._probes or self.answers[READINESS].failed_in_row == 0:
            self.is_ready = True
        elif self._failed_too_often(READINESS):
            self.is_ready = False
        if self.is_ready and self.ready_after is None:
            self.ready_after = time.monotonic() - self._started_at

    def _ask(self, kind: str) -> None:
        self.answers[kind].add(self._probes[kind].fault())

    def _failed_too_often(self, kind: str) -> bool:
        probe = self._probes.get(kind)
        return probe is not None and self.answers[kind].failed_in_row >= probe.limit
