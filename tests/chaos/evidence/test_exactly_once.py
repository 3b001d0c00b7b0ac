"""The check of a run's evidence finds every way to break "trained exactly once"."""

from collections.abc import Callable
from copy import deepcopy

import pytest
from tests.chaos.evidence.exactly_once import Evidence, faults, surviving

STEPS = 10
EPOCH, OTHER = 0xA, 0xB


def batch(before, after, *segments):
    return {
        "from": before,
        "to": after,
        "segments": [[epoch, seq, f"{epoch}-{seq}"] for epoch, seq in segments],
    }


@pytest.fixture
def evidence():
    """A run in which a learner was killed after version 4, which was not durable."""
    marks = [
        {"epoch": EPOCH, "consumed": 3, "surplus": 0},
        {"epoch": OTHER, "consumed": 2, "surplus": 1},
    ]
    return Evidence(
        batches={
            0: [
                batch(0, 2, (EPOCH, 1), (OTHER, 1)),
                batch(2, 4, (EPOCH, 2)),
                batch(2, 5, (EPOCH, 2), (EPOCH, 3)),
            ]
        },
        made={EPOCH: [f"{EPOCH}-{n}" for n in (1, 2, 3)], OTHER: [f"{OTHER}-{n}" for n in (1, 2)]},
        promised={EPOCH: 3, OTHER: 1},
        progress={0: {"version": 5, "own_steps": 4 * STEPS, "watermarks": marks}},
        ledgers={EPOCH: 3, OTHER: 2},
        clean={EPOCH},
        segment_steps=STEPS,
    )


def test_a_run_whose_learner_was_killed_and_trained_again_has_no_faults(evidence):
    assert list(faults(evidence)) == []


def trained_twice(evidence):
    evidence.batches[0][2]["segments"].append([EPOCH, 3, f"{EPOCH}-3"])


def skipped(evidence):
    del evidence.batches[0][2]["segments"][0]


def in_another_order(evidence):
    evidence.batches[0][2]["segments"].reverse()


def altered(evidence):
    evidence.made[EPOCH][1] = "something else"


def of_nobody(evidence):
    del evidence.made[OTHER]


def kept_from_a_lost_version(evidence):
    evidence.batches[0][2]["from"] = 4


def of_a_version_that_nobody_trained(evidence):
    evidence.progress[0]["version"] = 6


def not_counted(evidence):
    evidence.progress[0]["watermarks"][0]["consumed"] = 2


def counted_twice(evidence):
    evidence.progress[0]["own_steps"] += STEPS


def promised_and_lost(evidence):
    evidence.promised[OTHER] = 3


def lost_by_an_actor_that_ended_cleanly(evidence):
    evidence.made[EPOCH].append("4")


def missing_in_the_ledger(evidence):
    evidence.ledgers[EPOCH] = 2


@pytest.mark.parametrize(
    "breaks",
    [
        trained_twice,
        skipped,
        in_another_order,
        altered,
        of_nobody,
        kept_from_a_lost_version,
        of_a_version_that_nobody_trained,
        not_counted,
        counted_twice,
        promised_and_lost,
        lost_by_an_actor_that_ended_cleanly,
        missing_in_the_ledger,
    ],
)
def test_every_segment_that_was_not_trained_exactly_once_is_found(
    evidence: Evidence, breaks: Callable[[Evidence], None]
):
    broken = deepcopy(evidence)

    breaks(broken)

    assert list(faults(broken))


def test_batches_after_the_version_that_a_learner_continued_from_do_not_survive():
    lost, kept, after = batch(0, 3, (EPOCH, 1)), batch(0, 2, (EPOCH, 1)), batch(2, 4, (EPOCH, 2))

    assert surviving([lost, kept, after], version=4) == [kept, after]
    assert surviving([lost, kept, after], version=2) == [kept]
