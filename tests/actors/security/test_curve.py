"""Which clients are accepted, over real sockets."""

import logging
import time

import pytest
from tests.until import until

from ssd_wire.codec import encode
from ssd_wire.messages import Bye, Refused
from ssd_wire.pub_sub import Publisher, Subscriber
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.security.keys import create_keys, load_keys
from ssd_wire.sockets import Dealer, Router

ACCEPTED_SECONDS = 0.25  # a client that may connect is accepted long before


@pytest.fixture
def server(security_of, opened, endpoint):
    """The environment, which accepts the actors of both agents."""
    security = security_of("env")
    router = opened(Router, endpoint, security, ["actor-0", "actor-1"])
    router.security = security
    return router


def is_received(client, server, seconds=ACCEPTED_SECONDS):
    """Whether a client's messages reach the server in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.send(encode(Bye(epoch=7)))
        if list(server.receive()):
            return True
        time.sleep(0.01)
    return False


def test_an_actor_with_its_key_is_answered_and_identified_by_its_key(server, security_of, opened):
    client = opened(Dealer, server.endpoint, security_of("actor-1").client_options("env"))
    until(lambda: client.send(encode(Bye(epoch=7))))
    peer, frames = until(lambda: next(iter(server.receive()), None))
    assert frames == [bytes(frame) for frame in encode(Bye(epoch=7))]
    assert server.sender == "actor-1"
    assert server.send(peer, Refused("no", fatal=True))
    assert until(lambda: list(client.receive()))


def test_each_message_is_identified_by_its_senders_key(server, security_of, opened):
    clients = {
        name: opened(Dealer, server.endpoint, security_of(name).client_options("env"))
        for name in ("actor-0", "actor-1")
    }
    for name in ("actor-0", "actor-1", "actor-1", "actor-0"):
        until(lambda name=name: clients[name].send(encode(Bye(epoch=7))))
        until(lambda: list(server.receive()))
        assert server.sender == name


def without_keys(server, *_):
    return Dealer(server.endpoint)


def with_an_unknown_key(server, _, other_folder):
    """It has the server's public key and a key that is not in the allow-list."""
    unknown = load_keys(other_folder, "actor-1")
    known = {**unknown.known, "env": server.security._keys.public}
    security = SocketSecurity(type(unknown)("actor-1", unknown.public, unknown.secret, known))
    return Dealer(server.endpoint, security.client_options("env"))


def with_a_learners_key(server, security_of, _):
    return Dealer(server.endpoint, security_of("learner-0").client_options("env"))


def that_expects_another_server(server, security_of, _):
    return Dealer(server.endpoint, security_of("actor-1").client_options("learner-1"))


@pytest.mark.parametrize(
    "make",
    [without_keys, with_an_unknown_key, with_a_learners_key, that_expects_another_server],
    ids=lambda make: make.__name__,
)
def test_messages_of_a_client_that_may_not_connect_never_arrive(
    server, security_of, opened, tmp_path, make
):
    create_keys(tmp_path / "other", 2)
    client = opened(make, server, security_of, tmp_path / "other")
    assert not is_received(client, server)
    allowed = opened(Dealer, server.endpoint, security_of("actor-0").client_options("env"))
    assert is_received(allowed, server, seconds=30)


def test_no_client_is_accepted_without_the_thread_that_checks_keys(server, security_of, opened):
    server.security._authenticator.close()
    client = opened(Dealer, server.endpoint, security_of("actor-1").client_options("env"))
    assert not is_received(client, server)


def test_a_client_with_keys_does_not_connect_to_a_server_without_keys(
    security_of, opened, endpoint
):
    server = opened(Router, endpoint)
    client = opened(Dealer, server.endpoint, security_of("actor-1").client_options("env"))
    assert not is_received(client, server)


def is_published_to(subscriber, publisher, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        publisher.publish(b"weights")
        if subscriber.newest() == b"weights":
            return True
        time.sleep(0.01)
    return False


def test_weights_of_an_agent_go_to_its_own_actors_and_to_no_one_else(security_of, opened, endpoint):
    options = security_of("learner-1").server_options(["actor-1"])
    publisher = opened(Publisher, endpoint, options)
    for name in ("actor-0", "learner-0"):
        other = security_of(name).client_options("learner-1")
        assert not is_published_to(
            opened(Subscriber, publisher.endpoint, other), publisher, ACCEPTED_SECONDS
        )
    assert not is_published_to(opened(Subscriber, publisher.endpoint), publisher, ACCEPTED_SECONDS)
    own = opened(Subscriber, publisher.endpoint, security_of("actor-1").client_options("learner-1"))
    assert is_published_to(own, publisher, seconds=30)


def test_refused_keys_are_logged_once_each_and_counted(server, security_of, opened, caplog):
    options = security_of("learner-0").client_options("env")
    with caplog.at_level(logging.WARNING, "ssd_wire"):
        for _ in range(3):
            assert not is_received(opened(Dealer, server.endpoint, options), server, 0.2)
    key = security_of("learner-0")._keys.public.decode()
    lines = [line for line in caplog.messages if key in line]
    assert lines == [f"refused a connection: the key {key} may not connect here"]
    assert server.security.refused_connections >= 3
