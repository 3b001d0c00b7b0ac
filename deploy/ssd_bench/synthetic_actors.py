"""Synthetic actors: they speak to a learner as real ones do, and send made-up segments."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import cycle
from typing import Any

from ssd_actors.actor import DRAIN_SECONDS
from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
from ssd_bench.parts.inputs import random_play, segment, shape_of
from ssd_influence.networks.agent_network import AgentNetwork, make_network
from ssd_learner.build import dims_of
from ssd_run.run_config import RunConfig
from ssd_wire.codec import encode
from ssd_wire.messages import Hello, Segment
from ssd_wire.process.stop import Stop
from ssd_wire.pub_sub import Subscriber
from ssd_wire.run_file import fingerprint
from ssd_wire.sockets import Dealer, Poller

DISTINCT = 4  # segments; more would only cost this process its cache
LONGEST_WAIT = 0.2  # seconds; after that, unanswered messages are sent again


def segments_of(config: RunConfig, network: AgentNetwork) -> list[Segment]:
    """Consecutive segments of random play, in the form in which an agent's actor sends them."""
    steps, size = config.run.segment, network.state_size
    played = random_play(config, network.shape.agent, steps, DISTINCT * steps + 2)
    starts = range(0, DISTINCT * steps, steps)
    return [segment(config, played[start : start + steps + 2], size) for start in starts]


class SyntheticActor:
    """One actor of one arena; sends these segments over and over, with new numbers."""

    def __init__(
        self, epoch: int, learner: LearnerClient, lanes: int, segments: Sequence[Segment]
    ) -> None:
        self.learner, self._epoch = learner, epoch
        self._lanes, self._segments = cycle(range(lanes)), cycle(segments)

    def play(self) -> None:
        """Read what has come in, and send as many segments as the window allows."""
        self.learner.poll()
        while self.learner.has_room() and (weights := self.learner.weights) is not None:
            numbered = replace(
                next(self._segments),
                epoch=self._epoch,
                seq=self.learner.outbox.made + 1,
                lane=next(self._lanes),
                learner_incarnation=weights.learner_incarnation,
                weights_version=weights.version,
            )
            self.learner.outbox.add(encode(numbered))
        self.learner.send_segments()


class SyntheticActors:
    """All synthetic actors of this process, on one thread.

    Args:
        wait: Returns when a message has come or after so many seconds; false when asked to stop.
        actors: Who plays.
    """

    def __init__(self, wait: Callable[[float], bool], actors: Sequence[SyntheticActor]) -> None:
        self._wait, self._actors = wait, actors

    def total(self, count: str) -> int:
        """The sum over all actors of one of the counts that an `Outbox` keeps."""
        return sum(getattr(actor.learner.outbox, count) for actor in self._actors)

    def play(self, until: float = 0.0, trained: int = 0) -> None:
        """Send segments until a time, and until so many are trained."""
        while time.monotonic() < until or self.total("trained") < trained:
            if not self._wait(LONGEST_WAIT):
                raise KeyboardInterrupt
            for actor in self._actors:
                actor.play()

    def finish(self) -> bool:
        """Wait until all segments are durable, for a bounded time; whether they are."""
        deadline = time.monotonic() + DRAIN_SECONDS
        for actor in self._actors:
            actor.learner.send_bye()
        while time.monotonic() < deadline and self.total("durable") < self.total("made"):
            self._wait(LONGEST_WAIT)
            for actor in self._actors:
                actor.learner.poll()
        return self.total("durable") == self.total("made")


@contextmanager
def connected(
    config: RunConfig, agent: int, actors: int, learner: Mapping[str, Any]
) -> Iterator[SyntheticActors]:
    """Actors of one agent in so many arenas, each with its own connections to the learner."""
    shape = shape_of(config, agent)
    network = make_network(shape, config.network, config.experiment)
    segments = segments_of(config, network)
    dims = dims_of(config.run, shape, config.experiment, network.state_size)
    shapes = {name: tuple(weight.shape) for name, weight in network.named_parameters()}
    mark = fingerprint(config.run, config.game, config.experiment, config.network)
    links: list[Dealer | Subscriber] = []
    players = []
    with ExitStack() as stack:
        for arena in range(actors):
            hello = Hello(agent, arena, secrets.randbits(62), mark)
            dealer = stack.enter_context(closing(Dealer(learner["segments"])))
            subscriber = stack.enter_context(closing(Subscriber(learner["weights"])))
            outbox = Outbox(config.run.lanes, config.run.retained)
            client = LearnerClient(dealer, subscriber, hello, outbox, dims, shapes, time.monotonic)
            players.append(SyntheticActor(hello.epoch, client, config.run.lanes, segments))
            links += (dealer, subscriber)
        yield SyntheticActors(Poller(Stop(), links).wait, players)
