"""A peer that sends as fast as it can does not stop the games of others."""

from collections import Counter
from itertools import count, repeat

import pytest
from tests.env_server.serving import serve_one_round

from ssd_env_server.coordinator import RESEND_SECONDS
from ssd_env_server.server import MAX_MESSAGES
from ssd_wire.codec import encode
from ssd_wire.messages import Bye, Join, Refused

FLOODS = {
    "junk": lambda _: repeat([b"\xc1", b"junk"]),
    "joins of another run": lambda _: (frames(Join(0, n, "another")) for n in count()),
    "joins of agents that do not exist": lambda _: (frames(Join(99, n, "x")) for n in count()),
    "refusals": lambda _: repeat(frames(Refused("no", fatal=True))),
    "messages for a learner": lambda _: repeat(frames(Bye(1))),
    "acts without a seat": lambda env: repeat(frames(env.scripted(0, tick=0))),
}


def frames(message):
    return [bytes(frame) for frame in encode(message)]


class FloodedSocket:
    """What actors send arrives between the messages of a flood, one after the other in turn."""

    def __init__(self, socket, flood):
        self.dropped, self.sender = 0, None
        self.socket, self.flood = socket, flood
        self.taken = Counter()

    def send(self, peer, message):
        return peer == b"hostile" or self.socket.send(peer, message)

    def receive(self):
        while True:
            if self.socket.arrived:
                self.taken["others"] += 1
                yield self.socket.arrived.popleft()
            self.taken["hostile"] += 1
            yield b"hostile", next(self.flood)


@pytest.fixture(params=FLOODS.values(), ids=FLOODS)
def flooded(request, env):
    env.server.socket = FloodedSocket(env.socket, request.param(env))
    return env


def test_agents_that_act_are_stepped_in_the_same_round(flooded):
    for agent in range(flooded.agents):
        act = flooded.scripted(agent, tick=0)
        flooded.socket.arrived.append((f"actor-{agent}-1".encode(), frames(act)))
    serve_one_round(flooded.server)
    assert flooded.server.lane_games[0].tick == 1
    assert flooded.server.socket.taken["hostile"] <= MAX_MESSAGES


def test_timesteps_that_were_lost_are_sent_again_in_time(flooded):
    flooded.now += RESEND_SECONDS
    flooded.socket.sent.clear()
    serve_one_round(flooded.server)
    assert len(flooded.socket.sent) == flooded.agents * flooded.lanes
