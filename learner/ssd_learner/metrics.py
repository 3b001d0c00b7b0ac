"""Prometheus metrics of a learner, read from its state when scraped.

A learner continues from a checkpoint: its progress does not begin at 0, and falls back if it was
killed. Prometheus takes a counter that falls for one that began again at 0. So progress is served
as gauges, and every counter counts what this process did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_learner.learner import Learner
from ssd_learner.reporting.update_metrics import UPDATE_METRICS
from ssd_wire.guard.connection_guard import ConnectionGuard
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.sockets import PLAIN

Gauge = tuple[str, str, float | None]  # name, help, value


class LearnerMetrics(Collector):
    """Reads one learner.

    Args:
        learner: As it is when its process begins: counters count from here.
        security: Of its sockets.
        guards: Of its sockets.
    """

    def __init__(
        self,
        learner: Learner,
        security: SocketSecurity = PLAIN,
        guards: Sequence[ConnectionGuard] = (),
    ) -> None:
        self._learner = learner
        self._security = security
        self._guards = guards
        self._first_own_steps = learner.trainer.own_steps
        self._first_version = learner.trainer.version
        self._first_counts = replace(learner.receiver.counts)

    def collect(self) -> Iterable[Metric]:
        """All metrics, now."""
        for name, help_text, count in self._counters():
            yield CounterMetricFamily(f"ssd_learner_{name}", help_text, count)
        for name, help_text, value in self._gauges():
            if value is not None:
                yield GaugeMetricFamily(f"ssd_learner_{name}", help_text, value)

    def _counters(self) -> Iterable[tuple[str, str, float]]:
        learner, first = self._learner, self._first_counts
        counts = learner.receiver.counts
        own_steps = learner.trainer.own_steps - self._first_own_steps
        updates = learner.trainer.version - self._first_version
        duplicate = counts.duplicate - first.duplicate
        ended = sum(guard.ended for guard in self._guards)
        written, refused = learner.checkpointer.written, self._security.refused_connections
        return (
            ("trained_own_steps", "Own-steps trained on by this process.", own_steps),
            ("updates", "Updates of the weights by this process.", updates),
            (
                "segments_received",
                "Segments received from actors.",
                counts.received - first.received,
            ),
            ("segments_trained", "Segments trained on.", counts.trained - first.trained),
            (
                "segments_surplus",
                "Segments not trained on, because the budget was reached first.",
                counts.surplus - first.surplus,
            ),
            ("segments_duplicate", "Segments received more than once.", duplicate),
            ("refused_connections", "Connections refused because of their key.", refused),
            ("ended_connections", "Connections ended because of a flood.", ended),
            ("refusals", "Valid messages refused for what they requested.", learner.refusals),
            ("protocol_errors", "Messages refused as invalid.", learner.protocol_errors),
            ("checkpoints", "Checkpoints written by this process.", written),
            (
                "incomplete_batches",
                "Batches begun before an arena had sent all of its steps.",
                learner.incomplete_batches,
            ),
            ("busy_seconds", "Time spent in updates, in seconds.", learner.busy_seconds),
        )

    def _gauges(self) -> Iterable[Gauge]:
        learner = self._learner
        checkpointer = learner.checkpointer
        durable, written_at = checkpointer.durable_own_steps, checkpointer.written_at
        failing = checkpointer.fault is not None
        yield from (
            (
                "own_steps",
                "Agent-steps of this agent trained on, over all of its learners.",
                learner.trainer.own_steps,
            ),
            (
                "weights_version",
                "Updates of the weights, over all of its learners.",
                learner.trainer.version,
            ),
            ("complete", "1 when the budget is reached.", learner.receiver.complete),
            ("durable_own_steps", "Own-steps in the last checkpoint.", durable),
            (
                "last_checkpoint_timestamp_seconds",
                "Unix time of this process's last checkpoint, or else of its start.",
                written_at,
            ),
            ("checkpoint_failing", "1 while no checkpoint can be written.", failing),
        )
        if learner.report is None:  # before the first update
            return
        for metric in UPDATE_METRICS:
            if metric.applies_to(learner.trainer.experiment):
                source = learner if metric.field == "policy_lag" else learner.report
                yield metric.name, metric.help, getattr(source, metric.field)
