"""What a learner tells Prometheus, read from its state when asked."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_learner.learner import Learner
from ssd_learner.report import Report

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
        if it.report is not None:  # nothing is said of an update before there was one
            yield ("policy_lag_updates", "Updates between acting and training, last batch.", it.lag)
            yield from self._of_the_update(it.report)
            if it.trainer.experiment.influence != "off":
                yield from self._of_influence(it.report)
            if it.trainer.experiment.symbols:
                yield from self._of_the_symbols(it.report)
            if it.trainer.experiment.has_moa:
                yield from self._of_the_moa(it.report)

    def _of_the_update(self, report: Report) -> Iterable[Told]:
        return (
            ("learning_rate", "Learning rate of the last batch.", report.learning_rate),
            ("entropy_weight", "Weight of the policy's entropy.", report.entropy_weight),
            ("passes", "Passes over the last batch.", report.passes),
            ("policy_loss", "Policy loss, last batch.", report.policy_loss),
            ("value_loss", "Value loss, last batch.", report.value_loss),
            ("policy_entropy_nats", "Entropy of the policy, last batch.", report.entropy),
            (
                "policy_information_nats",
                "Of what the agent does about what it sees; 0 is a blind agent.",
                report.information,
            ),
            ("kl_nats", "KL of the policy that acted to the one trained, last pass.", report.kl),
            ("clipped_share", "Share of ratios outside their clip.", report.clipped_share),
            (
                "explained_variance",
                "Of returns by the critic, before it was trained on them.",
                report.explained_variance,
            ),
            ("reward", "Environmental reward per own-step, last batch.", report.reward),
            (
                "policy_gradient_norm",
                "Norm of the policy's gradient, before its clip.",
                report.policy_gradient_norm,
            ),
            (
                "value_gradient_norm",
                "Norm of the value heads' gradient, before its clip.",
                report.value_gradient_norm,
            ),
        )

    def _of_influence(self, report: Report) -> Iterable[Told]:
        return (
            ("beta", "Weight of the influence reward in the last batch.", report.beta),
            ("influence_nats", "Influence per own-step, last batch.", report.influence),
        )

    def _of_the_symbols(self, report: Report) -> Iterable[Told]:
        return (
            ("symbol_policy_loss", "Policy loss of what is said.", report.symbol_policy_loss),
            ("symbol_value_loss", "Value loss of what is said.", report.symbol_value_loss),
            ("symbol_entropy_nats", "Entropy of what is said, last batch.", report.symbol_entropy),
        )

    def _of_the_moa(self, report: Report) -> Iterable[Told]:
        return (
            (
                "moa_loss_nats",
                "Cross-entropy of the others' next actions, before training on them.",
                report.moa_loss,
            ),
            (
                "moa_marginal_entropy_nats",
                "Entropy of the others' actions, over what the MOA's loss is taken over.",
                report.moa_marginal_entropy,
            ),
            (
                "moa_margin_nats",
                "That entropy less the MOA's loss: what it knows beyond habits.",
                report.moa_margin,
            ),
            (
                "moa_gradient_norm",
                "Norm of the MOA's gradient, before its clip.",
                report.moa_gradient_norm,
            ),
        )
