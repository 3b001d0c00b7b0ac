"""What one learner process says about the epochs of its actors."""

from tests.simulation.checks.rules import require

from ssd_wire.messages import Welcome


class LearnerEpochs:
    """Checks that a newer actor retires the one before it, and that actors hear of updates.

    Attributes:
        published: Version of the weights that the learner published last.
    """

    def __init__(self):
        self.published = 0
        self._current = {}  # by arena: the epoch welcomed last
        self._received = {}  # by epoch
        self._unaware = set()  # epochs that were not sent an Ack since weights were published

    def publish(self, version):
        """The learner publishes weights."""
        self.published = version
        self._unaware = set(self._current.values())

    def wait(self):
        """The learner is about to wait for messages."""
        is_done = not self._unaware
        require(is_done, "after an update each actor is sent an Ack", self._unaware)

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
        self._unaware.discard(view.epoch)
