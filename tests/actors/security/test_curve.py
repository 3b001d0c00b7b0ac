"""Who is let in, and who is not, over real sockets."""

import logging
import time

import pytest
from tests.until import until

from ssd_wire.codec import encode
from ssd_wire.messages import Bye, Refused
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.security.keys import create_keys, load_keys
from ssd_wire.sockets import Dealer, Publisher, Router, Subscriber

LET_IN = 0.5  # seconds in which an honest client has long been heard


@pytest.fixture
def server(security_of, opened, endpoint):
    """The environment, which lets in the actors of both agents."""
    security = security_of("env")
    router = opened(Router, endpoint, security, ["actor-0", "actor-1"])
    router.security = security
    return router


def is_heard(client, server, seconds=LET_IN):
    """Whether what a client says reaches the server in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.send(encode(Bye(epoch=7)))
        if list(server.receive()):
            return True
        time.sleep(0.01)
    return False


def test_an_actor_with_its_key_is_heard_and_answered_and_known_by_its_key(
    server, security_of, opened
):
    client = opened(Dealer, server.endpoint, security_of("actor-1").client_options("env"))
    until(lambda: client.send(encode(Bye(epoch=7))))
    peer, frames = until(lambda: next(iter(server.receive()), None))
    assert frames == [bytes(frame) for frame in encode(Bye(epoch=7))]
    assert server.sender == "actor-1"
    assert server.send(peer, Refused("no", fatal=True))
    assert until(lambda: list(client.receive()))


def test_each_message_is_known_by_the_key_of_its_own_sender(server, security_of, opened):
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


def with_a_strangers_key(server, _, other_folder):
    """It knows the server's public key, and has a key of its own making."""
    stranger = load_keys(other_folder, "actor-1")
    known = {**stranger.known, "env": server.security._keys.public}
    security = SocketSecurity(type(stranger)("actor-1", stranger.public, stranger.secret, known))
    return Dealer(server.endpoint, security.client_options("env"))


def with_a_learners_key(server, security_of, _):
    return Dealer(server.endpoint, security_of("learner-0").client_options("env"))


def that_expects_another_server(server, security_of, _):
    return Dealer(server.endpoint, security_of("actor-1").client_options("learner-1"))


@pytest.mark.parametrize(
    "make",
    [without_keys, with_a_strangers_key, with_a_learners_key, that_expects_another_server],
    ids=lambda make: make.__name__,
)
def test_a_client_that_may_not_connect_is_never_heard(server, security_of, opened, tmp_path, make):
    create_keys(tmp_path / "other", 2)
    client = opened(make, server, security_of, tmp_path / "other")
    assert not is_heard(client, server)
    honest = opened(Dealer, server.endpoint, security_of("actor-0").client_options("env"))
    assert is_heard(honest, server, seconds=30)


def test_nobody_is_let_in_when_the_thread_that_checks_keys_is_gone(server, security_of, opened):
    server.security._authenticator.close()
    client = opened(Dealer, server.endpoint, security_of("actor-1").client_options("env"))
    assert not is_heard(client, server)


def test_a_client_does_not_speak_to_a_server_without_keys(security_of, opened, endpoint):
    server = opened(Router, endpoint)
    client = opened(Dealer, server.endpoint, security_of("actor-1").client_options("env"))
    assert not is_heard(client, server)


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
        assert not is_published_to(opened(Subscriber, publisher.endpoint, other), publisher, LET_IN)
    assert not is_published_to(opened(Subscriber, publisher.endpoint), publisher, LET_IN)
    own = opened(Subscriber, publisher.endpoint, security_of("actor-1").client_options("learner-1"))
    assert is_published_to(own, publisher, seconds=30)


def test_refused_keys_are_logged_once_each_and_counted(server, security_of, opened, caplog):
    options = security_of("learner-0").client_options("env")
    with caplog.at_level(logging.WARNING, "ssd_wire"):
        for _ in range(3):
            assert not is_heard(opened(Dealer, server.endpoint, options), server, 0.2)
    key = security_of("learner-0")._keys.public.decode()
    lines = [line for line in caplog.messages if key in line]
    assert lines == [f"refused a connection: the key {key} may not connect here"]
    assert server.security._authenticator.refused >= 3
