"""What one learner process says about the epochs of its actors."""

from tests.simulation.checks.rules import require

from ssd_wire.messages import Welcome


class LearnerEpochs:
    """Checks that a newer actor retires the one before it in its arena, for good."""

    def __init__(self):
        self._current = {}  # by arena: the epoch welcomed last
        self._received = {}  # by epoch

    def add(self, view, message):
        """The learner sends a Welcome or an Ack.

        Args:
            view: Of the actor that it is for.
            message: What it sends.
        """
        if isinstance(message, Welcome):
            is_retired = view.epoch in self._received and self._current[view.arena] != view.epoch
            require(not is_retired, "no actor is welcomed after its successor", message)
            self._current[view.arena] = view.epoch
        elif self._current[view.arena] != view.epoch:
            grows = message.received > self._received[view.epoch]
            require(not grows, "no segment is received of a retired epoch", message)
        self._received[view.epoch] = message.received
