"""What a learner tells Prometheus, read from its state when asked."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_learner.learner import Learner
from ssd_learner.reporting.update_metrics import UPDATE_METRICS

Told = tuple[str, str, float | None]


class LearnerMetrics(Collector):
    """Reads one learner."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def collect(self) -> Iterable[Metric]:
        """All metrics, now."""
        for name, text, count in self._counters():
            yield CounterMetricFamily(f"ssd_learner_{name}", text, count)
        for name, text, value in self._gauges():
            if value is not None:  # of what there is nothing to tell, nothing is told
                yield GaugeMetricFamily(f"ssd_learner_{name}", text, value)

    def _counters(self) -> Iterable[tuple[str, str, float]]:
        it, counts = self._learner, self._learner.intake.counts
        return (
            ("own_steps", "Agent-steps of this agent trained on.", it.trainer.own_steps),
            ("updates", "Updates of the weights.", it.trainer.version),
            ("segments_received", "Segments taken from actors.", counts.received),
            ("segments_trained", "Segments trained.", counts.trained),
            ("segments_surplus", "Segments that came after the budget was met.", counts.surplus),
            ("segments_duplicate", "Segments that had been received before.", counts.duplicate),
            ("refusals", "Messages refused for what they asked.", it.refusals),
            ("protocol_errors", "Messages refused as invalid.", it.protocol_errors),
            ("checkpoints", "Checkpoints written by this process.", it.archive.written),
            ("busy_seconds", "Time spent in updates, in seconds.", it.busy_seconds),
        )

    def _gauges(self) -> Iterable[Told]:
        it = self._learner
        yield from (
            ("complete", "1 when the budget is met.", it.intake.complete),
            (
                "durable_own_steps",
                "Own-steps in the last checkpoint.",
                it.archive.durable_own_steps,
            ),
        )
        if it.report is None:  # nothing is said of an update before there was one
            return
        for metric in UPDATE_METRICS:
            if metric.is_told_of(it.trainer.experiment):
                whose = it if metric.field == "lag" else it.report
                yield (metric.name, metric.text, getattr(whose, metric.field))
