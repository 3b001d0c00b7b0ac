"""What it costs to publish weights: `python -m ssd_lab.load.fanout`. One publisher, k subscribers.

The publisher sends the next version when everybody has heard the last, so every byte counted has
arrived, and a moment later, as a learner does: ZeroMQ looks only every millisecond or so whether a
queue has room again, and publications that come faster are dropped to subscribers that are idle.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import click

from ssd_lab.load.cli import Counts, machine
from ssd_lab.load.drawn import cast
from ssd_lab.plan import validate
from ssd_lab.presets import load_preset
from ssd_wire.links import Publisher, Subscriber, Waiting
from ssd_wire.memory import keep_freed_memory
from ssd_wire.process import reports_errors, write_whole
from ssd_wire.stop import Stop

PATIENCE = 60.0  # seconds for subscribers to be there
UNHEARD = 0.5  # seconds after which a version is published again
UPDATE = 0.005  # seconds that no update is shorter than


@dataclass(frozen=True)
class Fanout:
    """One row: what it took to reach so many subscribers.

    Attributes:
        preset: Whose weights.
        subscribers: k.
        frame_bytes: Of one version.
        repeats: Versions published again, for somebody had not heard them in time.
        updates_per_second: Versions that everybody heard.
        megabytes_per_second: Sent to all together, 10⁶ bytes.
        send_microseconds: Of the publishing thread, for each version.
        cpu_microseconds: Of the publishing process with its ZeroMQ thread, for each version.
    """

    preset: str
    subscribers: int
    frame_bytes: int
    repeats: int
    updates_per_second: float
    megabytes_per_second: float
    send_microseconds: float
    cpu_microseconds: float


def listen(endpoint: str, subscribers: int, heard: Connection) -> None:
    """Hear with so many links, and tell each version that all of them have heard."""
    links = [Subscriber(endpoint) for _ in range(subscribers)]
    waiting = Waiting(Stop(), links)
    newest = [0] * subscribers
    told = 0
    while not heard.poll():  # anything that comes back means: enough
        waiting.wait(0.2)
        for number, link in enumerate(links):
            if (frame := link.newest()) is not None:
                newest[number] = int.from_bytes(frame[:8], "big")
        if min(newest) > told:
            told = min(newest)
            heard.send(told)


@contextmanager
def _listeners(endpoint: str, subscribers: int) -> Iterator[Connection]:
    processes = multiprocessing.get_context("spawn")  # sockets do not survive a fork
    ours, theirs = processes.Pipe()
    process = processes.Process(target=listen, args=(endpoint, subscribers, theirs), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        ours.send("enough")
        process.join()


def measure(preset: str, subscribers: int, seconds: float, endpoint: str) -> Fanout:
    """Publish to so many for so long.

    Raises:
        TimeoutError: when not all of them hear.
    """
    shapes = cast(validate(load_preset(preset)), 0).tensors.values()
    body = bytes(4 * sum(math.prod(shape) for shape in shapes))
    publisher = Publisher(endpoint)
    sending, repeats = 0.0, 0
    with _listeners(publisher.endpoint, subscribers) as heard:
        _reach_all(publisher, heard, 1, body)
        version, cpu, began = 1, time.process_time(), time.monotonic()
        while time.monotonic() < began + seconds:
            version += 1
            again, spent = _reach_all(publisher, heard, version, body)
            repeats += again
            sending += spent
            time.sleep(UPDATE)
        elapsed, cpu = time.monotonic() - began, time.process_time() - cpu
    publisher.close()
    updates, frame_bytes = version - 1, 8 + len(body)
    return Fanout(
        preset=preset,
        subscribers=subscribers,
        frame_bytes=frame_bytes,
        repeats=repeats,
        updates_per_second=updates / elapsed,
        megabytes_per_second=updates * subscribers * frame_bytes / elapsed / 1e6,
        send_microseconds=1e6 * sending / updates,
        cpu_microseconds=1e6 * cpu / updates,
    )


def _reach_all(
    publisher: Publisher, heard: Connection, version: int, body: bytes
) -> tuple[int, float]:
    """Publish a version until all have heard it; how often again, and the thread's seconds."""
    deadline = time.monotonic() + PATIENCE
    frame = version.to_bytes(8, "big") + body
    again, spent = -1, 0.0
    while time.monotonic() < deadline:
        before = time.thread_time()
        publisher.publish(frame)
        spent += time.thread_time() - before
        again += 1
        if heard.poll(UNHEARD):
            heard.recv()
            return again, spent
    raise TimeoutError(f"version {version} was not heard by all")


@click.command()
@click.option("--preset", default="cleanup-moa", show_default=True, help="Whose weights.")
@click.option("--subscribers", type=Counts(), default="1,5,20,100", show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="For each number.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write all figures here.")
@reports_errors
def main(preset: str, subscribers: tuple[int, ...], seconds: float, path: Path | None) -> None:
    """Measure one publisher of weights with more and more subscribers, on this machine."""
    keep_freed_memory()  # as a learner does
    rows = []
    click.echo("subscribers  updates/s     MB/s  send µs/update  CPU µs/update")
    for number in subscribers:
        with tempfile.TemporaryDirectory(prefix="ssd-fan-") as folder:
            row = measure(preset, number, seconds, f"ipc://{folder}/weights")
        rows.append(asdict(row))
        click.echo(
            f"{number:11d}  {row.updates_per_second:9,.1f}  {row.megabytes_per_second:7,.0f}  "
            f"{row.send_microseconds:14,.0f}  {row.cpu_microseconds:13,.0f}"
        )
    if path is not None:
        write_whole(path, json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
