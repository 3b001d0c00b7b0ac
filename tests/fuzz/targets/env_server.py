"""The environment server: whatever arrives, it answers or refuses, and keeps a bounded state."""

from collections import deque
from collections.abc import Iterator
from functools import cache

import numpy as np
from tests.env_server.serving import serve_one_round
from tests.fuzz.target import Reader, Target, joined

from ssd_env_server.cli import make_server
from ssd_env_server.episodes import Arena
from ssd_env_server.seats import MAX_REPLACED
from ssd_env_server.server import EnvServer
from ssd_envs.spec import GameSettings
from ssd_influence.settings import ExperimentSettings
from ssd_wire.codec import encode
from ssd_wire.messages import Act, Bye, Join, Message, Refused
from ssd_wire.run_file import RunSettings

AGENTS, LANES, GAMES, FINGERPRINT = 3, 2, 1, "this run"
ORCHARD = "#####\n#+o+#\n#+.+#\n#####"
EXPERIMENT = {"influence": "basic", "leaders": 1, "symbols": 2, "influencee_reward": True}


class ListSocket:
    """Holds frames in lists."""

    def __init__(self) -> None:
        self.dropped = 0
        self.sender: str | None = None
        self.arrived: deque[tuple[bytes, list[bytes]]] = deque()

    def send(self, _peer: bytes, message: Message) -> bool:
        encode(message)
        return True

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        while self.arrived:
            yield self.arrived.popleft()


@cache
def server() -> EnvServer:
    """The same one for all inputs: it is used as long as a real one."""
    game = {"name": "harvest", "agents": AGENTS, "horizon": 5, "map": ORCHARD}
    return make_server(
        ListSocket(),
        RunSettings(lanes=LANES, games=GAMES, segment=2),
        GameSettings.model_validate(game),
        ExperimentSettings.model_validate(EXPERIMENT),
        FINGERPRINT,
        Arena(1, 0, 1),
        None,
    )


def act(agent: int, lane: int, tick: int, env_incarnation: int) -> Act:
    """A valid act of an agent."""
    dims = server().dims[agent]
    return Act(
        env_incarnation,
        lane,
        tick,
        False,
        np.zeros(dims.B, np.uint8),
        np.zeros(dims.B, np.uint8),
        log_probs=np.zeros((dims.B, dims.A), np.float32) if dims.D else None,
        responses=np.zeros((dims.B, dims.K, dims.C, dims.A), np.float32) if dims.K else None,
    )


def read_message(reader: Reader) -> list[bytes]:
    """Frames from an input: as they are, or those of a message that is made of a few bytes."""
    env = server()
    kind, agent = divmod(reader.number(), 4)
    lane, incarnation = reader.number() % (LANES + 1), env.coordinator.seat.env_incarnation
    match kind % 8:
        case 0:
            return reader.frames()
        case 1:
            fingerprint = FINGERPRINT if reader.number() % 8 else "another"
            message: Message = Join(agent, reader.number(2), fingerprint)
        case 2:
            message = Refused("no" * reader.number(), fatal=True)
        case 3:
            message = Bye(reader.natural())
        case 4:
            message = act(agent % AGENTS, lane, reader.natural(), reader.natural())
        case _:
            now = env.coordinator.lanes[lane % LANES].tick
            tick = max(0, now + reader.number() % 4 - 2)
            message = act(agent % AGENTS, lane, tick, incarnation)
    return [bytes(frame) for frame in encode(message)]


def run_env_server(data: bytes) -> None:
    reader, env = Reader(data), server()
    socket = env.socket
    assert isinstance(socket, ListSocket)
    while reader:
        socket.sender = [None, None, "actor-0", "actor-2"][reader.number() % 4]
        peer = reader.piece(1)
        socket.arrived.append((peer, read_message(reader)))
        serve_one_round(env)
    seats = env.coordinator.seats
    assert len(seats) <= AGENTS
    assert all(len(replaced) <= MAX_REPLACED for replaced in seats._replaced)


def seeds() -> Iterator[bytes]:
    joins = b"".join(bytes([0, agent, 4 + agent, 0, 1, 0, agent]) for agent in range(AGENTS))
    acts = b"".join(bytes([0, agent, 20 + agent, 0, 2]) for agent in range(AGENTS))
    yield joins + acts * 3
    for message in (Join(0, 1, FINGERPRINT), act(1, 0, 0, 7), Refused("no", fatal=False)):
        yield joins + bytes([0, 0, 0, 0]) + joined(encode(message))


TARGETS = (Target("env-server", run_env_server, seeds),)
