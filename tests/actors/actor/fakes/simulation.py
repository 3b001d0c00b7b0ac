"""A real actor with a fake environment and a fake learner, in one process and without sockets."""

from collections import deque

import numpy as np
from tests.actors.actor.fakes.agent_setup import (
    ACTIONS,
    AGENT,
    AGENTS,
    COLOURS,
    GAMES,
    VIEW,
    TimestepSource,
)
from tests.actors.actor.fakes.connections import read

from ssd_actors.actor import Actor
from ssd_actors.env_client import EnvClient
from ssd_actors.learner_client import LearnerClient
from ssd_actors.ledger import Ledger
from ssd_actors.outbox import Outbox
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.codec import encode
from ssd_wire.messages import Act, Bye, Hello, Join, Refused, Seat, Segment, Welcome
from ssd_wire.weights import encode_weights

LANES, WINDOW, EPOCH, ARENA = 2, 2, 3, 0
FINGERPRINT = "this run"


class FakeServer:
    """The actor's end of a connection. What the server sends is received at once."""

    def __init__(self):
        self.dropped = 0
        self._arrived = deque()

    def reply(self, *messages):
        for message in messages:
            self._arrived.append([bytes(frame) for frame in encode(message)])

    def receive(self):
        while self._arrived:
            yield self._arrived.popleft()


class FakeEnv(FakeServer):
    """An environment of two lanes, in which the other agents act at random."""

    def __init__(self, incarnation=7):
        super().__init__()
        self.incarnation = incarnation
        self.lanes = self.new_lanes(first_seed=0)
        self.stuck = set()  # lanes in which some other agent is missing
        self.repeats = 0  # of each timestep, before it is answered and after
        self.acts = []
        self.refusal = None  # reason to refuse this actor

    def new_lanes(self, first_seed):
        lanes = range(LANES)
        return [TimestepSource(first_seed + i, env=self.incarnation, lane=i) for i in lanes]

    def restart(self, incarnation, first_seed):
        """The lanes of the incarnation before."""
        old, self.incarnation = self.lanes, incarnation
        self.lanes = self.new_lanes(first_seed)
        return old

    def send(self, frames):
        match read(frames):
            case _ if self.refusal is not None:
                self.reply(Refused(self.refusal, fatal=True))
            case Join():
                palette = np.zeros((COLOURS, 3), np.uint8)
                sizes = (AGENTS, ACTIONS, 0, LANES, GAMES, 100, VIEW)
                self.reply(Seat(self.incarnation, *sizes, palette))
                for lane in self.lanes:
                    self.reply(lane.timesteps[-1] if lane.timesteps else lane.next())
            case Act() as act if act.env_incarnation != self.incarnation:
                self.reply(Refused("join again", fatal=False))
            case Act() as act:
                self._on_act(act, self.lanes[act.lane])
        return True

    def _on_act(self, act, lane):
        self.acts.append(act)
        if act.tick == len(lane.timesteps) - 1 and act.lane not in self.stuck:
            lane.acts.append(act.action)
            self.reply(*[lane.timesteps[-1]] * self.repeats)
            self.reply(*[lane.next()] * (1 + self.repeats))


class FakeLearner(FakeServer):
    """A learner that trains and checkpoints when told to. Its receiver is the real one."""

    def __init__(self, setup):
        super().__init__()
        self.setup = setup
        self.receiver = SegmentReceiver(AGENT, 1, FINGERPRINT, 100)
        self.version = 0
        self.window = WINDOW
        self.trained = []
        self.byes = 0
        self.published = None  # the newest frame of weights
        self.on_segment = lambda _segment: None

    def send(self, frames):
        message = read(frames)
        match message:
            case Hello():
                epoch = self.receiver.hello(b"actor", message)
                weights = np.frombuffer(self.weights_frame(), np.uint8)
                progress = (epoch.received, epoch.consumed, epoch.durable)
                fields = {"window": self.window, "complete": False, "weights": weights}
                self.reply(Welcome(EPOCH, 1, *progress, **fields))
            case Segment():
                self.on_segment(message)
                self.reply(self.answer(self.receiver.segment(b"actor", message)))
            case Bye():
                self.byes += 1
                self.reply(self.answer(self.receiver.bye(b"actor", message)))
        return True

    def answer(self, outcome):
        return outcome if isinstance(outcome, Refused) else self.receiver.ack(outcome, self.version)

    def weights_frame(self):
        return encode_weights(self.setup.weights(self.version))

    def newest(self):
        frame, self.published = self.published, None
        return frame

    def train(self):
        if taken := self.receiver.take(100):
            self.trained += taken
            self.receiver.mark_trained()
            self.version += 1
            self.published = self.weights_frame()
            self.reply(self.answer(self.receiver.epochs[0]))

    def checkpoint(self):
        self.receiver.mark_durable([epoch.watermark() for epoch in self.receiver.epochs])
        for epoch in self.receiver.epochs:
            self.reply(self.receiver.ack(epoch, self.version))


class Simulation:
    """An actor, its environment and its learner. Each round of the actor takes 10 ms."""

    def __init__(self, setup, clock, ledger=None):
        self.clock = clock
        self.env = FakeEnv()
        self.learner = FakeLearner(setup)
        self.trains = self.checkpoints = True
        self.rounds = 0
        self.on_round = lambda _rounds: None
        hello = Hello(AGENT, ARENA, EPOCH, FINGERPRINT)
        self.outbox = Outbox(LANES, max_kept=100)
        join = Join(AGENT, EPOCH, FINGERPRINT)
        dims, learner = setup.dims, self.learner
        self.actor = Actor(
            self,
            EnvClient(self.env, join, LANES, dims, clock.read),
            LearnerClient(learner, learner, hello, self.outbox, dims, setup.tensors, clock.read),
            [setup.lane(index, seed=index) for index in range(LANES)],
            Ledger(ledger, ARENA, AGENT, EPOCH),
            clock.read,
        )

    def wait(self, _seconds):
        self.on_round(self.rounds)
        self.clock.now += 0.01
        if self.trains:
            self.learner.train()
        if self.checkpoints:
            self.learner.checkpoint()
        self.rounds -= 1
        return self.rounds >= 0

    def run(self, rounds=40):
        """So many rounds of the actor's loop, and its end: whether all segments are durable."""
        self.rounds = rounds
        return self.actor.run()

    def answered(self, lane):
        """How many ticks of a lane were acted in."""
        return len({act.tick for act in self.env.acts if act.lane == lane})


def of_lane(segments, lane):
    return [segment for segment in segments if segment.lane == lane]
