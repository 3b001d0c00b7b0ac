"""One run under faults: injects them, watches progress, samples resources, checks the results."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import click
from tests.chaos import connections
from tests.chaos.evidence import exactly_once
from tests.chaos.faults import Fault
from tests.chaos.injector import Injector
from tests.chaos.recorded_run import GAMES, SEGMENT, RecordedRun
from tests.chaos.resources import Sample, samples
from tests.chaos.watch import LONGEST, Watch, stopped_by

TICK = 0.2  # seconds
LOG_TAIL = 40  # lines
SAMPLE_SECONDS = 10.0


class Session:
    """A run that is up, and everything that happens to it.

    Args:
        run: To disturb.
        sample_seconds: Time between two samples of all processes.

    Attributes:
        applied: The faults so far.
        findings: What should not have happened.
        samples: Of all processes.
    """

    def __init__(self, run: RecordedRun, sample_seconds: float = SAMPLE_SECONDS) -> None:
        self.run = run
        self.applied: list[Fault] = []
        self.findings: list[str] = []
        self.samples: list[Sample] = []
        self.began = time.monotonic()
        self.watch = Watch(time.monotonic)
        self._sample_seconds = sample_seconds
        self._sampled = -math.inf
        reason = connections.unavailable()
        if reason:
            click.echo(f"skipped: {reason}")
        if not run.own_disk:
            click.echo("skipped: full disks need a file system of our own, which needs root")
        self.injector = Injector(run, may_cut=not reason)

    def disturb(
        self, faults: Iterator[Fault], count: float = math.inf, seconds: float = math.inf
    ) -> None:
        """Apply so many faults, or for so many seconds; wait until all of them have ended."""
        end, target = time.monotonic() + seconds, len(self.applied) + count
        for fault in faults:
            if not self.injector.is_possible(fault):
                continue
            self.wait(min(fault.pause, end - time.monotonic()))
            if len(self.applied) >= target or time.monotonic() >= end or self.findings:
                break
            if self.injector.apply(fault):
                self.applied.append(fault)
                self._say(f"{len(self.applied)}: {fault}")
                if not fault.seconds:
                    self.watch.after(fault)
        while self.injector.lasting and not self.findings:
            self.wait(TICK)

    def recover(self) -> None:
        """Wait until all counters have grown after the last fault."""
        deadline = time.monotonic() + LONGEST
        while self.watch.waiting and not self.findings and time.monotonic() < deadline:
            self.wait(TICK)
        for one in self.watch.waiting:
            self.findings.append(f"no progress after {one.fault}: {', '.join(sorted(one.since))}")

    def wait(self, seconds: float) -> None:
        """Let the run go on, and watch it; returns early if there is a finding."""
        end = time.monotonic() + seconds
        while not self.findings:
            self._tick()
            if time.monotonic() >= end:
                return
            time.sleep(TICK)

    def finish(self) -> None:
        """Stop the run, and check everything that it has left."""
        self.injector.end_due(now=True)
        began = time.monotonic()
        code = self.run.stop()
        self._say(f"the run ended with exit code {code}, {time.monotonic() - began:.1f} s after ^C")
        if code != 0:
            self.findings.append(f"wanted exit code 0, found {code}:\n{self.run.log.read_text()}")
        if code is not None:
            self.findings += check(self.run.dir, self.run.records)

    def report(self) -> Iterator[str]:
        """What happened, and how long the recoveries took."""
        yield f"{len(self.applied)} faults in {time.monotonic() - self.began:.0f} s"
        seconds: dict[str, list[float]] = {}
        for one in self.watch.recovered:
            is_long = one.fault.seconds > LONGEST
            kind = f"long {one.fault.kind}" if is_long else one.fault.kind
            seconds.setdefault(kind, []).append(one.seconds)
        for kind, taken in sorted(seconds.items()):
            yield (
                f"  {kind:11} {len(taken):3} times; all agents and arenas went on after "
                f"{median(taken):.1f} s (median), {max(taken):.1f} s (longest)"
            )

    def _tick(self) -> None:
        for fault in self.injector.end_due():
            self._say(f"end of {fault}")
            self.watch.after(fault)
        stopped = stopped_by(fault for fault, _, _ in self.injector.lasting)
        self.findings += self.watch.update(self.run.progress(), stopped)
        if self.run.process.poll() is not None:
            self.findings.append(f"the run ended with exit code {self.run.process.returncode}")
        seconds = time.monotonic() - self.began
        if seconds - self._sampled >= self._sample_seconds:
            self._sampled = seconds
            self.samples += samples(self.run, seconds)
        if self.findings:
            self._print_state()

    def _print_state(self) -> None:
        click.echo("\n".join(self.findings))
        for sample in samples(self.run, time.monotonic() - self.began):
            click.echo(str(sample))
        click.echo(f"lasting: {[str(fault) for fault, _, _ in self.injector.lasting]}")
        for path in (self.run.log, *sorted((self.run.dir / "logs").glob("*.log"))):
            click.echo(f"--- {path}")
            click.echo("\n".join(path.read_text().splitlines()[-LOG_TAIL:]))

    def _say(self, text: str) -> None:
        click.echo(f"{time.monotonic() - self.began:7.1f} s  {text}")


def check(run_dir: Path, records: Path) -> list[str]:
    """What is wrong with a run that has ended: by its own account, and by ours."""
    summary = json.loads((run_dir / "summary.json").read_text())
    evidence = exactly_once.read_evidence(run_dir, records, SEGMENT * GAMES)
    found = list(islice(exactly_once.faults(evidence), 20))
    trained = sum(
        len(batch["segments"])
        for agent, progress in evidence.progress.items()
        for batch in exactly_once.surviving(evidence.batches[agent], progress["version"])
    )
    written = sum(len(b["segments"]) for batches in evidence.batches.values() for b in batches)
    made = sum(map(len, evidence.made.values()))
    click.echo(
        f"segments: {made} made by {len(evidence.made)} actors, {trained} durable, "
        f"{written - trained} trained and lost with a learner and trained again; "
        f"restarts: {sum(summary['restarts'].values())}"
    )
    if not summary["account_adds_up"]:
        found += summary["account_faults"]
    return found
