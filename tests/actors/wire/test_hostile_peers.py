"""What peers send beyond the protocol costs a process little memory, and stops no other peer."""

from contextlib import ExitStack, closing

import pytest
import zmq
from tests.until import until

from ssd_wire.codec import MAX_FRAMES, MAX_HEADER_BYTES, decode, encode, largest_frame
from ssd_wire.errors import ProtocolError
from ssd_wire.guard.memory_watch import CHECK_SECONDS, FREED_SECONDS, MAX_GROWTH, MemoryWatch
from ssd_wire.messages import MESSAGES, Act, Bye, Segment, Timestep
from ssd_wire.pub_sub import MAX_SUBSCRIPTION_BYTES, MAX_TOPICS, Publisher, Subscriber
from ssd_wire.sockets import SPARE_FRAME_BYTES, Dealer, Poller, Router

ALL = tuple(MESSAGES.values())
GIB = 1 << 30


@pytest.fixture(params=["ipc", "tcp"])
def endpoint(request, socket_dir):
    return {"ipc": f"ipc://{socket_dir}/socket", "tcp": "tcp://127.0.0.1:0"}[request.param]


@pytest.fixture
def opened():
    """Closes sockets when a test ends."""
    with ExitStack() as stack:
        yield lambda socket: stack.enter_context(closing(socket))


class Clock:
    now = 0.0

    def read(self):
        return self.now


class Memory:
    """Memory that grows when a test says so, and a watch that has read its first size."""

    def __init__(self):
        self.clock = Clock()
        self.bytes = 5 * GIB
        self.watch = MemoryWatch(MAX_GROWTH, lambda: self.bytes, self.clock.read)
        self.watch.has_grown()

    def grow(self, more):
        self.bytes += more
        self.clock.now += CHECK_SECONDS


class NoStop:
    descriptors = ()
    requested = False


def raw(kind, endpoint, **options):
    """A socket of ZeroMQ, without anything of ours."""
    peer = zmq.Context.instance().socket(kind)
    peer.setsockopt(zmq.LINGER, 0)
    for name, value in options.items():
        peer.setsockopt(getattr(zmq, name), value)
    peer.connect(endpoint)
    return peer


def disconnected(hostile, opened):
    """A socket from which one can read when a peer of ours loses its connection."""
    monitor = opened(hostile.get_monitor_socket(zmq.EVENT_DISCONNECTED))
    return lambda: monitor.poll(0)


def reaches(dealer, router, epoch):
    """Have a message of this epoch reach the router."""

    def received():
        dealer.send(encode(Bye(epoch)))
        arrived = [decode(frames, (Bye,), {}).epoch for _, frames in router.receive()]
        return epoch in arrived  # earlier ones may come first

    return until(received)


def is_published_to(subscriber, publisher, text):
    def received():
        publisher.publish(text)
        return subscriber.newest() == text

    return until(received)


class TestAMessageOfManyFrames:
    def test_is_refused_before_it_is_decoded(self):
        with pytest.raises(ProtocolError, match=f"frames: wanted at most {MAX_FRAMES}, found more"):
            decode([b"\xc1"] * (MAX_FRAMES + 1), ALL, {})

    def test_is_not_kept(self, endpoint, opened):
        router = opened(Router(endpoint))
        hostile = opened(raw(zmq.DEALER, router.endpoint))
        hostile.send_multipart([b"x"] * 10_000)
        [(_, frames)] = until(lambda: list(router.receive()))
        assert MAX_FRAMES < len(frames) < MAX_FRAMES + 3
        hostile.send_multipart(encode(Bye(3)))
        [(_, frames)] = until(lambda: list(router.receive()))
        assert decode(frames, (Bye,), {}).epoch == 3

    def test_no_message_of_ours_has_more_frames(self, draw_message):
        assert max(len(encode(draw_message(kind))) for kind in ALL) == MAX_FRAMES


class TestAFrameLargerThanThoseOfTheRun:
    @pytest.mark.parametrize("kind", [Act, Timestep, Segment])
    def test_the_largest_frame_is_that_of_a_message_of_the_run(self, kind, draw_message, lengths):
        large = lengths | {"B": 700, "T": 20}
        frames = encode(draw_message(kind, large))
        largest = max(memoryview(frame).nbytes for frame in frames)
        assert largest_frame((kind,), large) == max(MAX_HEADER_BYTES, largest)

    def test_ends_the_connection_and_no_other(self, endpoint, opened):
        router = opened(Router(endpoint, largest_frame=10))
        dealer = opened(Dealer(router.endpoint))
        hostile = opened(raw(zmq.DEALER, router.endpoint))
        is_disconnected = disconnected(hostile, opened)
        assert reaches(dealer, router, 1)
        hostile.send(bytes(SPARE_FRAME_BYTES + 1))
        assert until(is_disconnected)
        assert reaches(dealer, router, 2)


class TestTopics:
    """Subscriptions to anything but the empty topic."""

    def flood(self, hostile, publisher, count):
        """Send so many topics, and have the publisher take them in."""
        for number in range(count):
            hostile.send(b"\x01" + number.to_bytes(24, "big"))
            if number % 10 == 0:
                publisher.publish(b"meanwhile")

    def test_some_do_no_harm(self, endpoint, opened):
        publisher = opened(Publisher(endpoint))
        subscriber = opened(Subscriber(publisher.endpoint))
        hostile = opened(raw(zmq.XSUB, publisher.endpoint))
        assert is_published_to(subscriber, publisher, b"before")
        self.flood(hostile, publisher, MAX_TOPICS - 1)
        assert is_published_to(subscriber, publisher, b"after")

    def test_too_many_end_the_connection_and_no_other(self, endpoint, opened):
        publisher = opened(Publisher(endpoint))
        subscriber = opened(Subscriber(publisher.endpoint))
        assert is_published_to(subscriber, publisher, b"before")
        hostile = opened(raw(zmq.XSUB, publisher.endpoint, SNDHWM=0))
        is_disconnected = disconnected(hostile, opened)
        self.flood(hostile, publisher, MAX_TOPICS + 1)
        until(is_disconnected, publisher.read_topics)
        assert publisher.guard.ended == 1
        publisher.publish(b"after")  # once: the subscriber has kept its connection
        assert until(lambda: subscriber.newest() == b"after")

    def test_a_long_one_ends_the_connection_and_no_other(self, endpoint, opened):
        publisher = opened(Publisher(endpoint))
        subscriber = opened(Subscriber(publisher.endpoint))
        hostile = opened(raw(zmq.XSUB, publisher.endpoint))
        is_disconnected = disconnected(hostile, opened)
        hostile.send(b"\x01" + bytes(MAX_SUBSCRIPTION_BYTES))
        assert until(is_disconnected)
        assert is_published_to(subscriber, publisher, b"after")

    def test_subscribers_that_come_and_go_are_not_counted(self, endpoint, opened):
        publisher = opened(Publisher(endpoint))
        for _ in range(20):
            with closing(Subscriber(publisher.endpoint)) as subscriber:
                assert is_published_to(subscriber, publisher, b"weights")
        assert not publisher._topics


class TestMemory:
    """A process whose memory grows opens its sockets anew."""

    @pytest.fixture
    def memory(self):
        return Memory()

    def test_growth_is_noticed_and_there_is_time_to_free_memory(self, memory):
        memory.grow(MAX_GROWTH)
        assert not memory.watch.has_grown()
        memory.grow(1)
        assert memory.watch.has_grown()
        memory.grow(MAX_GROWTH)
        assert not memory.watch.has_grown()

    def test_memory_that_was_freed_does_not_count(self, memory):
        memory.grow(MAX_GROWTH + 1)
        assert memory.watch.has_grown()
        memory.clock.now += FREED_SECONDS
        memory.grow(-MAX_GROWTH)
        assert not memory.watch.has_grown()
        memory.grow(MAX_GROWTH)
        assert memory.watch.has_grown()

    def test_memory_that_cannot_be_freed_is_needed_and_growth_counts_from_there(self, memory):
        memory.grow(MAX_GROWTH + 1)
        assert memory.watch.has_grown()
        memory.clock.now += FREED_SECONDS
        memory.grow(0)
        assert not memory.watch.has_grown()
        memory.grow(MAX_GROWTH)
        assert not memory.watch.has_grown()
        memory.grow(1)
        assert memory.watch.has_grown()

    def test_memory_is_looked_at_seldom(self, memory):
        memory.bytes += 2 * MAX_GROWTH
        assert not memory.watch.has_grown()

    def test_the_memory_of_this_process_is_known(self):
        filled = MemoryWatch()
        assert filled._resident() > 10_000_000
        assert not filled.has_grown()

    def test_a_server_s_peers_reach_it_again(self, endpoint, opened, memory):
        router = opened(Router(endpoint))
        dealer = opened(Dealer(router.endpoint))
        assert reaches(dealer, router, 1)
        poller = Poller(NoStop(), [router], memory=memory.watch)
        memory.grow(MAX_GROWTH + 1)
        poller.wait(0)
        assert reaches(dealer, router, 2)

    def test_a_publisher_s_subscribers_reach_it_again(self, endpoint, opened, memory):
        publisher = opened(Publisher(endpoint))
        subscriber = opened(Subscriber(publisher.endpoint))
        assert is_published_to(subscriber, publisher, b"before")
        poller = Poller(NoStop(), [], [publisher], memory.watch)
        memory.grow(MAX_GROWTH + 1)
        poller.wait(0)
        assert is_published_to(subscriber, publisher, b"after")
