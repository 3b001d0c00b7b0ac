"""Checks that each durable segment was trained exactly once, from evidence of its own.

The evidence is what `tests.chaos.evidence.recording` wrote. What led to the final weights is found
by following the versions of the weights: where a learner continues from an older version, the
batches after that version were lost with the learner that had trained them. Of `ssd-train` only
files are used: final checkpoints, ledgers and history, never its own account.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open

Line = Mapping[str, Any]


@dataclass
class Evidence:
    """All records of one run.

    Attributes:
        batches: By agent, the lines of its learners in the order in which they were written.
        made: Epoch → digests of its segments 1, 2, ….
        promised: Epoch → how many of its segments its actor was told are durable.
        progress: By agent, the metadata of its newest checkpoint.
        ledgers: Epoch → how many segments the actor's ledger says it has made.
        clean: Epochs whose actor ended with exit code 0.
        segment_steps: Own-steps of a segment.
    """

    batches: dict[int, list[Line]] = field(default_factory=dict)
    made: dict[int, list[str]] = field(default_factory=dict)
    promised: dict[int, int] = field(default_factory=dict)
    progress: dict[int, Line] = field(default_factory=dict)
    ledgers: dict[int, int] = field(default_factory=dict)
    clean: set[int] = field(default_factory=set)
    segment_steps: int = 0


def surviving(lines: Iterable[Line], version: int) -> list[Line]:
    """The batches that led to weights of this version, in order."""
    kept: list[Line] = []
    for line in lines:
        while kept and kept[-1]["to"] > line["from"]:
            kept.pop()
        kept.append(line)
    while kept and kept[-1]["to"] > version:
        kept.pop()
    return kept


def faults(evidence: Evidence) -> Iterator[str]:
    """A message for everything that contradicts the guarantee."""
    consumed: dict[int, int] = {}
    for agent, progress in sorted(evidence.progress.items()):
        batches = surviving(evidence.batches.get(agent, ()), progress["version"])
        for fault in (
            *_faults_of_versions(batches, progress),
            *_faults_of_segments(batches, progress, evidence.made),
            *_faults_of_steps(batches, progress, evidence.segment_steps),
        ):
            yield f"agent {agent}: {fault}"
        consumed |= {mark["epoch"]: mark["consumed"] for mark in progress["watermarks"]}
    yield from _faults_of_actors(evidence, consumed)


def _faults_of_versions(batches: Sequence[Line], progress: Line) -> Iterator[str]:
    version = 0
    for batch in batches:
        if batch["from"] != version:
            yield f"no batch is recorded from version {version} to {batch['from']}"
        version = batch["to"]
    if version != progress["version"]:
        yield f"the checkpoint has version {progress['version']}, the last batch {version}"


def _faults_of_segments(
    batches: Iterable[Line], progress: Line, made: Mapping[int, Sequence[str]]
) -> Iterator[str]:
    last: dict[int, int] = {}
    for epoch, seq, digest in (one for batch in batches for one in batch["segments"]):
        if seq != last.get(epoch, 0) + 1:
            yield f"epoch {epoch:x}: segment {seq} trained after segment {last.get(epoch, 0)}"
        last[epoch] = seq
        known = made.get(epoch, ())
        if seq > len(known) or known[seq - 1] != digest:
            yield f"epoch {epoch:x}: segment {seq} is not what its actor made"
    marks = {m["epoch"]: m["consumed"] - m["surplus"] for m in progress["watermarks"]}
    for epoch in marks.keys() | last.keys():
        trained, counted = last.get(epoch, 0), marks.get(epoch, 0)
        if trained != counted:
            yield f"epoch {epoch:x}: {trained} segments trained, {counted} counted in checkpoint"


def _faults_of_steps(batches: Sequence[Line], progress: Line, steps: int) -> Iterator[str]:
    trained = steps * sum(len(batch["segments"]) for batch in batches)
    if trained != progress["own_steps"]:
        yield f"{trained} own-steps trained, {progress['own_steps']} in the checkpoint"


def _faults_of_actors(evidence: Evidence, consumed: Mapping[int, int]) -> Iterator[str]:
    for epoch, digests in evidence.made.items():
        made, durable = len(digests), consumed.get(epoch, 0)
        if evidence.promised.get(epoch, 0) > durable:
            promised = evidence.promised[epoch]
            yield f"epoch {epoch:x}: {promised} segments were called durable, {durable} are"
        if epoch in evidence.clean and durable != made:
            yield f"epoch {epoch:x}: its actor ended cleanly with {durable} of {made} durable"
        if not durable <= evidence.ledgers.get(epoch, 0) <= made:
            ledger = evidence.ledgers.get(epoch, 0)
            yield f"epoch {epoch:x}: {ledger} in the ledger, {durable} durable, {made} made"
    for epoch in consumed.keys() - evidence.made.keys():
        if consumed[epoch]:
            yield f"epoch {epoch:x}: {consumed[epoch]} segments that no actor made"


def read_evidence(run_dir: Path, records: Path, segment_steps: int) -> Evidence:
    """All records of a run that has ended."""
    evidence = Evidence(segment_steps=segment_steps)
    for path in sorted(records.glob("learner-*.jsonl")):
        evidence.batches[int(path.stem.removeprefix("learner-"))] = _lines(path)
    for line in (line for path in records.glob("actor-*.jsonl") for line in _lines(path)):
        if "made" in line:
            epoch, seq, digest = line["made"]
            digests = evidence.made.setdefault(epoch, [])
            if seq != len(digests) + 1:
                raise ValueError(f"epoch {epoch:x}: wanted segment {len(digests) + 1}, found {seq}")
            digests.append(digest)
        else:
            epoch, durable = line["durable"]
            evidence.promised[epoch] = durable
    for folder in (run_dir / "checkpoints").iterdir():
        newest = max(folder.glob("update-*.safetensors"))
        with safe_open(newest, "np") as file:
            progress = json.loads(file.metadata()["progress"])
        evidence.progress[progress["agent"]] = progress
    for path in (run_dir / "ledgers").glob("actor-*.json"):
        ledger = json.loads(path.read_text())
        evidence.ledgers[ledger["epoch"]] = ledger["made"]
    for event in _lines(run_dir / "history.jsonl"):
        if event["event"] == "end" and event["code"] == 0:
            evidence.clean |= {epoch for _, _, epoch in event["epochs"]}
    return evidence


def _lines(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text().splitlines()]
