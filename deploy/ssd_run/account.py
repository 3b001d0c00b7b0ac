"""The account of segments: what actors made, against what learners trained.

The promise it holds the run to: relative to the learner, every durable segment was trained exactly
once, in order within its epoch; a killed learner loses nothing; a killed actor loses at most what
was not durable yet, and that is counted.

Actors and learners keep their ledgers apart, and an actor's survives its death. So the account
compares what two processes wrote, not one with itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

Epoch = tuple[int, int, int]  # arena, agent, and the number that an actor incarnation drew


@dataclass(frozen=True)
class ActorLedger:
    """What one actor incarnation made.

    Attributes:
        arena, agent, epoch: Which one.
        made: Segments it completed.
        resent: Times it sent one again.
        discarded: Open segments it gave up because the world began anew; never made.
    """

    arena: int
    agent: int
    epoch: int
    made: int
    resent: int
    discarded: int

    @property
    def key(self) -> Epoch:
        """Which epoch this is, in the whole run."""
        return (self.arena, self.agent, self.epoch)


@dataclass(frozen=True)
class EpochEntry:
    """What a learner did with the segments of one epoch."""

    arena: int
    epoch: int
    received: int
    trained: int
    durable: int
    surplus: int
    given_up: int = 0


@dataclass(frozen=True)
class SegmentCounts:
    """What a learner counted over its whole life, restarts included."""

    received: int
    trained: int
    surplus: int
    duplicate: int


@dataclass(frozen=True)
class LearnerLedger:
    """A learner's books as of its last checkpoint."""

    agent: int
    learner: int
    own_steps: int
    updates: int
    complete: bool
    segments: SegmentCounts
    epochs: tuple[EpochEntry, ...]


@dataclass(frozen=True)
class Account:
    """Segments over a whole run directory.

    Attributes:
        made: Completed by actors.
        trained: Learned from.
        surplus: Acknowledged by a learner that had met its budget.
        lost: Neither, made by actors that were killed; and those whose training was lost with a
            damaged checkpoint.
        left: Neither, made by actors that ended cleanly. There must be none.
        resent: Times a segment was sent again.
        duplicate: Segments that a learner had already, and did not train again.
        discarded: Open segments given up because a world began anew.
        faults: Everything that does not add up, in words.
    """

    made: int
    trained: int
    surplus: int
    lost: int
    left: int
    resent: int
    duplicate: int
    discarded: int
    faults: tuple[str, ...]

    @property
    def adds_up(self) -> bool:
        """Whether the promise was kept, as far as the ledgers tell."""
        return not self.faults


def reconcile(
    actors: Collection[ActorLedger],
    learners: Collection[LearnerLedger],
    clean: Collection[Epoch],
    segment_steps: int,
) -> Account:
    """Hold what was made against what became of it.

    Args:
        actors: One per actor incarnation that ever was.
        learners: One per agent.
        clean: Epochs whose actor ended by itself, and so owes nothing to anyone.
        segment_steps: Own-steps in a segment, T × B.
    """
    entries = {
        (entry.arena, learner.agent, entry.epoch): entry
        for learner in learners
        for entry in learner.epochs
    }
    missing = {actor.key: actor.made - _settled(entries.get(actor.key)) for actor in actors}
    return Account(
        made=sum(actor.made for actor in actors),
        trained=sum(entry.trained for entry in entries.values()),
        surplus=sum(entry.surplus for entry in entries.values()),
        lost=sum(max(0, short) for epoch, short in missing.items() if epoch not in clean)
        + sum(entry.given_up for entry in entries.values()),
        left=sum(max(0, short) for epoch, short in missing.items() if epoch in clean),
        resent=sum(actor.resent for actor in actors),
        duplicate=sum(learner.segments.duplicate for learner in learners),
        discarded=sum(actor.discarded for actor in actors),
        faults=(
            *_faults_of_epochs(missing, clean),
            *_faults_of_strangers(entries, missing),
            *(fault for learner in learners for fault in _faults_of_books(learner, segment_steps)),
        ),
    )


def _settled(entry: EpochEntry | None) -> int:
    return 0 if entry is None else entry.trained + entry.surplus + entry.given_up


def _faults_of_epochs(missing: Mapping[Epoch, int], clean: Collection[Epoch]) -> Iterator[str]:
    for epoch, short in missing.items():
        if short < 0:
            yield f"{_named(epoch)}: its learner has {-short} segments more than its actor made"
        if short > 0 and epoch in clean:
            yield f"{_named(epoch)}: its actor ended cleanly, but {short} segments were not trained"


def _faults_of_strangers(
    entries: Mapping[Epoch, EpochEntry], known: Collection[Epoch]
) -> Iterator[str]:
    for epoch, entry in entries.items():
        if epoch not in known and entry.received:
            yield f"{_named(epoch)}: {entry.received} segments that no actor made"


def _named(epoch: Epoch) -> str:
    arena, agent, number = epoch
    return f"actor-{arena}-{agent}, epoch {number:016x}"


def _faults_of_books(learner: LearnerLedger, segment_steps: int) -> Iterator[str]:
    by_epoch = sum(entry.trained for entry in learner.epochs)
    counted = learner.segments.trained
    if by_epoch != counted:
        yield f"learner-{learner.agent}: {by_epoch} segments trained by epoch, {counted} counted"
    if counted * segment_steps != learner.own_steps:
        yield (
            f"learner-{learner.agent}: {counted} segments of {segment_steps} own-steps trained, "
            f"but {learner.own_steps} own-steps"
        )


_ACTOR = TypeAdapter(ActorLedger)
_LEARNER = TypeAdapter(LearnerLedger)


def read_ledgers(
    folder: Path,
) -> tuple[tuple[ActorLedger, ...], tuple[LearnerLedger, ...], tuple[str, ...]]:
    """All ledgers in a run directory, and what is wrong with those that cannot be read."""
    actors, learners, faults = [], [], []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text())
            if path.name.startswith("actor-"):
                actors.append(_ACTOR.validate_python(content))
            else:
                learners.append(_LEARNER.validate_python(content))
        except (OSError, ValueError, ValidationError) as fault:
            faults.append(f"{path.name} is no ledger: {fault}")
    return tuple(actors), tuple(learners), tuple(faults)
