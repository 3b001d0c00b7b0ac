"""Actors and the environment server, over ZeroMQ and a relay that cuts their connections."""

import time
from contextlib import ExitStack, closing

import numpy as np
import pytest
from tests.env_server.serving import serve_one_round
from tests.system.relay import Relay
from tests.until import until

from ssd_actors.env_client import EnvClient
from ssd_wire.messages import Act, Join
from ssd_wire.sockets import Dealer, Router

AGENTS = 2


class Player:
    """One agent that answers every timestep, and records the ticks at which it decided."""

    def __init__(self, dealer, agent, dims, fingerprint):
        join = Join(agent, actor_incarnation=agent + 5, fingerprint=fingerprint)
        self.dealer = dealer
        self.env = EnvClient(dealer, join, 1, dims, time.monotonic)
        self.ticks = []

    def work(self):
        for seen in self.env.timesteps():
            self.ticks.append(seen.tick)
            action = np.zeros(len(seen.is_first), np.uint8)
            self.env.send(Act(seen.env_incarnation, seen.lane, seen.tick, False, action))


class Arena:
    """The server and its actors. Each of them works only when the test says so."""

    def __init__(self, make_env, router, relay, links):
        small = make_env(agents=AGENTS, lanes=1)
        self.server, self.relay = small.server, relay
        self.server.socket, self.server.clock = router, time.monotonic
        self.players = [
            Player(link, agent, small.server.dims[agent], small.coordinator.fingerprint)
            for agent, link in enumerate(links)
        ]

    def server_works(self):
        serve_one_round(self.server)

    def players_work(self):
        for player in self.players:
            player.work()
        time.sleep(0.002)

    def all_work(self):
        self.server_works()
        self.players_work()

    def advance(self, ticks):
        """Play so many ticks."""
        wanted = self.server.lane_games[0].tick + ticks
        until(lambda: self.server.lane_games[0].tick >= wanted, self.all_work)

    def play(self, ticks):
        """Play so many ticks, and check that all agents decided once at each."""
        self.advance(ticks)
        for player in self.players:
            assert is_every_tick(player.ticks)


def is_every_tick(ticks):
    """Whether these are all ticks until the last one, once each and in order."""
    return ticks == list(range(len(ticks)))


@pytest.fixture
def arena(make_env):
    with ExitStack() as stack:
        router = stack.enter_context(closing(Router("tcp://127.0.0.1:0")))
        relay = stack.enter_context(closing(Relay(router.endpoint)))
        links = [stack.enter_context(closing(Dealer(relay.endpoint))) for _ in range(AGENTS)]
        yield Arena(make_env, router, relay, links)


def test_connections_cut_while_the_server_is_busy_are_replaced_and_no_tick_is_decided_twice(arena):
    arena.play(5)
    for connections in (4, 6):
        arena.relay.cut()
        until(lambda wanted=connections: len(arena.relay.received) >= wanted, arena.players_work)
        arena.play(5)


def test_a_server_that_was_busy_for_long_receives_from_actors_that_reconnected(arena, monkeypatch):
    arena.play(5)
    with monkeypatch.context() as context:
        context.setattr("ssd_actors.retry.RECONNECT_SECONDS", 0.3)
        until(lambda: len(arena.relay.received) >= 6, arena.players_work)
    arena.play(5)


def test_two_processes_with_the_same_incarnation_do_not_stop_the_server(arena):
    arena.play(5)
    first, other = arena.players
    with closing(Dealer(arena.relay.endpoint)) as dealer:
        server = arena.server
        second = Player(dealer, 0, server.dims[0], server.coordinator.fingerprint)
        arena.players.append(second)
        until(lambda: second.ticks, arena.all_work)
        arena.players.remove(second)
    arena.advance(5)
    # The timestep of a tick is sent to the one that joined last: the first process may never
    # see a tick that the second one decided.
    assert is_every_tick(sorted({*first.ticks, *second.ticks}))
    assert is_every_tick(other.ticks)
    assert first.ticks == sorted(set(first.ticks))
    assert first.ticks[-1] > second.ticks[-1]
