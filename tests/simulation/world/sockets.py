"""Stand-ins for the sockets of ssd_wire: Router, Dealer, Publisher and Subscriber."""

from collections import deque

from tests.simulation.world.network import Pipe

from ssd_wire.codec import encode


class Router:
    """A server's socket.

    Args:
        network: Where it listens.
        process: Whose socket it is.
        record: Is told what the process sends.

    Attributes:
        connections: The open ones, by id.
    """

    def __init__(self, network, process, record):
        self.network = network
        self.process = process
        self.dropped = 0
        self.sender = None
        self.connections = {}
        self._record = record
        self._ready = deque()  # connections from which messages have arrived; read in turn
        network.servers[process.role] = self

    @property
    def has_arrived(self):
        """Whether there is a message to receive."""
        return bool(self._ready)

    def send(self, peer, message):
        """Send without waiting; false when the peer is gone or its queue is full."""
        self.process.effect("send")
        frames = [bytes(frame) for frame in encode(message)]
        connection = self.connections.get(peer)
        is_sent = connection is not None and connection.down.send((frames, message))
        self._record.on_server_sends(self.process, peer, message, is_sent)
        self.dropped += not is_sent
        return is_sent

    def receive(self):
        """All messages that have arrived: the connection's id and the frames of each."""
        ready = self._ready
        while ready:
            connection = ready.popleft()
            frames = connection.arrived.popleft()
            if connection.arrived:
                ready.append(connection)
            connection.up.unread -= 1
            yield connection.id, frames

    def arrive(self, connection, frames):
        """Take a message from the network."""
        if not connection.arrived:
            self._ready.append(connection)
        connection.arrived.append(frames)
        self.process.notify()

    def close(self):
        """Cut all connections and lose all messages."""
        for connection in list(self.connections.values()):
            connection.up.lose()
            connection.client.cut()
        self._ready.clear()


class Connection:
    """Between a Dealer and a Router, until it is cut. The next one has another id.

    Attributes:
        up, down: The pipes to the server and to the client.
        arrived: What the server has not received yet.
    """

    def __init__(self, client, server):
        self.id = server.network.connection_id()
        self.client = client
        self.server = server
        self.arrived = deque()
        self.up = Pipe(server.network, client, self._arrive_at_server)
        self.down = Pipe(server.network, client, client.arrive)
        server.connections[self.id] = self

    def _arrive_at_server(self, frames):
        if self.server.process.is_alive:
            self.server.arrive(self, frames)


class Client:
    """A socket that connects to a server as soon as there is one, again and again.

    Args:
        network: In which the server listens.
        process: Whose socket it is.
        server: The server's role.
        record: Is told what the process sends and receives.

    Attributes:
        unreachable_until: Nothing passes between client and server before this time.
    """

    def __init__(self, network, process, server, record):
        self.network = network
        self.process = process
        self.server = server
        self.record = record
        self.dropped = 0
        self.unreachable_until = 0.0
        self._attempt = 0
        network.clients.append(self)
        self._connect_in(network.conditions.latency * network.rng.random())

    def reopen(self):
        """Close the connection, drop everything queued on it, and connect again."""
        self.process.effect("send")
        self.disconnect(may_arrive_late=True)
        self._connect_in(self.network.conditions.latency * self.network.rng.random())

    def cut(self, may_arrive_late=False):
        """Lose the connection. The socket connects again by itself.

        Args:
            may_arrive_late: Whether messages to the server that are under way still arrive.
        """
        self.disconnect(may_arrive_late)
        self._connect_in(0.1 + self.network.rng.random())

    def close(self):
        """Its process has ended."""
        self._attempt += 1
        self.disconnect(may_arrive_late=True)

    def _connect_in(self, seconds):
        self._attempt += 1
        now = self.network.scheduler.now
        self.network.scheduler.at(now + seconds, self._try_to_connect, self._attempt)

    def _try_to_connect(self, attempt):
        if attempt != self._attempt:
            return
        server = self.network.servers.get(self.server)
        is_up = server is not None and not server.process.is_frozen and not self.process.is_frozen
        if is_up and self.unreachable_until <= self.network.scheduler.now:
            self.connect(server)
        else:
            self._connect_in(0.1 + self.network.rng.random())


class Dealer(Client):
    """A client's socket to one server.

    Attributes:
        connection: None while there is none.
        refuses_until: No message is accepted before this time.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.connection = None
        self.refuses_until = 0.0
        self._arrived = deque()  # (pipe, message)

    @property
    def has_arrived(self):
        """Whether there is a message to receive."""
        return bool(self._arrived)

    def send(self, frames):
        """Send without waiting; false when not connected or the queue is full."""
        self.process.effect("send")
        copies = [bytes(frame) for frame in frames]
        is_open = self.connection is not None and self.refuses_until <= self.network.scheduler.now
        is_sent = is_open and self.connection.up.send(copies)
        self.record.on_client_sends(self.process, self.server, copies, is_sent)
        self.dropped += not is_sent
        return is_sent

    def receive(self):
        """The frames of each message that has arrived."""
        while self._arrived:
            pipe, (frames, message) = self._arrived.popleft()
            pipe.unread -= 1
            self.record.on_client_receives(self.process, self.server, message)
            yield frames

    def arrive(self, message):
        """Take a message from the network."""
        self._arrived.append((self.connection.down, message))
        self.process.notify()

    def connect(self, server):
        """Connect to a server."""
        self.connection = Connection(self, server)

    def disconnect(self, may_arrive_late):
        """Close the connection; to the client nothing more arrives from it."""
        connection, self.connection = self.connection, None
        self._arrived.clear()
        if connection is None:
            return
        del connection.server.connections[connection.id]
        connection.down.lose()
        if not (may_arrive_late and self.network.rng.random() < 0.5):
            connection.up.lose()


class Publisher:
    """Sends one-frame messages to all subscribers."""

    def __init__(self, network, process, record):
        self.process = process
        self.network = network
        self.subscribers = []
        self._record = record
        network.servers[f"{process.role} weights"] = self

    def publish(self, frame):
        """Send to all subscribers."""
        self.process.effect("send")
        weights = self._record.on_publish(self.process, frame)
        for subscriber in self.subscribers:
            subscriber.pipe.send((frame, weights))

    def close(self):
        """Lose all subscribers."""
        for subscriber in list(self.subscribers):
            subscriber.cut()


class Subscriber(Client):
    """Receives the newest message of a publisher.

    Attributes:
        loses_until: Nothing arrives before this time.
    """

    def __init__(self, network, process, server, record):
        super().__init__(network, process, f"{server} weights", record)
        self.loses_until = 0.0
        self.pipe = None
        self._publisher = None
        self._newest = None  # frame, and the weights in it

    @property
    def has_arrived(self):
        """Whether there is a message to receive."""
        return self._newest is not None

    def newest(self):
        """The newest frame since the last call; None if there is none."""
        if self._newest is None:
            return None
        (frame, weights), self._newest = self._newest, None
        self.record.on_weights(self.process, weights)
        return frame

    def arrive(self, message):
        """Take a message from the network."""
        self.pipe.unread -= 1
        if self.loses_until <= self.network.scheduler.now:
            self._newest = message
            self.process.notify()

    def connect(self, server):
        """Connect to a publisher."""
        self._publisher = server
        server.subscribers.append(self)
        self.pipe = Pipe(self.network, self, self.arrive)

    def disconnect(self, may_arrive_late):
        """Close the connection."""
        del may_arrive_late
        if self._publisher is not None:
            self._publisher.subscribers.remove(self)
            self.pipe.lose()
            self._publisher = None
