"""What one actor knows of its learner, from the messages that it received; and the limits on it.

Computed from the messages alone, apart from the actor's own Outbox and LearnerClient.
"""

from collections import deque

from tests.simulation.checks.rules import require
from tests.simulation.world.trainer import WEIGHT_SHAPES

from ssd_wire.messages import Ack, Refused, Welcome
from ssd_wire.weights import decode_weights


class ActorView:
    """One actor incarnation.

    Args:
        settings: Of the history.
        process: The actor's.
        arena, agent, epoch: Which one it is.

    Attributes:
        made_at: Times at which its segments were completed.
        sent: The highest number of a segment that it sent.
        received, trained, durable: Of its learner.
        is_drained: Whether it ended with all segments durable.
    """

    def __init__(self, settings, process, arena, agent, epoch):
        self.process = process
        self.arena = arena
        self.agent = agent
        self.epoch = epoch
        self.made_at = []
        self.sent = 0
        self.received = self.trained = self.durable = 0
        self.is_drained = False
        self._settings = settings
        self._incarnation = 0  # of the learner that sent the last Welcome; 0 for none
        self._window = 0
        self._newest_version = 0
        self._to_resend = deque()  # what a new learner lacks
        self._welcomed_at = 0.0

    @property
    def was_killed(self):
        """Whether it ended in the middle of its work."""
        return self.process.how != "ended"

    @property
    def made(self):
        """How many segments it has completed."""
        return len(self.made_at)

    def on_sent(self, seq, is_sent, now):
        """The actor sends a segment, or tries to."""
        if is_sent:
            self.sent = max(self.sent, seq)
        if not is_sent:
            self._to_resend.clear()  # later, when the connection accepts it
        elif self._to_resend and self._to_resend[0] == seq:
            self._to_resend.popleft()
        self._check_resent(now)

    def on_message(self, message, now):
        """The actor receives a message from its learner."""
        self._check_resent(now)
        if isinstance(message, Refused):
            self._to_resend.clear()  # first it must say Hello again
        if not isinstance(message, (Ack, Welcome)) or message.epoch != self.epoch:
            return
        is_new = message.learner_incarnation != self._incarnation
        if isinstance(message, Welcome):
            if is_new and message.weights is None:
                return  # the actor needs the weights first
            self._window = message.window
            self._incarnation = message.learner_incarnation
            if message.weights is not None:
                self._take_weights(message, is_new)
            if is_new:
                self._welcomed_at = now
                self._to_resend = deque(range(message.received + 1, self.sent + 1))
                self.received = self.trained = 0
        elif is_new:
            return  # an Ack of a learner without a Welcome
        else:
            self._newest_version = max(self._newest_version, message.newest_version)
        self.received = max(self.received, message.received)
        self.trained = max(self.trained, message.trained)
        self.durable = max(self.durable, message.durable)
        while self._to_resend and self._to_resend[0] <= self.received:
            self._to_resend.popleft()  # it has arrived meanwhile

    def _check_resent(self, now):
        is_resent = not self._to_resend or now == self._welcomed_at
        require(is_resent, "a new learner gets all that it lacks at once", self._to_resend)

    def on_made(self, now):
        """The actor has completed a segment."""
        self.made_at.append(now)
        # Each lane may have begun one and filled another while there was room.
        limit = self._settings.retained + 2 * self._settings.lanes
        kept = self.made - self.durable
        require(kept < limit, "an actor keeps a limited number of segments", kept, limit)

    def on_weights(self, weights):
        """The actor receives published weights."""
        if weights.learner_incarnation == self._incarnation:
            self._newest_version = max(self._newest_version, weights.version)

    def _take_weights(self, welcome, is_new):
        version = decode_weights(welcome.weights.tobytes(), WEIGHT_SHAPES).version
        self._newest_version = version if is_new else max(self._newest_version, version)

    def check_hello(self, learner_incarnation):
        """The actor says Hello, and that it has weights of this learner."""
        is_right = learner_incarnation == self._incarnation
        require(is_right, "Hello names the weights that the actor has", learner_incarnation)

    def check_room(self, weights):
        """The actor begins a segment.

        Args:
            weights: Learner incarnation and version of those with which it will act.
        """
        settings, (incarnation, version) = self._settings, weights
        ahead, kept = self.made - self.trained, self.made - self.durable
        window = self._window * settings.lanes
        require(ahead < window, "a segment begins only inside the window", ahead, window)
        require(kept < settings.retained, "a segment begins only if few are kept", kept)
        require(
            incarnation == self._incarnation and version >= self._newest_version,
            "a segment begins only with the newest weights that were received or acknowledged",
            (incarnation, version),
            (self._incarnation, self._newest_version),
        )
