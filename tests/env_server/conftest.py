"""A small world, over plain lists in place of sockets."""

from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ssd_env_server.cli import compile_kernels, make_world
from ssd_env_server.episodes import Arena
from ssd_envs.spec import GameSettings
from ssd_influence.settings import ExperimentSettings
from ssd_wire.codec import decode, encode
from ssd_wire.fields import layout
from ssd_wire.messages import Act, Join, Refused, Seat, Timestep
from ssd_wire.run_file import RunSettings

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
        self.sender = None
        self.arrived = deque()
        self.sent = deque()

    def send(self, peer, message):
        self.sent.append((peer, [bytes(frame) for frame in encode(message)]))
        return True

    def receive(self):
        while self.arrived:
            yield self.arrived.popleft()


def scripted_act(world, lane, tick, agent, lengths, action=None):
    """What an agent answers at a tick, whichever process plays it: drawn, with all that its part
    has it disclose, and this action in all games if one is given."""
    random = np.random.default_rng([agent, lane, tick])
    arrays = {
        field.name: draw_array(field, lengths, random)
        for field in layout(Act).arrays
        if not field.where or lengths[field.where]
    }
    if action is not None:
        arrays["action"][:] = action
    return Act(world, lane, tick, **arrays)


def draw_array(field, lengths, random):
    shape = [lengths[axis] + more for axis, more in field.axes]
    if field.dtype.kind == "f":
        return random.standard_normal(shape, field.dtype)
    return random.integers(lengths[field.below], size=shape).astype(field.dtype)


class SmallWorld:
    """A world whose time and messages the test moves by hand."""

    def __init__(
        self,
        agents=3,
        lanes=2,
        games=2,
        seed=1,
        arena=0,
        incarnation=7,
        record=None,
        game=None,
        **experiment,
    ):
        self.agents, self.lanes, self.games = agents, lanes, games
        self.now = 0.0
        self.told = {}  # the newest timestep sent, by agent, lane and tick
        self.door = ListDoor()
        self.world = make_world(
            self.door,
            RunSettings(seed=seed, lanes=lanes, games=games, segment=SEGMENT),
            game or GameSettings(name="harvest", agents=agents, horizon=HORIZON, map=ORCHARD),
            ExperimentSettings(**experiment),
            FINGERPRINT,
            Arena(seed, arena, incarnation),
            record,
        )
        self.world.clock = lambda: self.now
        self.referee = self.world.referee
        self.number = self.referee.seat.env_incarnation

    def serve(self):
        """Run the loop until it would wait; all that it sent, as (peer, message)."""
        stop = SimpleNamespace(requested=False)

        def wait(_seconds):
            stop.requested = not self.door.arrived

        self.world.serve(stop, SimpleNamespace(wait=wait))
        lengths = {"B": self.games, "N": self.agents}
        sent = [
            (peer, decode(frames, (Seat, Timestep, Refused), lengths))
            for peer, frames in self.door.sent
        ]
        self.door.sent.clear()
        for peer, message in sent:
            if isinstance(message, Timestep):
                self.told[agent_at(peer), message.lane, message.tick] = message
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

    def seated(self):
        """This world, once everyone has joined it."""
        for agent in range(self.agents):
            self.join(agent)
        return self

    def scripted(self, agent, tick, lane=0, action=None):
        """The act that an agent answers a tick with; see `scripted_act`."""
        return scripted_act(self.number, lane, tick, agent, self.world.dims[agent].lengths, action)

    def act(self, agent, tick, lane=0, action=0, incarnation=1, world=None):
        act = self.scripted(agent, tick, lane, action)
        act = act if world is None else replace(act, env_incarnation=world)
        return self.hear(name(agent, incarnation), act)

    def everyone_acts(self, tick, lane=0, actions=None):
        """All agents answer a tick, each with its action of [N]; what the last one set off."""
        for agent in sorted(range(self.agents), key=lambda agent: self.world.dims[agent].L > 0):
            sent = self.act(agent, tick, lane, 4 if actions is None else actions[agent])
        return sent


def name(agent, incarnation):
    """The socket identity of an agent's process."""
    return f"actor-{agent}-{incarnation:x}".encode()


def agent_at(peer):
    """The agent whose process has this socket identity."""
    return int(peer.split(b"-")[1])


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
    return SmallWorld().seated()


@pytest.fixture
def peer_name():
    return name


@pytest.fixture(scope="session")
def script():
    """What agents answer, drawn; see `scripted_act`."""
    return scripted_act
