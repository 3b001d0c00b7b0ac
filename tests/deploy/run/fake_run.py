"""Stands in for every process of a run: each reports fixed results as soon as it has started.

These are two segments of 800 own-steps per agent. Forked by the fork server instead of real ones.
"""

import json
import select
import sys
import time
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily

from ssd_wire.process.command import serve_metrics, write_atomically, write_process_entry
from ssd_wire.process.stop import Stop


class Metrics:
    def __init__(self, kind: str, behaviour: str, run_dir: Path) -> None:
        self.kind = kind
        self.behaviour = behaviour
        self.run_dir = run_dir

    def collect(self):
        if self.kind == "learner":
            yield GaugeMetricFamily("ssd_learner_own_steps", "", 1600)
            yield GaugeMetricFamily("ssd_learner_weights_version", "", 2)
            complete = self.behaviour == "completes" and self.all_have_reported()
            yield GaugeMetricFamily("ssd_learner_complete", "", complete)
            yield GaugeMetricFamily("ssd_learner_moa_loss_nats", "", 1.5)

    def all_have_reported(self) -> bool:
        """Whether all actors and the environment have written their records."""
        ledgers = list(self.run_dir.glob("ledgers/actor-*.json"))
        return len(ledgers) == 5 and (self.run_dir / "episodes" / "arena-0.jsonl").exists()


def preload(_run_file: Path) -> None:
    """Loads nothing."""


def main() -> None:
    role, run_dir, behaviour, *options = sys.argv[1:]
    run_dir = Path(run_dir)
    kind, *numbers = role.split("-")
    agent = int(numbers[-1])
    stop = Stop(next(int(o.partition("=")[2]) for o in options if o.startswith("--parent-pipe")))
    if behaviour == "refuses" and role == "learner-1":
        print("error: no such device")
        sys.exit(78)
    write_records(run_dir, kind, agent)
    address = serve_metrics(Metrics(kind, behaviour, run_dir), "127.0.0.1:0", role)
    write_process_entry(run_dir, role, {"metrics": address})
    while not stop.requested or (behaviour == "stubborn" and kind == "actor"):
        select.select([] if stop.requested else stop.descriptors, [], [], 0.5)
        stop.check()


def write_records(run_dir: Path, kind: str, agent: int) -> None:
    epoch = agent + 1
    if kind == "actor":
        ledger = {"arena": 0, "agent": agent, "epoch": epoch, "made": 2, "resent": 0}
        name = f"actor-0-{agent}-{epoch:016x}.json"
        write_atomically(run_dir / "ledgers" / name, json.dumps(ledger | {"discarded": 0}))
    if kind == "learner":
        segments = {"received": 2, "trained": 2, "surplus": 0}
        ledger = {
            "agent": agent,
            "learner": 1,
            "own_steps": 1600,
            "updates": 2,
            "complete": True,
            "segments": segments | {"duplicate": 0},
            "epochs": [segments | {"arena": 0, "epoch": epoch, "durable": 2}],
        }
        write_atomically(run_dir / "ledgers" / f"learner-{agent}.json", json.dumps(ledger))
    if kind == "env":
        episode = {
            "length": 1000,
            "returns": [1.0] * 5,
            "collective_return": 5.0,
            "equality": 1.0,
            "counts": {"apples": [1] * 5, "cleaned": [0] * 5, "fires": [0] * 5},
            "time": time.time(),
        }
        (run_dir / "episodes" / "arena-0.jsonl").write_text(json.dumps(episode) + "\n")
