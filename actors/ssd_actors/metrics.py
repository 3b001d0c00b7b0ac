"""The actor's Prometheus metrics, read from its state when they are scraped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_actors.actor import Actor
from ssd_actors.retry import Connection

_WAITING = "Seconds spent waiting for messages."
_RETRIES = "Requests sent because no answer had arrived, the first one included."


class ActorMetrics(Collector):
    """Reads one actor.

    Args:
        actor: The actor.
        connections: Its connections to servers.
    """

    def __init__(self, actor: Actor, connections: Iterable[Connection]) -> None:
        self._actor = actor
        self._connections = tuple(connections)

    def collect(self) -> Iterable[Metric]:
        """All metrics, now."""
        for name, text, value in self._counters():
            yield CounterMetricFamily(f"ssd_actor_{name}", text, value)
        for name, text, value in self._gauges():
            yield GaugeMetricFamily(f"ssd_actor_{name}", text, value)
        actor = self._actor
        yield _labelled("waiting_seconds", _WAITING, "for", actor.waiting_seconds)
        retries = {"env": actor.env.retries, "learner": actor.learner.retries}
        yield _labelled("retries", _RETRIES, "to", retries)

    def _counters(self) -> Iterable[tuple[str, str, float]]:
        actor, outbox = self._actor, self._actor.learner.outbox
        errors = actor.env.protocol_errors + actor.learner.protocol_errors
        dropped = sum(connection.dropped for connection in self._connections)
        discarded = actor.discarded_segments
        return (
            ("agent_steps", "Agent-steps taken by this process.", actor.agent_steps),
            ("segments_made", "Segments finished.", outbox.made),
            ("segments_resent", "Segments sent again.", outbox.resent),
            ("segments_discarded", "Segments dropped because ssd-env restarted.", discarded),
            ("dropped_sends", "Messages that could not be sent.", dropped),
            ("protocol_errors", "Invalid messages received.", errors),
        )

    def _gauges(self) -> Iterable[tuple[str, str, float]]:
        actor, outbox = self._actor, self._actor.learner.outbox
        not_durable = outbox.made - outbox.durable
        weights = actor.learner.weights
        version = weights.version if weights else 0
        influence = "Mean influence reward per own-step of the last segment."
        return (
            ("segments_untrained", "Segments made and not yet trained.", outbox.untrained),
            ("segments_not_durable", "Segments made and not yet durable.", not_durable),
            ("influence_nats", influence, actor.mean_influence),
            ("weights_version", "Version of the newest weights received.", version),
        )


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"ssd_actor_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
