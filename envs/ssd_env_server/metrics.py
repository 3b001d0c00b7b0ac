"""The server's metrics, read from its state when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_env_server.server import EnvServer


class EnvMetrics(Collector):
    """The metrics of one server.

    Args:
        server: Its state is read from another thread. No lock is needed to read single numbers.
    """

    def __init__(self, server: EnvServer) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """The metrics and their present values."""
        yield from self._games()
        yield from self._actors()

    def _games(self) -> Iterator[Metric]:
        lanes = self._server.lane_games
        ticks = sum(lane.tick for lane in lanes)
        env_steps = sum(lane.tick * lane.games for lane in lanes)
        agent_steps = sum(lane.tick * lane.games * lane.agents for lane in lanes)
        episodes = sum(lane.episodes for lane in lanes)
        busy = sum(lane.busy_seconds for lane in lanes)
        yield _counter("ticks", "Steps of whole lanes.", ticks)
        yield _counter("steps", "Steps of single games.", env_steps)
        yield _counter("agent_steps", "Steps of single agents.", agent_steps)
        yield _counter("episodes", "Episodes that ended.", episodes)
        yield _counter("stepping_seconds", "Time spent on stepping and drawing games.", busy)
        failing = self._server.episode_log.fault is not None
        text = "1 while lines of episodes cannot be written."
        yield GaugeMetricFamily("ssd_env_episode_log_failing", text, failing)

    def _actors(self) -> Iterator[Metric]:
        coordinator, counts = self._server.coordinator, self._server.coordinator.counts
        seats = GaugeMetricFamily("ssd_env_seats_taken", "Agents that are played by a process.")
        seats.add_metric([], len(coordinator.seats))
        yield seats
        yield _counter(
            "resent_timesteps",
            "Timesteps sent again because no Act had arrived.",
            counts.resent_timesteps,
        )
        yield _counter(
            "repeated_acts",
            "Acts ignored because the agent had already acted at that tick.",
            counts.repeated_acts,
        )
        yield _counter("refusals", "Messages answered with Refused.", counts.refusals)
        yield _counter("protocol_errors", "Invalid messages.", counts.protocol_errors)
        yield _counter(
            "dropped_sends", "Messages that could not be sent.", self._server.socket.dropped
        )


def _counter(name: str, description: str, value: float) -> Metric:
    family = CounterMetricFamily(f"ssd_env_{name}", description)
    family.add_metric([], value)
    return family
