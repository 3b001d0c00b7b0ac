"""A whole arena in one process: a real environment server and real actors, connected by lists."""

from collections import defaultdict, deque
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.env_server.serving import StopRequest, StopsWhenIdle

from ssd_actors.agent import Agent
from ssd_actors.env_client import EnvClient
from ssd_actors.lane import Lane
from ssd_env_server.cli import compile_kernels, make_server
from ssd_env_server.episodes import Arena as Place
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.networks.agent_network import make_network
from ssd_influence.networks.agent_shape import AgentShape
from ssd_run.run_config import validate
from ssd_wire.codec import encode
from ssd_wire.messages import Join
from ssd_wire.weights import Weights

FINGERPRINT = "this run"
ORCHARD = """
#########
#+..o..+#
#..+oo.o#
#+o..+o+#
#########
"""


class Connection:
    """An actor's connection to the environment server."""

    dropped = 0

    def __init__(self, arena, agent):
        self._at_server = arena.arrived
        self._agent = agent
        self.arrived = deque()

    def send(self, frames):
        self._at_server.append((str(self._agent).encode(), [bytes(frame) for frame in frames]))
        return True

    def receive(self):
        while self.arrived:
            yield self.arrived.popleft()


class Player:
    """One agent of the arena, its lane, and everything that it received, sent and recorded."""

    def __init__(self, arena, index, opinion):
        config, spec = arena.config, game_spec(arena.config.game)
        shape = AgentShape(index, spec.num_agents, spec.num_actions, spec.view, spec.palette)
        rng = torch.Generator().manual_seed(100 + index)
        self.index = index
        self.agent = Agent(shape, config.network, config.experiment, config.run.games, rng)
        self.weights = _weights(self.agent, opinion, config)
        dims = replace(self.agent.dims, T=config.run.segment)
        self.lane = Lane(0, self.agent, dims)
        self.connection = Connection(arena, index)
        join = Join(index, 1 + index, FINGERPRINT)
        self.env = EnvClient(self.connection, join, 1, dims, lambda: arena.now)
        self.timesteps, self.acts, self.segments = [], [], []

    def answer_timesteps(self):
        """Answer all timesteps that have arrived."""
        for seen in self.env.timesteps():
            if seen.env_incarnation != self.lane.env_incarnation:
                self.lane.reset(seen.env_incarnation)
            if (segment := self.lane.complete_step(seen)) is not None:
                seq = len(self.segments) + 1
                self.segments.append(segment.build(epoch=1, seq=seq, lane=0))
            if self.lane.needs_segment:
                self.lane.begin_segment(seen, self.weights)
            act = self.lane.act(seen)
            self.timesteps.append(seen)
            self.acts.append(act)
            self.env.send(act)

    def of_segments(self, name):
        """[T·segments, …] an array of all segments, one after the other."""
        return np.concatenate([getattr(segment, name) for segment in self.segments])


def _weights(agent, opinion, config):
    """Of a network that is not near uniform, as a new one is."""
    state = torch.get_rng_state()
    torch.manual_seed(1000 + agent.shape.agent)
    network = make_network(agent.shape, config.network, config.experiment)
    torch.set_rng_state(state)
    with torch.no_grad():
        network.policy.logits.weight.mul_(opinion)
        if network.policy.communication is not None:
            network.policy.communication.logits.weight.mul_(opinion)
        if network.moa is not None:
            network.moa.logits.weight.mul_(opinion)
        network.policy.lstm.weight_ih_l0.mul_(3)  # what others do and say makes a difference
    tensors = {name: w.detach().numpy() for name, w in network.named_parameters()}
    return Weights(1, 1, 0, tensors)


class Arena:
    """All of it: `play` lets so many ticks pass."""

    dropped = 0  # this object is the server's socket
    sender = None

    def __init__(self, config, opinion=300.0):
        self.config = config
        self.now = 0.0
        self.arrived = deque()
        self.frames = defaultdict(list)  # by agent: all that ever reached it
        self.players = [Player(self, agent, opinion) for agent in range(config.game.agents)]
        place = Place(config.run.seed, 0, 7)
        self.server = make_server(
            self, config.run, config.game, config.experiment, FINGERPRINT, place, None
        )
        self.server.clock = lambda: self.now

    def send(self, peer, message):
        frames = [bytes(frame) for frame in encode(message)]
        self.frames[int(peer)].append(frames)
        self.players[int(peer)].connection.arrived.append(frames)
        return True

    def receive(self):
        while self.arrived:
            yield self.arrived.popleft()

    def play(self, ticks):
        """Until every agent has acted in so many ticks."""
        for _ in range(10 * ticks):
            for player in self.players:
                if len(player.acts) < ticks:
                    player.answer_timesteps()
            if all(len(player.acts) == ticks for player in self.players):
                return self
            self._serve()
        raise AssertionError("the arena stands still")

    def _serve(self):
        stop = StopRequest()
        self.server.serve(stop, StopsWhenIdle(stop, self.arrived))


SMALL = {
    "preset": {"name": "small"},
    "run": {"games": 4, "segment": 5, "lanes": 1, "seed": 3},
    "game": {"name": "harvest", "agents": 4, "horizon": 10, "map": ORCHARD},
    "network": {"conv_channels": 2, "hidden": 13, "lstm": 12, "moa_lstm": 14},
}


@pytest.fixture(scope="session", autouse=True)
def _compiled():
    compile_kernels(GameSettings(name="harvest"))


@pytest.fixture(scope="session")
def small_config():
    """A small config of 4 agents, with whatever the test wants otherwise, section by section."""

    def make(**sections):
        names = {*SMALL, *sections}
        return validate({name: SMALL.get(name, {}) | sections.get(name, {}) for name in names})

    return make


@pytest.fixture(scope="session")
def arena():
    return Arena
