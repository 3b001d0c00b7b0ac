"""Decides when it is useless to restart a process that keeps dying."""

from __future__ import annotations

from dataclasses import dataclass

MOST_BEFORE_UP = 3  # consecutive deaths before the process was up
MOST_WITHOUT_PROGRESS = 5  # consecutive deaths without progress in between
MOST_OF_SAME_ERROR = 5  # consecutive deaths by the same error, with or without progress


@dataclass(frozen=True)
class Death:
    """How a process ended.

    Attributes:
        code: Its exit code; negative for the signal that killed it.
        was_up: Whether it had announced itself.
        made_progress: Whether it had got further than at the death before.
        error: The exception that ended it, and where; empty if there was none.
    """

    code: int
    was_up: bool
    made_progress: bool
    error: str = ""


@dataclass
class Deaths:
    """The consecutive deaths of one process."""

    before_up: int = 0
    without_progress: int = 0
    of_same_error: int = 0
    error: str = ""

    def add(self, death: Death) -> str:
        """Add a death.

        Returns:
            Why the process should not be restarted; empty if it should.
        """
        self.before_up = 0 if death.was_up else self.before_up + 1
        self.without_progress = 0 if death.made_progress else self.without_progress + 1
        same = death.error and death.error == self.error
        self.of_same_error = self.of_same_error + 1 if same else int(bool(death.error))
        self.error = death.error
        if self.before_up >= MOST_BEFORE_UP:
            return f"{self.before_up} times before it was up"
        if self.without_progress >= MOST_WITHOUT_PROGRESS:
            return f"{self.without_progress} times without progress in between"
        if self.of_same_error >= MOST_OF_SAME_ERROR:
            return f"{self.of_same_error} times by the same error"
        return ""
