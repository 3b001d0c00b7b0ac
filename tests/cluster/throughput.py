"""How fast a run trains in containers with encryption, and as `ssd-train` on the same machine.

    python -m tests.cluster.throughput --csv throughput.csv

Both ways train harvest-moa with 1 and with 2 arenas, in turn. Containers have a bridge network,
CURVE and the network policies; `ssd-train` has ipc sockets. Needs what `make test-cluster` needs.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from tests.cluster.conftest import IMAGE, TAG
from tests.cluster.experiment import BIN, manifests
from tests.cluster.observe import LEARNERS, metric_at
from tests.cluster.player.cluster import Cluster, only_one
from tests.cluster.player.image import build
from tests.cluster.player.podman import Podman, why_unusable
from tests.until import until

WARMUP_SECONDS = 10.0
START_SECONDS = 300.0
CONTAINERS, IPC = "containers, CURVE", "ssd-train, ipc"
COLUMNS = ("way", "arenas", "round", "agent_steps_per_second", "load_before", "load_after")


def speed(addresses: list[str], seconds: float) -> float:
    """Agent-steps trained per second by the learners whose metrics are at these addresses."""

    def trained() -> list[float]:
        return [metric_at(address, "ssd_learner_own_steps") for address in addresses]

    until(lambda: min(trained()) > 0, seconds=START_SECONDS)
    time.sleep(WARMUP_SECONDS)
    before, began = sum(trained()), time.monotonic()
    time.sleep(seconds)
    return (sum(trained()) - before) / (time.monotonic() - began)


@contextmanager
def in_containers(podman: Podman, arenas: int) -> Iterator[list[str]]:
    """A run in containers; gives the addresses of its learners' metrics."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "manifests"
        keys.mkdir()
        objects = manifests(keys, IMAGE, settings=())
        for one in objects:
            if (one["kind"], one["metadata"]["name"]) == ("StatefulSet", "arena"):
                one["spec"]["replicas"] = arenas
        cluster = Cluster(podman, Path(folder) / "volumes", objects)
        try:
            cluster.start()
            until(lambda: all(pod.is_ready for pod in cluster.pods.values()), seconds=START_SECONDS)
            yield [f"{cluster.pods[name].address}:9100" for name in LEARNERS]
        finally:
            cluster.stop()


@contextmanager
def by_ssd_train(arenas: int) -> Iterator[list[str]]:
    """A run of `ssd-train`; gives the addresses of its learners' metrics."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        command = [
            BIN / "ssd-train",
            "harvest-moa",
            "--arenas",
            str(arenas),
            "--run-dir",
            str(run_dir),
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            entries = [run_dir / "processes" / f"{name}.json" for name in LEARNERS]
            until(lambda: all(entry.exists() for entry in entries), seconds=START_SECONDS)
            yield [json.loads(entry.read_text())["metrics"] for entry in entries]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


@click.command()
@click.option("--rounds", default=2, show_default=True, help="Of all measurements, in turn.")
@click.option("--seconds", default=30.0, show_default=True, help="Of each measurement.")
@click.option("--csv", "path", type=click.Path(path_type=Path), required=True)
def main(rounds: int, seconds: float, path: Path) -> None:
    """Measure both ways and write a table."""
    with tempfile.TemporaryDirectory() as folder, path.open("w") as file, only_one():
        podman = Podman(Path(folder))
        if reason := why_unusable(podman):
            raise click.ClickException(reason)
        build(podman, f"{IMAGE}:{TAG}", Path(folder))
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for number, arenas in itertools.product(range(1, rounds + 1), (1, 2)):
            for way in (IPC, CONTAINERS):
                run = by_ssd_train(arenas) if way == IPC else in_containers(podman, arenas)
                before = os.getloadavg()[0]
                with run as addresses:
                    found = speed(addresses, seconds)
                loads = [round(load, 1) for load in (before, os.getloadavg()[0])]
                rows.writerow([way, arenas, number, round(found), *loads])
                file.flush()


if __name__ == "__main__":
    main()
