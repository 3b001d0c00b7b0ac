"""A short fuzzing without coverage, so that the targets stay right: `make fuzz` does the rest."""

import random

import pytest
from tests.fuzz.all_targets import TARGETS

EXECUTIONS = {"checkpoint": 200, "run-file": 30, "keys": 100}  # others are quicker


def mutated(seed, chance):
    """A seed with some bytes changed, removed, repeated or cut off."""
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = chance.randbytes(1)
            case 1:
                data[at:at] = chance.randbytes(chance.randrange(8))
            case 2:
                del data[at : at + chance.randrange(8)]
            case 3:
                data[at:at] = data[: chance.randrange(40)]
            case 4:
                del data[at:]
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_no_input_raises_an_error_that_is_not_documented(target):
    chance, seeds = random.Random(1), list(target.seeds())  # noqa: S311 - no secrets
    for seed in seeds:
        target.run(seed)
    for _ in range(EXECUTIONS.get(target.name, 1000)):
        target.run(mutated(chance.choice(seeds), chance))
