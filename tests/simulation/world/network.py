"""The network between processes: it delays messages, loses them, repeats them and cuts connections.

As with TCP, a connection keeps the order of its messages. Those of an earlier connection may arrive
after those of a later one. As with ZeroMQ, a connection takes a limited number of messages, a
server assigns each connection an id, and a client connects again by itself.
"""

from collections import deque
from dataclasses import dataclass
from itertools import count


@dataclass
class Conditions:
    """What the network does to messages.

    Attributes:
        latency: Mean seconds that a message takes.
        spike: Probability that it takes some seconds more, and with it all later ones of its
            connection.
        loss, repetition: Probabilities that it is lost, or arrives twice.
        capacity: Most messages on a connection, in one direction, that are not received yet.
    """

    latency: float
    spike: float
    loss: float
    repetition: float
    capacity: int


class Network:
    """Connects clients to servers.

    Args:
        scheduler: Has the clock.
        rng: Draws everything.
        conditions: At the start.

    Attributes:
        conditions: Now; to be changed at will.
        servers: Listening ones by name.
        clients: All of their sockets.
        pipes: All that there ever were.
    """

    def __init__(self, scheduler, rng, conditions):
        self.scheduler = scheduler
        self.rng = rng
        self.conditions = conditions
        self.servers = {}
        self.clients = []
        self.pipes = []
        self._connections = count(1)

    def delay(self):
        """Seconds that the next message takes."""
        rng, conditions = self.rng, self.conditions
        seconds = conditions.latency * (0.5 + rng.random())
        if conditions.spike and rng.random() < conditions.spike:
            seconds += 8 * rng.random()
        return seconds

    def copies(self):
        """How often the next message arrives."""
        chance, conditions = self.rng.random(), self.conditions
        if chance < conditions.loss:
            return 0
        if chance > 1 - conditions.repetition:
            return 2
        return 1

    def connection_id(self):
        """A new one."""
        return b"connection %d" % next(self._connections)

    def forget(self, process):
        """A process has ended: close all that it had open."""
        for name, server in list(self.servers.items()):
            if server.process is process:
                del self.servers[name]
                server.close()
        for client in list(self.clients):
            if client.process is process:
                self.clients.remove(client)
                client.close()


class Pipe:
    """One direction of a connection.

    Args:
        network: Decides about its messages.
        client: Whose connection it is; while that cannot reach its server, messages wait.
        deliver: Called with each message that arrives.

    Attributes:
        unread: Messages sent and not yet received by the program.
    """

    def __init__(self, network, client, deliver):
        self.unread = 0
        self._network = network
        self._client = client
        self._deliver = deliver
        self._queue = deque()  # (arrival, message)
        self._last_arrival = 0.0
        network.pipes.append(self)

    def send(self, message):
        """Send a message; false if there are too many."""
        network = self._network
        if self.unread >= network.conditions.capacity:
            return False
        for _ in range(network.copies()):
            self.unread += 1
            arrival = max(self._last_arrival, network.scheduler.now + network.delay())
            self._last_arrival = arrival
            self._queue.append((arrival, message))
            network.scheduler.at(arrival, self._arrive)
        return True

    def lose(self):
        """Lose all messages that are under way."""
        self._queue.clear()

    def hurry(self, time):
        """No message that is under way arrives later than this."""
        self._queue = deque((min(arrival, time), message) for arrival, message in self._queue)
        self._last_arrival = min(self._last_arrival, time)
        self._network.scheduler.at(time, self._arrive)

    def _arrive(self):
        queue, now = self._queue, self._network.scheduler.now
        if self._client.unreachable_until > now:
            self._network.scheduler.at(self._client.unreachable_until, self._arrive)
            return
        while queue and queue[0][0] <= now:
            self._deliver(queue.popleft()[1])
