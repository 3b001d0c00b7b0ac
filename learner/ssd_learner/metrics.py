"""Prometheus metrics of a learner, read from its state when scraped."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_learner.learner import Learner
from ssd_learner.reporting.update_metrics import UPDATE_METRICS

Gauge = tuple[str, str, float | None]  # name, help, value


class LearnerMetrics(Collector):
    """Reads one learner."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def collect(self) -> Iterable[Metric]:
        """All metrics, now."""
        for name, help_text, count in self._counters():
            yield CounterMetricFamily(f"ssd_learner_{name}", help_text, count)
        for name, help_text, value in self._gauges():
            if value is not None:
                yield GaugeMetricFamily(f"ssd_learner_{name}", help_text, value)

    def _counters(self) -> Iterable[tuple[str, str, float]]:
        learner, counts = self._learner, self._learner.receiver.counts
        written = learner.checkpointer.written
        return (
            ("own_steps", "Agent-steps of this agent trained on.", learner.trainer.own_steps),
            ("updates", "Updates of the weights.", learner.trainer.version),
            ("segments_received", "Segments received from actors.", counts.received),
            ("segments_trained", "Segments trained on.", counts.trained),
            (
                "segments_surplus",
                "Segments not trained on, because the budget was reached first.",
                counts.surplus,
            ),
            ("segments_duplicate", "Segments received more than once.", counts.duplicate),
            ("refusals", "Valid messages refused for what they requested.", learner.refusals),
            ("protocol_errors", "Messages refused as invalid.", learner.protocol_errors),
            ("checkpoints", "Checkpoints written by this process.", written),
            ("busy_seconds", "Time spent in updates, in seconds.", learner.busy_seconds),
        )

    def _gauges(self) -> Iterable[Gauge]:
        learner = self._learner
        durable = learner.checkpointer.durable_own_steps
        failing = learner.checkpointer.fault is not None
        yield from (
            ("complete", "1 when the budget is reached.", learner.receiver.complete),
            ("durable_own_steps", "Own-steps in the last checkpoint.", durable),
            ("checkpoint_failing", "1 while no checkpoint can be written.", failing),
        )
        if learner.report is None:  # before the first update
            return
        for metric in UPDATE_METRICS:
            if metric.applies_to(learner.trainer.experiment):
                source = learner if metric.field == "policy_lag" else learner.report
                yield metric.name, metric.help, getattr(source, metric.field)
