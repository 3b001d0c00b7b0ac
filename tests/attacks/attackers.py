"""The attackers: each is a process that sends for so many seconds what no process of a run does.

`python -m tests.attacks.attackers NAME NUMBER ATTACK [KEYS]` runs one, with its number and a file
of what it knows of the run; it prints how many bytes it sent. Without encryption attackers write
ready-made bytes to TCP connections, so that they need little processor time. With keys they are
ZeroMQ's sockets.
"""

import itertools
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
import numpy as np
import zmq
from tests.attacks import zmtp

from ssd_wire.codec import encode
from ssd_wire.fields import layout
from ssd_wire.messages import Act, Hello, Join, Message, Segment
from ssd_wire.security.keys import load_keys

ARENAS = itertools.count(1000)


@dataclass
class Attack:
    """What an attacker knows of a run, how long it attacks, and how much it has sent.

    Args:
        env, segments, weights: Ports of the environment and of a learner.
        metrics: Ports of metrics pages.
        agent: Whose learner it is.
        fingerprint: Of the run.
        frames: A valid segment's.
        number: Of this attacker.
    """

    env: int
    segments: int
    weights: int
    metrics: list[int]
    agent: int
    fingerprint: str
    frames: list[str]
    seconds: float
    number: int = 0
    ends: float = field(init=False)
    sent: int = 0

    def __post_init__(self) -> None:
        self.ends = time.monotonic() + self.seconds

    def going_on(self) -> bool:
        """Whether the attack is not over."""
        return time.monotonic() < self.ends

    @property
    def target(self) -> int:
        """The environment's port or the learner's, in turn."""
        return (self.env, self.segments)[self.number % 2]

    def flood(
        self, port: int, chunks: Iterator[bytes], *, kind: bytes = b"DEALER", first: bytes = b""
    ) -> None:
        """Write chunks as fast as they are taken; connect again when disconnected."""
        while self.going_on():
            with suppress(OSError), zmtp.connect(port, kind) as connection:
                connection.sendall(first)
                connection.settimeout(1.0)
                while self.going_on():
                    chunk = next(chunks)
                    connection.sendall(chunk)
                    self.sent += len(chunk)
                    connection.setblocking(False)
                    with suppress(BlockingIOError):
                        connection.recv(1 << 20)  # answers do not pile up at the server
                    connection.settimeout(1.0)


def bytes_of(message: Message) -> bytes:
    """A message as it is on the wire."""
    return zmtp.message([bytes(one) for one in encode(message)])


def segment(attack: Attack, epoch: int, seq: int, **arrays: float) -> bytes:
    """A valid segment with another epoch and number, and with some arrays filled."""
    header, *frames = [bytes.fromhex(one) for one in attack.frames]
    kind, version, scalars, shapes = msgpack.unpackb(header)
    names = [name for name, shape in zip(_arrays(), shapes, strict=True) if shape is not None]
    for name, value in arrays.items():
        at = names.index(name)
        frames[at] = np.full(len(frames[at]) // 4, value, np.float32).tobytes()
    header = msgpack.packb([kind, version, [epoch, seq, *scalars[2:]], shapes])
    return zmtp.message([header, *frames])


def _arrays() -> list[str]:
    return [one.name for one in layout(Segment).arrays]


def junk(attack: Attack) -> None:
    """Random frames, to the environment or the learner."""
    ready = [zmtp.message([os.urandom(60), os.urandom(200)]) * 200 for _ in range(50)]
    attack.flood(attack.target, itertools.cycle(ready))


def joins(attack: Attack) -> None:
    """Joins of another run, and for agents that do not exist."""
    ready = [
        b"".join(
            bytes_of(Join(agent, secrets.randbits(60), mark))
            for agent, mark in ((0, "another run"), (999, attack.fingerprint)) * 100
        )
        for _ in range(20)
    ]
    attack.flood(attack.env, itertools.cycle(ready))


def acts(attack: Attack) -> None:
    """Acts without a seat."""
    act = bytes_of(Act(1, 0, 0, False, np.zeros(16, np.uint8)))
    attack.flood(attack.env, itertools.repeat(act * 300))


def hellos(attack: Attack) -> None:
    """Hellos of ever new epochs in other arenas, each answered with the weights."""

    def chunks() -> Iterator[bytes]:
        for arena in ARENAS:
            epochs = (secrets.randbits(60) for _ in range(20))
            hello = (Hello(attack.agent, arena % 5000, one, attack.fingerprint) for one in epochs)
            yield b"".join(map(bytes_of, hello))

    attack.flood(attack.segments, chunks())


def wrong_numbers(attack: Attack) -> None:
    """Segments that are not the next one."""
    hello = bytes_of(Hello(attack.agent, 999, 5, attack.fingerprint))
    attack.flood(attack.segments, itertools.repeat(segment(attack, 5, 7)), first=hello)


def huge_rewards(attack: Attack) -> None:
    """Segments with rewards of 1e19."""
    hello = bytes_of(Hello(attack.agent, 999, 5, attack.fingerprint))
    large = segment(attack, 5, 1, reward=1e19)
    attack.flood(attack.segments, itertools.repeat(large), first=hello)


def long_topics(attack: Attack) -> None:
    """Subscriptions to topics of 10 MiB."""
    topic = zmtp.frame(b"\x01" + bytes(10 << 20))
    attack.flood(attack.weights, itertools.repeat(topic), kind=b"SUB")


def many_topics(attack: Attack) -> None:
    """Subscriptions to ever new short topics."""

    def chunks() -> Iterator[bytes]:
        while True:
            topics = (b"\x01" + secrets.token_bytes(60) for _ in range(500))
            yield b"".join(map(zmtp.frame, topics))

    attack.flood(attack.weights, chunks(), kind=b"SUB")


def endless(attack: Attack) -> None:
    """A message whose last frame never comes."""
    part = zmtp.frame(bytes(1000), more=True) * 60
    attack.flood(attack.target, itertools.repeat(part))


def slow_readers(attack: Attack) -> None:
    """HTTP clients that send their request byte by byte."""
    clients: list[socket.socket] = []
    request = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 10_000
    for byte in itertools.cycle(request):
        if not attack.going_on():
            return
        with suppress(OSError):
            port = secrets.choice(attack.metrics)
            clients.append(socket.create_connection(("127.0.0.1", port), timeout=1))
        for client in list(clients[-300:]):
            try:
                client.send(bytes([byte]))
                attack.sent += 1
            except OSError:
                clients.remove(client)
        time.sleep(0.02)


def connections(attack: Attack) -> None:
    """Thousands of connections that say nothing after the handshake, opened again and again."""
    opened: list[socket.socket] = []
    for port in itertools.cycle([attack.env, attack.segments, attack.weights]):
        if not attack.going_on():
            return
        with suppress(OSError):
            opened.append(zmtp.connect(port, b"SUB" if port == attack.weights else b"DEALER"))
            attack.sent += 1
        if len(opened) >= 3000:
            opened.pop(0).close()
        time.sleep(0.001)


def spinning(attack: Attack) -> None:
    """Nothing is sent; it needs as much processor time as it gets: the others' control."""
    while attack.going_on():
        pass


def with_keys(attack: Attack, keys: Path, server: str, identity: str | None, port: int) -> None:
    """Messages over encrypted connections, with keys of one's own or those of an identity."""
    ours = load_keys(keys, "env")
    public, secret = zmq.curve_keypair()
    if identity is not None:
        pair = load_keys(keys, identity)
        public, secret = pair.public, pair.secret
    frames = [b"junk" * 10, bytes(200)]
    while attack.going_on():
        client = zmq.Context.instance().socket(zmq.DEALER)
        for option, value in (
            (zmq.CURVE_PUBLICKEY, public),
            (zmq.CURVE_SECRETKEY, secret),
            (zmq.CURVE_SERVERKEY, ours.known[server]),
            (zmq.LINGER, 0),
            (zmq.IMMEDIATE, 1),
        ):
            client.setsockopt(option, value)
        client.connect(f"tcp://127.0.0.1:{port}")
        opened = time.monotonic()
        while attack.going_on() and time.monotonic() < opened + (0.2 if identity is None else 60):
            if client.poll(10, zmq.POLLOUT):
                client.send_multipart(frames)
                attack.sent += 240
        client.close()


def strangers(attack: Attack, keys: Path) -> None:
    """Connections with keys that nobody knows, opened again and again."""
    with_keys(attack, keys, "env", None, attack.env)


def other_agents_key(attack: Attack, keys: Path) -> None:
    """Another agent's actor at this agent's learner."""
    with_keys(attack, keys, f"learner-{attack.agent}", f"actor-{1 - attack.agent}", attack.segments)


def junk_with_a_key(attack: Attack, keys: Path) -> None:
    """Random messages of an actor that may connect."""
    with_keys(attack, keys, f"learner-{attack.agent}", f"actor-{attack.agent}", attack.segments)


PLAIN: dict[str, Callable[[Attack], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        *(junk, joins, acts, hellos, wrong_numbers, huge_rewards, long_topics, many_topics),
        *(endless, slow_readers, connections),
    )
}
ENCRYPTED: dict[str, Callable[[Attack, Path], None]] = {
    one.__name__.replace("_", "-"): one for one in (strangers, other_agents_key, junk_with_a_key)
}


def main() -> None:
    """Attack as the command line says."""
    name, number, known, *keys = sys.argv[1:]
    os.nice(19)
    attack = Attack(**json.loads(Path(known).read_text()), number=int(number))
    if name in ENCRYPTED:
        ENCRYPTED[name](attack, Path(*keys))
    else:
        {**PLAIN, "spinning": spinning}[name](attack)
    print(json.dumps({"sent": attack.sent}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
