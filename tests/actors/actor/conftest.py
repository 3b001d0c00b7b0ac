"""One agent whose axes all differ, what it is shown, and a line of lists to send along."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ssd_actors.agent import Agent
from ssd_actors.lane import Lane
from ssd_actors.segment_builder import SegmentShape
from ssd_influence.networks.agent_network import make_network
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.roles import axes, part_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.codec import decode, encode
from ssd_wire.messages import Ack, Act, Bye, Hello, Join, Refused, Seat, Segment, Timestep, Welcome
from ssd_wire.weights import Weights

AGENT, AGENTS, ACTIONS, STEPS, GAMES, VIEW, COLOURS = 1, 4, 7, 6, 5, 9, 11
SIZES = NetworkSettings(conv_channels=2, hidden=13, lstm=12, moa_lstm=14)
AXES = {"T": STEPS, "B": GAMES, "N": AGENTS, "W": VIEW, "P": COLOURS, "A": ACTIONS}
KINDS = (Join, Seat, Timestep, Act, Hello, Welcome, Segment, Ack, Refused, Bye)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(20)


def read_frames(frames):
    return decode([bytes(frame) for frame in frames], KINDS, {})


class Person:
    """Agent 1 of a run: who it is, what it can be made of, and weights for it."""

    def __init__(self, **experiment):
        palette = np.random.default_rng(3).integers(0, 256, (COLOURS, 3)).astype(np.uint8)
        self.shape = AgentShape(AGENT, AGENTS, ACTIONS, VIEW, palette)
        self.experiment = ExperimentSettings.model_validate({"influence": "moa"} | experiment)
        self.part = part_of(self.experiment, AGENT, AGENTS)
        state, speaks = self.network(0).state_size, self.experiment.symbols > 0
        shaped = self.experiment.reward != "own"
        self.segment = SegmentShape(STEPS, GAMES, AGENTS, VIEW, state, speaks, shaped)
        self.axes = AXES | {"S": state} | axes(self.part, self.experiment, ACTIONS)
        self.tensors = {name: tuple(w.shape) for name, w in self.network(0).named_parameters()}

    def network(self, version):
        """The network of a version: another draw for each, and none without opinions."""
        random = torch.get_rng_state()
        torch.manual_seed(version)
        network = make_network(self.shape, SIZES, self.experiment)
        torch.set_rng_state(random)
        with torch.no_grad():
            network.policy.logits.weight.mul_(400)
            if network.moa is not None:
                network.moa.logits.weight.mul_(2000)
            if network.policy.communication is not None:
                network.policy.communication.logits.weight.mul_(400)
        return network.eval()

    def weights(self, version, learner=1):
        named = self.network(version).named_parameters()
        tensors = {name: weight.detach().numpy() for name, weight in named}
        return Weights(learner, version, 100 * version, tensors)

    def mind(self, seed=9, games=GAMES):
        noise = torch.Generator().manual_seed(seed)
        return Agent(self.shape, SIZES, self.experiment, games, noise)

    def lane(self, number=0, seed=9):
        return Lane(number, self.mind(seed), self.segment)


class Scenery:
    """What agent 1 is shown in one lane, tick by tick: all at random, but its own action.

    Args:
        seed: Of all that is random.
        starts: Games that start an episode, by tick; at tick 0 all do.
        world, lane: Of its timesteps.
        person: Whose experiment decides what else it is told; None for nothing.
    """

    def __init__(self, seed=0, starts=None, world=7, lane=0, person=None):
        self._axes = dict.fromkeys("VLQJCR", 0) | (person.axes if person else {})
        self._follows = person.part.follows if person else ()
        self._rng = np.random.default_rng(seed)
        self._starts = {0: range(GAMES)} | (starts or {})
        self.world = world
        self.lane = lane
        self.shown = []
        self.acts = []
        self.said = []

    def next(self):
        """The timestep after all that were shown."""
        tick, rng = len(self.shown), self._rng
        is_first = np.isin(np.arange(GAMES), list(self._starts.get(tick, ())))
        actions = rng.integers(0, ACTIONS, (GAMES, AGENTS)).astype(np.uint8)
        if self.acts:
            actions[:, AGENT] = self.acts[-1]
        if self.shown and self.shown[-1].leader_actions is not None:
            actions[:, list(self._follows)] = self.shown[-1].leader_actions
        self.shown.append(
            Timestep(
                env_incarnation=self.world,
                lane=self.lane,
                tick=tick,
                pixels=rng.integers(0, COLOURS, (GAMES, VIEW, VIEW)).astype(np.uint8),
                is_first=is_first,
                reward=rng.normal(0, 1, GAMES).astype(np.float32),
                actions=actions,
                visible=rng.random((GAMES, AGENTS)) < 0.4,
                **self._told(),
            )
        )
        return self.shown[-1]

    def _told(self):
        """What only some experiments tell."""
        size, rng, told = self._axes, self._rng, {}
        if size["V"]:
            told["symbols"] = rng.integers(0, size["V"], (GAMES, AGENTS)).astype(np.uint8)
            if self.said:
                told["symbols"][:, AGENT] = self.said[-1]
        if size["L"]:
            told["leader_actions"] = rng.integers(0, ACTIONS, (GAMES, size["L"])).astype(np.uint8)
        if size["Q"]:
            told["leader_log_probs"] = log_probs(rng, GAMES, size["Q"], ACTIONS)
        if size["J"]:
            told["responses"] = log_probs(rng, GAMES, size["J"], size["C"], ACTIONS)
        if size["R"]:
            told["all_rewards"] = rng.normal(0, 1, (GAMES, size["R"])).astype(np.float32)
        return told


def log_probs(rng, *shape):
    logits = rng.normal(0, 1, shape)
    return np.float32(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))


EPISODES = {3: [1], 6: [2], 7: [0, 1], 11: [3], 12: [0, 4], 17: [2], 20: range(GAMES)}


def live(person, lane, scenery, ticks):
    """Live so many ticks; the segments finished in them, each with weights of its own."""
    segments = []
    for _ in range(ticks):
        seen = scenery.next()
        if (finished := lane.reckon(seen)) is not None:
            seq = len(segments) + 1
            segments.append(finished.draft.finish(1, seq, lane.number, finished.last_actions))
        if lane.wants_segment:
            lane.begin_segment(seen, person.weights(version=1 + lane.tick))
        act = lane.act(seen)
        scenery.acts.append(act.action)
        scenery.said.append(act.symbol)
    return segments


class ListLine:
    """A line to a server: what was sent, as messages, and what has arrived, as frames."""

    def __init__(self):
        self.dropped = 0
        self.blocked = False
        self.reopened = 0
        self.sent = []
        self.bytes_sent = []
        self._here = deque()

    def send(self, frames):
        if self.blocked:
            return False
        self.bytes_sent.append(b"".join(bytes(frame) for frame in frames))
        self.sent.append(read_frames(frames))
        return True

    def arrive(self, *messages):
        for message in messages:
            frames = message if isinstance(message, list) else encode(message)
            self._here.append([bytes(frame) for frame in frames])

    def receive(self):
        while self._here:
            yield self._here.popleft()

    def reopen(self):
        self.reopened += 1
        self._here.clear()

    def take(self):
        """What was sent since the last look."""
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def read():
    """Reads any message, whoever it is for."""
    return read_frames


@pytest.fixture
def make_person():
    return Person


@pytest.fixture
def make_scenery():
    return Scenery


@pytest.fixture
def make_line():
    return ListLine


@pytest.fixture
def clock():
    """A clock that the test sets: clock.now."""
    time = SimpleNamespace(now=100.0)
    time.read = lambda: time.now
    return time


@pytest.fixture
def episodes():
    """Where episodes start: at a segment's start, inside it, with the view after its last step."""
    return EPISODES


@pytest.fixture
def live_through():
    return live
