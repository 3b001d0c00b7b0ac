"""The server's metrics, read from its state when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_env_server.episode_statistics import LAST_EPISODES
from ssd_env_server.server import EnvServer
from ssd_wire.guard.connection_guard import ConnectionGuard
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.sockets import PLAIN

_RETURN = f"Mean return of an agent over the last {LAST_EPISODES} full episodes of this arena."
_EQUALITY = "1 - G of the returns, mean over those of these episodes in which it is defined."
_COMPLETE = "1 when all learners have reached their budgets, as this arena's actors say."
_EVENTS = "Events of each agent in full episodes; 'opened' counts episodes with the box opened."


class EnvMetrics(Collector):
    """The metrics of one server.

    Args:
        server: Its state is read from another thread. No lock is needed to read single numbers.
        security: Of its socket.
        guards: Of its socket.
    """

    def __init__(
        self,
        server: EnvServer,
        security: SocketSecurity = PLAIN,
        guards: Sequence[ConnectionGuard] = (),
    ) -> None:
        self._server = server
        self._security = security
        self._guards = guards

    def collect(self) -> Iterator[Metric]:
        """The metrics and their present values."""
        yield from self._games()
        yield from self._episodes()
        yield from self._actors()

    def _games(self) -> Iterator[Metric]:
        lanes = self._server.lane_games
        env_steps = sum(lane.tick * lane.games for lane in lanes)
        agent_steps = sum(lane.tick * lane.games * lane.agents for lane in lanes)
        episodes = sum(lane.episodes for lane in lanes)
        busy = sum(lane.busy_seconds for lane in lanes)
        yield _counter("ticks", "Steps of whole lanes.", self._server.ticks)
        yield _counter("steps", "Steps of single games.", env_steps)
        yield _counter("agent_steps", "Steps of single agents.", agent_steps)
        yield _counter("episodes", "Episodes that ended.", episodes)
        yield _counter("stepping_seconds", "Time spent on stepping and drawing games.", busy)
        failing = self._server.episode_log.fault is not None
        text = "1 while lines of episodes cannot be written."
        yield GaugeMetricFamily("ssd_env_episode_log_failing", text, failing)

    def _episodes(self) -> Iterator[Metric]:
        statistics = self._server.statistics
        yield _counter("full_episodes", "Episodes of full length that ended.", statistics.episodes)
        events = CounterMetricFamily("ssd_env_events", _EVENTS, labels=["agent", "event"])
        for event, counts in statistics.counts.items():
            for agent, count in enumerate(counts):
                events.add_metric([str(agent), event], count)
        yield events
        if statistics.mean_return:
            returns = GaugeMetricFamily("ssd_env_episode_return", _RETURN, labels=["agent"])
            for agent, mean in enumerate(statistics.mean_return):
                returns.add_metric([str(agent)], mean)
            yield returns
        if statistics.mean_equality is not None:
            yield GaugeMetricFamily("ssd_env_equality", _EQUALITY, statistics.mean_equality)

    def _actors(self) -> Iterator[Metric]:
        coordinator, counts = self._server.coordinator, self._server.coordinator.counts
        seats = GaugeMetricFamily("ssd_env_seats_taken", "Agents that are played by a process.")
        seats.add_metric([], len(coordinator.seats))
        yield seats
        yield GaugeMetricFamily("ssd_run_complete", _COMPLETE, coordinator.is_run_complete)
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
            "refused_connections",
            "Connections refused because of their key.",
            self._security.refused_connections,
        )
        ended = sum(guard.ended for guard in self._guards)
        yield _counter("ended_connections", "Connections ended because of a flood.", ended)
        yield _counter(
            "dropped_sends", "Messages that could not be sent.", self._server.socket.dropped
        )


def _counter(name: str, description: str, value: float) -> Metric:
    family = CounterMetricFamily(f"ssd_env_{name}", description)
    family.add_metric([], value)
    return family
