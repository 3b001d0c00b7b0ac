"""The checkpoints of one agent: each contains what the one before it does, and adds up."""

import json
from collections import defaultdict

from safetensors.torch import load
from tests.simulation.checks.rules import require
from tests.simulation.world.trainer import TENSOR


class CheckpointChain:
    """The newest checkpoint of an agent. It is what a learner that is killed now comes back with.

    Args:
        settings: Of the history.
        trained: All segments that any learner was trained on: `Record.trained`.

    Attributes:
        numbers: Of the segments in it, in the order in which they were trained on.
        consumed: By epoch: segments trained on, or surplus.
        is_damaged: Whether any checkpoint was damaged, so that segments were given up.
    """

    def __init__(self, settings, trained):
        self.numbers = []
        self.consumed = {}
        self.is_damaged = False
        self._settings = settings
        self._trained = trained

    def add(self, raw):
        """A checkpoint file has got its final name.

        Args:
            raw: Its content.
        """
        progress = _progress(raw)
        before, self.numbers = self.numbers, load(raw)[TENSOR].tolist()
        require(self.numbers[: len(before)] == before, "a checkpoint contains the one before")
        own_steps = len(self.numbers) * self._settings.segment_steps
        require(progress["own_steps"] == own_steps, "own-steps are those of the segments")
        self._check_epochs(progress)

    def agrees_with(self, ledger):
        """Whether a learner's ledger says as much as its newest checkpoint.

        Args:
            ledger: Content of the file.
        """
        durable = {entry["epoch"]: entry["durable"] for entry in json.loads(ledger)["epochs"]}
        return durable == self.consumed

    def go_back(self, raw):
        """The newest checkpoint is lost. What was durable stays so, as it is given up.

        Args:
            raw: Content of the one before.
        """
        self.is_damaged = True
        self.numbers = load(raw)[TENSOR].tolist()

    def by_epoch(self):
        """The numbers of each epoch's segments, in order."""
        numbers = defaultdict(list)
        for number in self.numbers:
            numbers[self._trained[number].epoch].append(number)
        return numbers

    def _check_epochs(self, progress):
        numbers, consumed = self.by_epoch(), {}
        for mark in progress["watermarks"]:
            epoch, surplus = mark["epoch"], mark["surplus"]
            consumed[epoch] = mark["consumed"]
            found = [self._trained[number].seq for number in numbers.pop(epoch, ())]
            wanted = list(range(1, mark["consumed"] - surplus + 1))
            if self.is_damaged:
                wanted = sorted(set(found))
                given_up = mark["consumed"] - surplus - len(found)
                require(given_up == mark["given_up"], "given-up segments are counted", mark)
            require(found == wanted, "each consumed segment was trained on once, in order", found)
            if surplus:
                budget = self._settings.budget
                require(progress["own_steps"] >= budget, "surplus comes after the budget")
        require(not numbers, "every epoch that was trained on has a watermark", numbers)
        for epoch, count in self.consumed.items():
            require(consumed.get(epoch, -1) >= count, "no epoch is forgotten or goes back", epoch)
        self.consumed = consumed


def _progress(raw):
    """The metadata of a checkpoint file."""
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return json.loads(header["__metadata__"]["progress"])
