"""The actor's clients: whatever a server sends, they go on, or end with the reason."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from tests.fuzz.target import Reader, Target, joined
from tests.learner.recording_trainer import DIMS, numbered_segment

from ssd_actors.env_client import EnvClient
from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox, SegmentsLostError
from ssd_wire.codec import Frame, encode
from ssd_wire.dims import Dims
from ssd_wire.errors import RefusedError
from ssd_wire.messages import Ack, Act, Hello, Join, Message, Refused, Seat, Timestep, Welcome
from ssd_wire.weights import Weights, encode_weights

EPOCH, LANES, KEPT = 7, 2, 4
SHAPES = {"a": (2, 3), "b": ()}
ENV_DIMS = Dims(B=2, N=3, A=4, W=2, P=7, V=2, R=3)


class Clock:
    """Seconds, which pass when an input says so."""

    now = 0.0

    def read(self) -> float:
        return self.now


class ListConnection:
    """Delivers what an input says, and takes all that is sent unless it is blocked."""

    def __init__(self) -> None:
        self.dropped = 0
        self.is_blocked = False
        self.arrived: deque[list[bytes]] = deque()
        self.published: bytes | None = None

    def send(self, _frames: Sequence[Frame]) -> bool:
        return not self.is_blocked

    def receive(self) -> Iterator[list[bytes]]:
        while self.arrived:
            yield self.arrived.popleft()

    def newest(self) -> bytes | None:
        published, self.published = self.published, None
        return published

    def reopen(self) -> None:
        self.arrived.clear()


class Actor:
    """Both clients of one actor, and their connections."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.to_env, self.to_learner = ListConnection(), ListConnection()
        self.outbox = Outbox(LANES, KEPT)
        join, hello = Join(1, EPOCH, "this run"), Hello(1, 0, EPOCH, "this run")
        self.env = EnvClient(self.to_env, join, LANES, ENV_DIMS, self.clock.read)
        links = self.to_learner, self.to_learner
        now = self.clock.read
        self.learner = LearnerClient(*links, hello, self.outbox, DIMS, SHAPES, now)


@cache
def frame_of_weights(learner: int, version: int) -> bytes:
    tensors = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    return encode_weights(Weights(learner, version, 1, tensors))


def from_learner(reader: Reader, outbox: Outbox) -> list[bytes]:
    """What the learner sends: frames as they are, or of a message that is made of a few bytes."""
    kind, epoch = reader.number() % 8, EPOCH if reader.number() % 8 else 8
    learner, made = reader.number() % 3 + 1, outbox.made
    received, trained, durable = (min(made, reader.number() % 8) for _ in range(3))
    version = reader.number() % 4
    progress = (max(received, trained, durable), max(trained, durable), durable)
    match kind:
        case 0:
            return reader.frames()
        case 1:
            message: Message = Refused("no", fatal=not reader.number() % 16)
        case 2:
            message = Ack(epoch, learner, *(reader.natural() for _ in range(4)), complete=False)
        case 3 | 4:
            frame = np.frombuffer(frame_of_weights(learner, version), np.uint8)
            weights = None if kind == 3 else frame
            message = Welcome(epoch, learner, *progress, 2, complete=False, weights=weights)
        case _:
            message = Ack(epoch, learner, *progress, version, complete=kind == 7)
    return [bytes(frame) for frame in encode(message)]


def run_learner_client(data: bytes) -> None:
    reader, actor = Reader(data), Actor()
    outbox = actor.outbox
    while reader:
        action = reader.number()
        actor.clock.now += action % 8
        actor.to_learner.is_blocked = action % 64 == 63
        if action % 3 == 0 and actor.learner.has_room():
            actor.learner.push(numbered_segment(1), 0)
        elif action % 3 == 1:
            actor.to_learner.published = frame_of_weights(action % 4, reader.number() % 4)
        elif action == 254:
            actor.to_learner.published = reader.piece(reader.number())
            actor.learner.send_bye()
        actor.to_learner.arrived.append(from_learner(reader, outbox))
        try:
            actor.learner.poll()
        except (RefusedError, SegmentsLostError):
            return
        assert 0 <= outbox.durable <= outbox.received <= outbox.made
        assert len(outbox._kept) == outbox.made - outbox.durable <= KEPT


def seeds_of_learner_client() -> Iterator[bytes]:
    welcome, ack = bytes([1, 0, 4, 1, 0, 0, 0, 0, 0]), bytes([3, 5, 1, 0, 1, 1, 0, 0])
    yield welcome + ack * 6
    for message in (
        Ack(EPOCH, 1, 0, 0, 0, 0, complete=False),
        Welcome(EPOCH, 1, 0, 0, 0, 2, complete=False),
        Refused("no", fatal=False),
    ):
        yield welcome + bytes([3, 0, 1, 0, 0, 0, 0, 0]) + joined(encode(message))


def from_env(reader: Reader) -> list[bytes]:
    """What the environment sends: frames as they are, or of a message made of a few bytes."""
    b, n, w = ENV_DIMS.B, ENV_DIMS.N, ENV_DIMS.W
    env = reader.number() % 3 + 1
    match reader.number() % 4:
        case 0:
            return reader.frames()
        case 1:
            message: Message = Refused("no", fatal=not reader.number() % 16)
        case 2:
            message = Seat(env, n, 4, 0, LANES, b, 5, w, np.zeros((7, 3), np.uint8))
        case _:
            message = Timestep(
                env,
                reader.number() % (LANES + 1),
                reader.natural(),
                np.zeros((b, w, w), np.uint8),
                np.zeros(b, np.bool_),
                np.zeros(b, np.float32),
                np.zeros((b, n), np.uint8),
                np.zeros((b, n), np.bool_),
                symbols=np.zeros((b, n), np.uint8),
                all_rewards=np.zeros((b, n), np.float32),
            )
    return [bytes(frame) for frame in encode(message)]


def run_env_client(data: bytes) -> None:
    reader, actor = Reader(data), Actor()
    ticks: dict[tuple[int, int], int] = {}
    while reader:
        action = reader.number()
        actor.clock.now += action % 8
        actor.to_env.is_blocked = action % 64 == 63
        actor.to_env.arrived.append(from_env(reader))
        try:
            for step in actor.env.timesteps():
                key = step.env_incarnation, step.lane
                assert step.tick > ticks.get(key, -1)
                ticks[key] = step.tick
                action_of = np.zeros(ENV_DIMS.B, np.uint8)
                actor.env.send(Act(*key, step.tick, False, action_of, symbol=action_of))
        except RefusedError:
            return
        ticks = {key: tick for key, tick in ticks.items() if key in actor.env._answers}
        assert len(actor.env._answers) <= LANES


def seeds_of_env_client() -> Iterator[bytes]:
    seat, steps = bytes([1, 0, 2]), b"".join(bytes([1, 0, 3, 0, tick]) for tick in range(4))
    yield seat + steps
    reader = Reader(bytes([0, 3, 0, 5]))
    yield seat + bytes([1, 0, 0]) + joined(from_env(reader))


TARGETS = (
    Target("learner-client", run_learner_client, seeds_of_learner_client),
    Target("env-client", run_env_client, seeds_of_env_client),
)
