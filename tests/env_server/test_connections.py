"""Actors and their world, over ZeroMQ and a relay that cuts their connections."""

import time
from contextlib import ExitStack, closing
from types import SimpleNamespace

import numpy as np
import pytest
from tests.system.relay import Relay
from tests.until import until

from ssd_actors.env_client import EnvClient
from ssd_wire.messages import Act, Join
from ssd_wire.sockets import Dealer, Router

AGENTS = 2


class Player:
    """One agent, which answers whatever it is told, and notes at which ticks it decided."""

    def __init__(self, dealer, agent, dims, fingerprint):
        join = Join(agent, actor_incarnation=agent + 5, fingerprint=fingerprint)
        self.dealer = dealer
        self.env = EnvClient(dealer, join, 1, dims, time.monotonic)
        self.ticks = []

    def work(self):
        for seen in self.env.timesteps():
            self.ticks.append(seen.tick)
            action = np.zeros(len(seen.is_first), np.uint8)
            self.env.send(Act(seen.env_incarnation, seen.lane, seen.tick, action))


class Arena:
    """The world and its actors. What a test does not let work, is busy."""

    def __init__(self, small_world, router, relay, links):
        small = small_world(agents=AGENTS, lanes=1)
        self.world, self.relay = small.world, relay
        self.world.door, self.world.clock = router, time.monotonic
        self.players = [
            Player(link, agent, small.world.dims[agent], small.referee.fingerprint)
            for agent, link in enumerate(links)
        ]

    def world_works(self):
        stop = SimpleNamespace(requested=False)
        idle = SimpleNamespace(wait=lambda _seconds: setattr(stop, "requested", True))
        self.world.serve(stop, idle)

    def players_work(self):
        for player in self.players:
            player.work()
        time.sleep(0.002)

    def all_work(self):
        self.world_works()
        self.players_work()

    def play(self, ticks):
        """So many ticks, and all agents decide once at each."""
        wanted = self.world.games[0].tick + ticks
        until(lambda: self.world.games[0].tick >= wanted, self.all_work)
        for player in self.players:
            assert player.ticks == list(range(len(player.ticks)))


@pytest.fixture
def arena(small_world):
    with ExitStack() as stack:
        router = stack.enter_context(closing(Router("tcp://127.0.0.1:0")))
        relay = stack.enter_context(closing(Relay(router.endpoint)))
        links = [stack.enter_context(closing(Dealer(relay.endpoint))) for _ in range(AGENTS)]
        yield Arena(small_world, router, relay, links)


def test_connections_cut_while_the_world_is_busy_are_made_anew_and_no_tick_is_decided_twice(arena):
    arena.play(5)
    for connections in (4, 6):
        arena.relay.cut()
        until(lambda wanted=connections: len(arena.relay.heard) >= wanted, arena.players_work)
        arena.play(5)


def test_a_world_that_is_busy_for_long_hears_actors_that_connected_anew(arena, monkeypatch):
    arena.play(5)
    with monkeypatch.context() as context:
        context.setattr("ssd_actors.retry.RECONNECT_SECONDS", 0.3)
        until(lambda: len(arena.relay.heard) >= 6, arena.players_work)
    arena.play(5)


def test_of_two_processes_that_claim_one_incarnation_neither_ends_the_world(arena):
    arena.play(5)
    player = arena.players[0]
    with closing(Dealer(arena.relay.endpoint)) as dealer:
        dims, mark = arena.world.dims[0], arena.world.referee.fingerprint
        arena.players.append(Player(dealer, 0, dims, mark))
        until(lambda: arena.players[-1].ticks, arena.all_work)
        arena.players.pop()
    arena.play(5)
    assert player.ticks
