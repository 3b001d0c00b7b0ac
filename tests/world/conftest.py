"""A small world, over plain lists in place of sockets."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest

from ssd_envs.spec import GameSettings
from ssd_wire.codec import decode, encode
from ssd_wire.messages import Act, Join, Refused, Seat, Timestep
from ssd_wire.runfile import RunSettings
from ssd_world.cli import compile_kernels, make_world
from ssd_world.episodes import Arena

FINGERPRINT = "0123456789abcdef"
SEGMENT = 4
HORIZON = 12
ORCHARD = """
########
#+..o..#
#..+oo.#
#+..o.+#
########
"""


class ListDoor:
    """Hands frames over in lists; what is sent is copied, as a socket would."""

    def __init__(self):
        self.dropped = 0
        self.arrived = deque()
        self.sent = deque()

    def send(self, peer, message):
        self.sent.append((peer, [bytes(frame) for frame in encode(message)]))
        return True

    def receive(self):
        while self.arrived:
            yield self.arrived.popleft()


class SmallWorld:
    """A world whose time and messages the test moves by hand."""

    def __init__(
        self, agents=3, lanes=2, games=2, seed=1, arena=0, incarnation=7, record=None, game=None
    ):
        self.agents, self.lanes, self.games = agents, lanes, games
        self.now = 0.0
        self.door = ListDoor()
        self.world = make_world(
            self.door,
            RunSettings(seed=seed, lanes=lanes, games=games, segment=SEGMENT),
            game or GameSettings(name="harvest", agents=agents, horizon=HORIZON, map=ORCHARD),
            FINGERPRINT,
            Arena(seed, arena, incarnation),
            record,
        )
        self.world.clock = lambda: self.now
        self.referee = self.world.referee
        self.number = self.referee.seat.world

    def serve(self):
        """Run the loop until it would wait; all that it sent, as (peer, message)."""
        stop = SimpleNamespace(requested=False)

        def wait(_seconds):
            stop.requested = not self.door.arrived

        self.world.serve(stop, SimpleNamespace(wait=wait))
        sizes = {"B": self.games, "N": self.agents}
        sent = [
            (peer, decode(frames, (Seat, Timestep, Refused), sizes))
            for peer, frames in self.door.sent
        ]
        self.door.sent.clear()
        return sent

    def hear(self, peer, message):
        """Have a message arrive; what is sent because of it."""
        return self.hear_bytes(peer, [bytes(frame) for frame in encode(message)])

    def hear_bytes(self, peer, frames):
        self.door.arrived.append((peer, frames))
        return self.serve()

    def join(self, agent, incarnation=1, fingerprint=FINGERPRINT, peer=None):
        peer = peer or name(agent, incarnation)
        return self.hear(peer, Join(agent, incarnation, fingerprint))

    def act(self, agent, tick, lane=0, action=0, incarnation=1, world=None):
        actions = np.full(self.games, action, np.uint8)
        number = self.number if world is None else world
        return self.hear(name(agent, incarnation), Act(number, lane, tick, actions))

    def everyone_acts(self, tick, lane=0, actions=None):
        """All agents answer a tick, each with its action of [N]; what the last one set off."""
        for agent in range(self.agents):
            sent = self.act(agent, tick, lane, 4 if actions is None else actions[agent])
        return sent


def name(agent, incarnation):
    """The socket identity of an agent's process."""
    return f"actor-{agent}-{incarnation:x}".encode()


@pytest.fixture(scope="session", autouse=True)
def _compiled():
    """Numba compiles once, here, so that no process under test keeps its actors waiting for it."""
    compile_kernels(GameSettings(name="harvest"))


@pytest.fixture(scope="session")
def small_world():
    """Makes a world of 3 agents, 2 lanes of 2 games, with whatever the test wants otherwise."""
    return SmallWorld


@pytest.fixture
def world():
    """Everyone has joined it, and nobody has acted."""
    made = SmallWorld()
    for agent in range(made.agents):
        made.join(agent)
    return made


@pytest.fixture
def peer_name():
    return name
