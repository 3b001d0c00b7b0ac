"""The actor process: one agent in one arena. Start reading here.

It acts in the environment, computes the agent's intrinsic reward, and sends what happened to the
agent's learner, in segments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from ssd_actors.env_client import EnvClient
from ssd_actors.lane import Lane
from ssd_actors.learner_client import LearnerClient
from ssd_actors.ledger import Ledger
from ssd_wire.messages import Timestep

POLL_SECONDS = 0.2  # longest wait for a message; retries are late by this at most
# Longest wait for the last segments to become durable: an actor ends within 10 s of SIGTERM.
DRAIN_SECONDS = 8.0


class Poller(Protocol):
    """Waits for messages: `ssd_wire.sockets.Poller` in production, a simulated clock in tests."""

    def wait(self, seconds: float) -> bool:
        """Return when a message arrived or the time is up; false when asked to stop."""


class Actor:
    """One agent in one arena, and the state that metrics read.

    Everything it uses is passed in: ZeroMQ in production, plain lists in tests.

    Args:
        poller: Waits for messages from both servers.
        env: Client of the environment server.
        learner: Client of the agent's learner.
        lanes: The state of each lane of games.
        ledger: Saves segment counts where they survive this process.
        clock: Returns seconds.

    Attributes:
        agent_steps: Agent-steps taken by this process.
        mean_influence: Mean influence reward of the last finished segment, nats.
        waiting_seconds: Seconds spent waiting for the "env" and for the "learner".
    """

    def __init__(
        self,
        poller: Poller,
        env: EnvClient,
        learner: LearnerClient,
        lanes: Sequence[Lane],
        ledger: Ledger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.poller = poller
        self.env = env
        self.learner = learner
        self.lanes = lanes
        self.ledger = ledger
        self.agent_steps = 0
        self.mean_influence = 0.0
        self.waiting_seconds = {"env": 0.0, "learner": 0.0}
        self._clock = clock
        self._unanswered: dict[int, Timestep] = {}  # by lane

    def run(self) -> bool:
        """Act in the environment and send segments to the learner until asked to stop.

        Returns:
            Whether all segments are durable.
        """
        while self._wait():
            self.learner.poll()
            for timestep in self.env.timesteps():
                self.receive(self.lanes[timestep.lane], timestep)
            for index, timestep in list(self._unanswered.items()):
                lane = self.lanes[index]
                if self.can_act(lane):
                    del self._unanswered[index]
                    self.act(lane, timestep)
            self._write_ledger()  # before sending: it must count all that a learner ever receives
            self.learner.send_segments()
        return self._drain()

    def receive(self, lane: Lane, timestep: Timestep) -> None:
        """Record what a timestep says about earlier steps, once, and keep it to be answered.

        The segment that this completes is counted before another one may begin.
        """
        if self._is_repeated(timestep):
            return
        self._unanswered[lane.index] = timestep
        if timestep.env_incarnation != lane.env_incarnation:
            lane.reset(timestep.env_incarnation)

        # All agents acted at the same instant, so the influence of the last action can be computed
        # only now that the others' actions have arrived with the next timestep.
        segment = lane.complete_step(timestep)
        if segment is not None:
            self.mean_influence = float(segment.influence.mean())
            self.learner.push(segment, lane.index)

    def can_act(self, lane: Lane) -> bool:
        """Whether to act now: false where that begins a segment for which there is no room."""
        if not lane.needs_segment:
            return True
        return self.learner.has_room() and self.learner.outbox.is_due(lane.begun_segments)

    def act(self, lane: Lane, timestep: Timestep) -> None:
        """Act in one step of one lane."""
        if lane.needs_segment and self.learner.weights is not None:
            lane.begin_segment(timestep, self.learner.weights)
        self.env.send(replace(lane.act(timestep), learner_complete=self.learner.outbox.complete))
        self.agent_steps += len(timestep.is_first)

    @property
    def discarded_segments(self) -> int:
        """Segments begun and dropped because the environment server restarted."""
        return sum(lane.discarded_segments for lane in self.lanes)

    def _is_repeated(self, timestep: Timestep) -> bool:
        kept = self._unanswered.get(timestep.lane)
        if kept is None:
            return False
        ids = (timestep.env_incarnation, timestep.tick)
        return (kept.env_incarnation, kept.tick) == ids

    def _wait(self) -> bool:
        waiting_for = "learner" if self._unanswered else "env"
        began = self._clock()
        going_on = self.poller.wait(POLL_SECONDS)
        self.waiting_seconds[waiting_for] += self._clock() - began
        return going_on

    def _write_ledger(self, *, drained: bool = False) -> None:
        outbox = self.learner.outbox
        self.ledger.write(outbox.made, outbox.resent, self.discarded_segments, drained=drained)

    def _drain(self) -> bool:
        """Wait until the last segments are durable, up to a time limit; whether they are."""
        deadline = self._clock() + DRAIN_SECONDS
        self.learner.send_bye()
        while not self.learner.outbox.all_durable and self._clock() < deadline:
            self.poller.wait(POLL_SECONDS)
            self.env.discard_messages()
            self.learner.poll()
        self._write_ledger(drained=self.learner.outbox.all_durable)
        return self.learner.outbox.all_durable
