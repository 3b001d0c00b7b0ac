"""The attackers: each is a process that sends for so many seconds what no process of a run does.

`python -m tests.attacks.attackers NAME AIM [KEYS]` runs one, with a file of what it knows of the
run; it prints how many bytes it sent, and how much processor time it used. Without encryption
attackers write ready-made bytes to TCP connections, so that they need little processor time. With
keys they are ZeroMQ's sockets.
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
class Aim:
    """What an attacker knows of a run, and how long it attacks.

    Args:
        env, segments, weights: Ports of the environment and of a learner.
        metrics: Ports of metrics pages.
        agent: Whose learner it is.
        fingerprint: Of the run.
        frames: A valid segment's.
    """

    env: int
    segments: int
    weights: int
    metrics: list[int]
    agent: int
    fingerprint: str
    frames: list[str]
    seconds: float
    ends: float = field(init=False)
    sent: int = 0

    def __post_init__(self) -> None:
        self.ends = time.monotonic() + self.seconds

    def going_on(self) -> bool:
        """Whether the attack is not over."""
        return time.monotonic() < self.ends

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


def segment(aim: Aim, epoch: int, seq: int, **arrays: float) -> bytes:
    """A valid segment with another epoch and number, and with some arrays filled."""
    header, *frames = [bytes.fromhex(one) for one in aim.frames]
    kind, version, scalars, shapes = msgpack.unpackb(header)
    names = [name for name, shape in zip(_arrays(), shapes, strict=True) if shape is not None]
    for name, value in arrays.items():
        at = names.index(name)
        frames[at] = np.full(len(frames[at]) // 4, value, np.float32).tobytes()
    header = msgpack.packb([kind, version, [epoch, seq, *scalars[2:]], shapes])
    return zmtp.message([header, *frames])


def _arrays() -> list[str]:
    return [one.name for one in layout(Segment).arrays]


def junk(aim: Aim) -> None:
    """Random frames, to the environment or the learner."""
    ready = [zmtp.message([os.urandom(60), os.urandom(200)]) * 200 for _ in range(50)]
    aim.flood(secrets.choice([aim.env, aim.segments]), itertools.cycle(ready))


def joins(aim: Aim) -> None:
    """Joins of another run, and for agents that do not exist."""
    ready = [
        b"".join(
            bytes_of(Join(agent, secrets.randbits(60), mark))
            for agent, mark in ((0, "another run"), (999, aim.fingerprint)) * 100
        )
        for _ in range(20)
    ]
    aim.flood(aim.env, itertools.cycle(ready))


def acts(aim: Aim) -> None:
    """Acts without a seat."""
    act = bytes_of(Act(1, 0, 0, np.zeros(16, np.uint8)))
    aim.flood(aim.env, itertools.repeat(act * 300))


def hellos(aim: Aim) -> None:
    """Hellos of ever new epochs in other arenas, each answered with the weights."""

    def chunks() -> Iterator[bytes]:
        for arena in ARENAS:
            epochs = (secrets.randbits(60) for _ in range(20))
            hello = (Hello(aim.agent, arena % 5000, one, aim.fingerprint) for one in epochs)
            yield b"".join(map(bytes_of, hello))

    aim.flood(aim.segments, chunks())


def wrong_numbers(aim: Aim) -> None:
    """Segments that are not the next one."""
    hello = bytes_of(Hello(aim.agent, 999, 5, aim.fingerprint))
    aim.flood(aim.segments, itertools.repeat(segment(aim, 5, 7)), first=hello)


def huge_rewards(aim: Aim) -> None:
    """Segments with rewards of 1e19."""
    hello = bytes_of(Hello(aim.agent, 999, 5, aim.fingerprint))
    large = segment(aim, 5, 1, reward=1e19)
    aim.flood(aim.segments, itertools.repeat(large), first=hello)


def long_topics(aim: Aim) -> None:
    """Subscriptions to topics of 10 MiB."""
    topic = zmtp.frame(b"\x01" + bytes(10 << 20))
    aim.flood(aim.weights, itertools.repeat(topic), kind=b"SUB")


def many_topics(aim: Aim) -> None:
    """Subscriptions to ever new short topics."""

    def chunks() -> Iterator[bytes]:
        while True:
            topics = (b"\x01" + secrets.token_bytes(60) for _ in range(500))
            yield b"".join(map(zmtp.frame, topics))

    aim.flood(aim.weights, chunks(), kind=b"SUB")


def endless(aim: Aim) -> None:
    """A message whose last frame never comes."""
    part = zmtp.frame(bytes(1000), more=True) * 60
    aim.flood(secrets.choice([aim.env, aim.segments]), itertools.repeat(part))


def slow_readers(aim: Aim) -> None:
    """HTTP clients that send their request byte by byte."""
    clients: list[socket.socket] = []
    request = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 10_000
    for byte in itertools.cycle(request):
        if not aim.going_on():
            return
        with suppress(OSError):
            port = secrets.choice(aim.metrics)
            clients.append(socket.create_connection(("127.0.0.1", port), timeout=1))
        for client in list(clients[-300:]):
            try:
                client.send(bytes([byte]))
                aim.sent += 1
            except OSError:
                clients.remove(client)
        time.sleep(0.02)


def connections(aim: Aim) -> None:
    """Thousands of connections that say nothing after the handshake, opened again and again."""
    opened: list[socket.socket] = []
    for port in itertools.cycle([aim.env, aim.segments, aim.weights]):
        if not aim.going_on():
            return
        with suppress(OSError):
            opened.append(zmtp.connect(port, b"SUB" if port == aim.weights else b"DEALER"))
            aim.sent += 1
        if len(opened) >= 3000:
            opened.pop(0).close()
        time.sleep(0.001)


def spinning(aim: Aim) -> None:
    """Nothing is sent; it needs as much processor time as it gets: the others' control."""
    while aim.going_on():
        pass


def with_keys(aim: Aim, keys: Path, server: str, identity: str | None, port: int) -> None:
    """Messages over encrypted connections, with keys of one's own or those of an identity."""
    ours = load_keys(keys, "env")
    public, secret = zmq.curve_keypair()
    if identity is not None:
        pair = load_keys(keys, identity)
        public, secret = pair.public, pair.secret
    frames = [b"junk" * 10, bytes(200)]
    while aim.going_on():
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
        while aim.going_on() and time.monotonic() < opened + (0.2 if identity is None else 60):
            if client.poll(10, zmq.POLLOUT):
                client.send_multipart(frames)
                aim.sent += 240
        client.close()


def strangers(aim: Aim, keys: Path) -> None:
    """Connections with keys that nobody knows, opened again and again."""
    with_keys(aim, keys, "env", None, aim.env)


def other_agents_key(aim: Aim, keys: Path) -> None:
    """Another agent's actor at this agent's learner."""
    with_keys(aim, keys, f"learner-{aim.agent}", f"actor-{1 - aim.agent}", aim.segments)


def junk_with_a_key(aim: Aim, keys: Path) -> None:
    """Random messages of an actor that may connect."""
    with_keys(aim, keys, f"learner-{aim.agent}", f"actor-{aim.agent}", aim.segments)


PLAIN: dict[str, Callable[[Aim], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        *(junk, joins, acts, hellos, wrong_numbers, huge_rewards, long_topics, many_topics),
        *(endless, slow_readers, connections),
    )
}
ENCRYPTED: dict[str, Callable[[Aim, Path], None]] = {
    one.__name__.replace("_", "-"): one for one in (strangers, other_agents_key, junk_with_a_key)
}


def main() -> None:
    """Attack as the command line says."""
    name, known, *keys = sys.argv[1:]
    os.nice(19)
    aim = Aim(**json.loads(Path(known).read_text()))
    if name in ENCRYPTED:
        ENCRYPTED[name](aim, Path(*keys))
    else:
        {**PLAIN, "spinning": spinning}[name](aim)
    print(json.dumps({"sent": aim.sent, "cpu": time.process_time()}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
