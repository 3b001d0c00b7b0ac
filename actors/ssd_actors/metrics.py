"""What an actor tells Prometheus, read from its state when asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_actors.actor import Actor
from ssd_actors.retry import Line


class ActorMetrics(Collector):
    """Reads one actor.

    Args:
        actor: The actor.
        lines: Its lines, by where they lead.
    """

    def __init__(self, actor: Actor, lines: Mapping[str, Line]) -> None:
        self._actor = actor
        self._lines = lines

    def collect(self) -> Iterable[Metric]:
        """All metrics, now."""
        for name, text, value in self._counters():
            yield CounterMetricFamily(f"ssd_actor_{name}", text, value)
        for name, text, value in self._gauges():
            yield GaugeMetricFamily(f"ssd_actor_{name}", text, value)
        actor = self._actor
        yield _labelled("waiting_seconds", "Time spent waiting, in seconds.", "for", actor.waited)
        repeats = {"world": actor.world.repeats, "learner": actor.teacher.repeats}
        yield _labelled("repeats", "Questions asked again after silence.", "to", repeats)

    def _counters(self) -> Iterable[tuple[str, str, float]]:
        it, outbox = self._actor, self._actor.teacher.outbox
        errors = it.world.protocol_errors + it.teacher.protocol_errors
        dropped = sum(line.dropped for line in self._lines.values())
        return (
            ("agent_steps", "Agent-steps acted by this process.", it.agent_steps),
            ("segments_made", "Segments finished.", outbox.made),
            ("segments_resent", "Segments sent again.", outbox.resent),
            ("segments_discarded", "Segments given up as a world started anew.", it.discarded),
            ("dropped_sends", "Messages that could not be sent.", dropped),
            ("protocol_errors", "Messages refused as invalid.", errors),
        )

    def _gauges(self) -> Iterable[tuple[str, str, float]]:
        it, outbox = self._actor, self._actor.teacher.outbox
        weights = it.teacher.weights
        return (
            ("segments_untrained", "Segments made and not yet trained.", outbox.untrained),
            ("segments_not_durable", "Segments not durable yet.", outbox.made - outbox.durable),
            ("influence_nats", "Influence per own-step, last segment.", it.influence),
            ("weights_version", "Newest weights heard of.", weights.version if weights else 0),
        )


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"ssd_actor_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
