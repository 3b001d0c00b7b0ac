import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import zmq
from tests.until import until

from ssd_wire.security.curve import SocketSecurity
from ssd_wire.security.keys import create_keys

ZAP_ADDRESS = "inproc://zeromq.zap.01"


@pytest.fixture
def key_folder(tmp_path):
    """Keys of a run of 2 agents."""
    create_keys(tmp_path / "keys", 2)
    return tmp_path / "keys"


@pytest.fixture
def security_of(key_folder):
    """What the sockets of an identity need."""
    made = []

    def make(identity, folder=key_folder):
        made.append(SocketSecurity.load(folder, identity))
        return made[-1]

    yield make
    for security in made:
        security.close()
    until(is_address_free)


def is_address_free():
    """Whether another authenticator can start: ZeroMQ closes the former one's socket later."""
    socket = zmq.Context.instance().socket(zmq.REP)
    try:
        socket.bind(ZAP_ADDRESS)
        socket.unbind(ZAP_ADDRESS)
    except zmq.ZMQError:
        return False
    finally:
        socket.close(linger=0)
    return True


@pytest.fixture(params=["ipc", "tcp"])
def endpoint(request):
    if request.param == "tcp":
        yield "tcp://127.0.0.1:*"
        return
    with tempfile.TemporaryDirectory(prefix="ssd-", dir="/tmp") as folder:
        yield f"ipc://{Path(folder, 'socket')}"


@pytest.fixture
def opened():
    """Sockets that are closed after the test."""
    sockets = []

    def open_(make, *args):
        sockets.append(make(*args))
        return sockets[-1]

    yield open_
    for socket in sockets:
        with closing(socket):
            pass
