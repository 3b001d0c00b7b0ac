"""The account of segments: compares what actors made with what learners trained.

It checks the guarantee of a run: every durable segment was trained exactly once, in order within
its epoch; a killed learner loses nothing; a killed actor loses at most the segments that were not
durable yet, and these are counted.

Actors and learners write separate ledgers, and an actor's ledger survives its death. So the account
compares the records of two processes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

Epoch = tuple[int, int, int]  # arena, agent, and the random number of an actor incarnation


@dataclass(frozen=True)
class ActorLedger:
    """What one actor incarnation made.

    Attributes:
        arena, agent, epoch: Which incarnation.
        made: Segments that it completed.
        resent: Times it sent one again.
        discarded: Incomplete segments that it dropped because its environment restarted.
        drained: Whether it ended cleanly, after all of its segments were durable.
    """

    arena: int
    agent: int
    epoch: int
    made: int
    resent: int
    discarded: int
    drained: bool = False

    @property
    def key(self) -> Epoch:
        """The epoch, unique in the run."""
        return (self.arena, self.agent, self.epoch)


@dataclass(frozen=True)
class EpochEntry:
    """What a learner did with the segments of one epoch, in numbers of segments."""

    arena: int
    epoch: int
    received: int
    trained: int
    durable: int
    surplus: int
    given_up: int = 0


@dataclass(frozen=True)
class SegmentCounts:
    """Totals of a learner, over all of its restarts."""

    received: int
    trained: int
    surplus: int
    duplicate: int


@dataclass(frozen=True)
class ForgottenEpochs:
    """Totals of the epochs that a learner no longer lists; see `ssd_learner.segments.epochs`."""

    epochs: int = 0
    trained: int = 0
    surplus: int = 0
    given_up: int = 0

    @property
    def handled(self) -> int:
        """Their segments."""
        return self.trained + self.surplus + self.given_up


@dataclass(frozen=True)
class LearnerLedger:
    """A learner's ledger, as of its last checkpoint."""

    agent: int
    learner: int
    own_steps: int
    updates: int
    complete: bool
    segments: SegmentCounts
    epochs: tuple[EpochEntry, ...]
    forgotten: ForgottenEpochs = ForgottenEpochs()


@dataclass(frozen=True)
class Account:
    """Segments over a whole run directory.

    Attributes:
        made: Completed by actors.
        trained: Trained on.
        surplus: Acknowledged by a learner that had trained all of its steps.
        lost: Neither, made by actors that were killed; and those whose training was lost with a
            damaged checkpoint.
        missing: Neither, made by actors that ended cleanly. There should be none.
        resent: Times a segment was sent again.
        duplicate: Segments that a learner received again, and did not train again.
        discarded: Incomplete segments that were dropped because an environment restarted.
        faults: Messages about everything that does not add up.
    """

    made: int
    trained: int
    surplus: int
    lost: int
    missing: int
    resent: int
    duplicate: int
    discarded: int
    faults: tuple[str, ...]

    @property
    def adds_up(self) -> bool:
        """Whether the ledgers agree with the guarantee."""
        return not self.faults


def reconcile(
    actors: Collection[ActorLedger],
    learners: Collection[LearnerLedger],
    clean: Collection[Epoch],
    segment_steps: int,
) -> Account:
    """Compare what actors made with what learners trained.

    Args:
        actors: One ledger per actor incarnation of the run.
        learners: One ledger per agent.
        clean: Epochs whose actor ended cleanly, besides those whose ledger says so itself.
        segment_steps: Own-steps in a segment, T × B.
    """
    clean = {*clean, *(actor.key for actor in actors if actor.drained)}
    entries = {
        (entry.arena, learner.agent, entry.epoch): entry
        for learner in learners
        for entry in learner.epochs
    }
    short = {actor.key: actor.made - _handled(entries.get(actor.key)) for actor in actors}
    forgotten_faults = tuple(_take_forgotten(short, entries, learners, clean))
    totals: tuple[EpochEntry | ForgottenEpochs, ...] = (
        *entries.values(),
        *(learner.forgotten for learner in learners),
    )
    return Account(
        made=sum(actor.made for actor in actors),
        trained=sum(of.trained for of in totals),
        surplus=sum(of.surplus for of in totals),
        lost=sum(max(0, count) for epoch, count in short.items() if epoch not in clean)
        + sum(of.given_up for of in totals),
        missing=sum(max(0, count) for epoch, count in short.items() if epoch in clean),
        resent=sum(actor.resent for actor in actors),
        duplicate=sum(learner.segments.duplicate for learner in learners),
        discarded=sum(actor.discarded for actor in actors),
        faults=(
            *forgotten_faults,
            *_faults_of_epochs(short, clean),
            *_faults_of_unknown_epochs(entries, short),
            *(fault for learner in learners for fault in _faults_of_totals(learner, segment_steps)),
        ),
    )


def _handled(entry: EpochEntry | None) -> int:
    return 0 if entry is None else entry.trained + entry.surplus + entry.given_up


def _take_forgotten(
    short: dict[Epoch, int],
    listed: Collection[Epoch],
    learners: Collection[LearnerLedger],
    clean: Collection[Epoch],
) -> Iterator[str]:
    """Subtract the segments of forgotten epochs from what epochs that are not listed are short of.

    A learner has only their total. It is taken from the actors that ended cleanly first, since all
    segments of these were durable.
    """
    for learner in learners:
        left = learner.forgotten.handled
        unlisted = [key for key in short if key[1] == learner.agent and key not in listed]
        for key in sorted(unlisted, key=lambda key: key not in clean):
            taken = min(left, short[key])
            short[key] -= taken
            left -= taken
        if left:
            yield f"learner-{learner.agent}: {left} segments of forgotten epochs that no actor made"


def _faults_of_epochs(short: Mapping[Epoch, int], clean: Collection[Epoch]) -> Iterator[str]:
    for epoch, count in short.items():
        if count < 0:
            yield f"{_name(epoch)}: the learner has {-count} segments more than the actor made"
        if count > 0 and epoch in clean:
            yield f"{_name(epoch)}: the actor ended cleanly, but {count} segments were not trained"


def _faults_of_unknown_epochs(
    entries: Mapping[Epoch, EpochEntry], known: Collection[Epoch]
) -> Iterator[str]:
    for epoch, entry in entries.items():
        if epoch not in known and entry.received:
            yield f"{_name(epoch)}: {entry.received} segments that no actor made"


def _name(epoch: Epoch) -> str:
    arena, agent, number = epoch
    return f"actor-{arena}-{agent}, epoch {number:016x}"


def _faults_of_totals(learner: LearnerLedger, segment_steps: int) -> Iterator[str]:
    by_epoch = learner.forgotten.trained + sum(entry.trained for entry in learner.epochs)
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
    """All ledgers in a folder, and messages about those that cannot be read."""
    actors, learners, faults = [], [], []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text())
            if path.name.startswith("actor-"):
                actors.append(_ACTOR.validate_python(content))
            else:
                learners.append(_LEARNER.validate_python(content))
        except (OSError, ValueError, ValidationError) as fault:
            faults.append(f"{path.name} is not a valid ledger: {fault}")
    return tuple(actors), tuple(learners), tuple(faults)
