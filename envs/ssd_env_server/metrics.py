"""The server's metrics, read from its state whenever they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_env_server.server import World


class WorldMetrics(Collector):
    """Reads a world.

    Args:
        world: Whose state is read, from another thread; single numbers, so no lock is needed.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def collect(self) -> Iterator[Metric]:
        """The metrics as they stand."""
        yield from self._games()
        yield from self._actors()

    def _games(self) -> Iterator[Metric]:
        games = self._world.games
        ticks = sum(lane.tick for lane in games)
        env_steps = sum(lane.tick * lane.games for lane in games)
        agent_steps = sum(lane.tick * lane.games * lane.agents for lane in games)
        episodes = sum(lane.episodes for lane in games)
        busy = sum(lane.busy_seconds for lane in games)
        yield _counter("ticks", "Steps of whole lanes.", ticks)
        yield _counter("steps", "Steps of single games.", env_steps)
        yield _counter("agent_steps", "Steps of single agents.", agent_steps)
        yield _counter("episodes", "Episodes that ended.", episodes)
        yield _counter("stepping_seconds", "Time spent stepping and drawing games.", busy)

    def _actors(self) -> Iterator[Metric]:
        referee, counts = self._world.referee, self._world.referee.counts
        seats = GaugeMetricFamily("ssd_env_seats_taken", "Agents that have a process playing them.")
        seats.add_metric([], len(referee.seats))
        yield seats
        yield _counter("reoffers", "Timesteps sent again for want of an answer.", counts.reoffers)
        yield _counter("repeats", "Actions heard that had been heard before.", counts.repeats)
        yield _counter("refusals", "Messages answered with Refused.", counts.refusals)
        yield _counter("protocol_errors", "Messages that were invalid.", counts.protocol_errors)
        yield _counter("dropped_sends", "Messages that no peer took.", self._world.door.dropped)


def _counter(name: str, what: str, value: float) -> Metric:
    family = CounterMetricFamily(f"ssd_env_{name}", what)
    family.add_metric([], value)
    return family
