"""A small environment server with lists instead of sockets."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from tests.env_server.serving import StopRequest, StopsWhenIdle

from ssd_env_server.cli import compile_kernels, make_server
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


class ListSocket:
    """Holds frames in lists; what is sent is copied, as a ZeroMQ socket does."""

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


def scripted_act(env_incarnation, lane, tick, agent, lengths, action=None):
    """The act of an agent at a tick, the same from every process: random, with every array that the
    agent's messages have, and this action in all games if one is given."""
    random = np.random.default_rng([agent, lane, tick])
    arrays = {
        field.name: draw_array(field, lengths, random)
        for field in layout(Act).arrays
        if not field.present_if or lengths[field.present_if]
    }
    if action is not None:
        arrays["action"][:] = action
    return Act(env_incarnation, lane, tick, learner_complete=False, **arrays)


def draw_array(field, lengths, random):
    shape = [lengths[axis] + more for axis, more in field.axes]
    if field.dtype.kind == "f":
        return np.minimum(random.standard_normal(shape, field.dtype), np.float32(field.high))
    return random.integers(lengths[field.below], size=shape).astype(field.dtype)


class FakeEnv:
    """An environment server whose clock and messages a test controls."""

    def __init__(
        self,
        agents=3,
        lanes=2,
        games=2,
        seed=1,
        arena=0,
        start_number=7,
        episodes_path=None,
        game=None,
        **experiment,
    ):
        self.agents, self.lanes, self.games = agents, lanes, games
        self.now = 0.0
        self.received = {}  # the newest timestep sent, by agent, lane and tick
        self.socket = ListSocket()
        self.server = make_server(
            self.socket,
            RunSettings(seed=seed, lanes=lanes, games=games, segment=SEGMENT),
            game or GameSettings(name="harvest", agents=agents, horizon=HORIZON, map=ORCHARD),
            ExperimentSettings(**experiment),
            FINGERPRINT,
            Arena(seed, arena, start_number),
            episodes_path,
        )
        self.server.clock = lambda: self.now
        self.coordinator = self.server.coordinator
        self.incarnation = self.coordinator.seat.env_incarnation

    def serve(self):
        """Run the loop until it would wait; return all that it sent, as (peer, message)."""
        stop = StopRequest()
        self.server.serve(stop, StopsWhenIdle(stop, self.socket.arrived))
        lengths = {"B": self.games, "N": self.agents}
        sent = [
            (peer, decode(frames, (Seat, Timestep, Refused), lengths))
            for peer, frames in self.socket.sent
        ]
        self.socket.sent.clear()
        for peer, message in sent:
            if isinstance(message, Timestep):
                self.received[agent_at(peer), message.lane, message.tick] = message
        return sent

    def send(self, peer, message):
        """Let a message arrive; return what the server sends because of it."""
        return self.send_frames(peer, [bytes(frame) for frame in encode(message)])

    def send_frames(self, peer, frames):
        self.socket.arrived.append((peer, frames))
        return self.serve()

    def join(self, agent, incarnation=1, fingerprint=FINGERPRINT, peer=None):
        peer = peer or name(agent, incarnation)
        return self.send(peer, Join(agent, incarnation, fingerprint))

    def with_all_joined(self):
        """This environment, after all agents have joined."""
        for agent in range(self.agents):
            self.join(agent)
        return self

    def scripted(self, agent, tick, lane=0, action=None):
        """The act of an agent at a tick; see `scripted_act`."""
        return scripted_act(
            self.incarnation, lane, tick, agent, self.server.dims[agent].lengths, action
        )

    def act(self, agent, tick, lane=0, action=0, incarnation=1, env_incarnation=None):
        act = self.scripted(agent, tick, lane, action)
        if env_incarnation is not None:
            act = replace(act, env_incarnation=env_incarnation)
        return self.send(name(agent, incarnation), act)

    def everyone_acts(self, tick, lane=0, actions=None):
        """All agents act at a tick, with these [N] actions; return what the last act caused."""
        for agent in sorted(range(self.agents), key=lambda agent: self.server.dims[agent].L > 0):
            sent = self.act(agent, tick, lane, 4 if actions is None else actions[agent])
        return sent


def name(agent, incarnation):
    """The connection of an agent's process."""
    return f"actor-{agent}-{incarnation:x}".encode()


def agent_at(peer):
    """The agent whose process has this connection."""
    return int(peer.split(b"-")[1])


@pytest.fixture(scope="session", autouse=True)
def _compiled():
    """Compile the kernels once, so that no process under test keeps its actors waiting."""
    compile_kernels(GameSettings(name="harvest"))


@pytest.fixture(scope="session")
def make_env():
    """Makes an environment of 3 agents, 2 lanes and 2 games, unless told otherwise."""
    return FakeEnv


@pytest.fixture
def env():
    """An environment that all agents have joined, and in which nobody has acted."""
    return FakeEnv().with_all_joined()


@pytest.fixture
def peer_name():
    return name


@pytest.fixture(scope="session")
def script():
    """Random acts; see `scripted_act`."""
    return scripted_act
