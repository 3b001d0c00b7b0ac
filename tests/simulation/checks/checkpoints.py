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
        surplus: By epoch.
    """

    def __init__(self, settings, trained):
        self.numbers = []
        self.consumed = {}
        self.surplus = {}
        self._settings = settings
        self._trained = trained

    def add(self, raw):
        """A checkpoint file has got its final name.

        Args:
            raw: Its content.
        """
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        progress = json.loads(header["__metadata__"]["progress"])
        before, self.numbers = self.numbers, load(raw)[TENSOR].tolist()
        require(self.numbers[: len(before)] == before, "a checkpoint contains the one before")
        own_steps = len(self.numbers) * self._settings.segment_steps
        require(progress["own_steps"] == own_steps, "own-steps are those of the segments")
        self._check_epochs(progress)

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
            self.surplus[epoch] = surplus
            found = [self._trained[number].seq for number in numbers.pop(epoch, ())]
            wanted = list(range(1, mark["consumed"] - surplus + 1))
            require(found == wanted, "each consumed segment was trained on once, in order", found)
            if surplus:
                budget = self._settings.budget
                require(progress["own_steps"] >= budget, "surplus comes after the budget")
        require(not numbers, "every epoch that was trained on has a watermark", numbers)
        for epoch, count in self.consumed.items():
            require(consumed.get(epoch, -1) >= count, "no epoch is forgotten or goes back", epoch)
        self.consumed = consumed
