"""Which endpoints are accepted, and that only one process can lock each."""

import subprocess
import sys

import pytest

from ssd_wire.endpoints import check_endpoint, lock_endpoint, lock_file
from ssd_wire.errors import EndpointError

LOCK_FOREVER = """
import pathlib, sys, time
from ssd_wire.endpoints import lock_file
lock = lock_file(pathlib.Path(sys.argv[1]), "it")
print("locked", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    "endpoint",
    [
        "ipc:///run/ssd/env",
        "tcp://127.0.0.1:5555",
        "tcp://127.8.9.1:0",
        "tcp://127.0.0.1:*",
        "tcp://[::1]:5555",
        "tcp://localhost:65535",
    ],
)
def test_endpoints_on_this_machine_are_accepted(endpoint):
    assert check_endpoint(endpoint) == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://0.0.0.0:5555",
        "tcp://*:5555",
        "tcp://10.0.0.5:5555",
        "tcp://[::]:5555",
        "tcp://[2001:db8::1]:5555",
        "tcp://example.org:5555",
        "tcp://localhost.example.org:5555",
        "tcp://eth0:5555",
        "tcp://:5555",
        "tcp://127.0.0.1:0;10.0.0.5:5555",
        "tcp://10.0.0.5:0;127.0.0.1:5555",
    ],
)
def test_endpoints_beyond_this_machine_are_refused_with_the_reason(endpoint):
    with pytest.raises(EndpointError, match="neither encrypted nor authenticated") as refused:
        check_endpoint(endpoint)
    assert str(refused.value).startswith(f"{endpoint}: wanted a loopback address")


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://10.0.0.5:5555", "tcp://learner-0:5555"],
)
def test_with_keys_any_address_may_be_used(endpoint):
    assert check_endpoint(endpoint, encrypted=True) == endpoint


@pytest.mark.parametrize(
    ("addresses", "may_be_used"),
    [
        (["127.0.1.1"], True),
        (["127.0.0.1", "::1"], True),
        (["127.0.0.1", "10.0.0.5"], False),
        (["10.0.0.5"], False),
    ],
)
def test_a_name_is_resolved_first_and_must_stay_on_this_machine_by_all_its_addresses(
    addresses, may_be_used, monkeypatch
):
    found = [(0, 0, 0, "", (address, 0)) for address in addresses]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    if may_be_used:
        assert check_endpoint("tcp://my-machine:5555") == "tcp://my-machine:5555"
    else:
        with pytest.raises(EndpointError, match="wanted a loopback address"):
            check_endpoint("tcp://my-machine:5555")


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "127.0.0.1:5555",
        "udp://127.0.0.1:5555",
        "inproc://env",
        "ipc://",
        "ipc://relative/path",
        "ipc://@abstract",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:http",
    ],
)
def test_endpoints_of_another_form_are_refused(endpoint):
    with pytest.raises(EndpointError, match="wanted "):
        check_endpoint(endpoint)


@pytest.mark.parametrize("letter", ["x", "é"])
def test_an_ipc_path_has_at_most_107_bytes(letter):
    path = "/" + letter * ((106) // len(letter.encode()))
    assert check_endpoint(f"ipc://{path}")
    with pytest.raises(EndpointError, match=r"at most 107 bytes, found 10[89]"):
        check_endpoint(f"ipc://{path}{letter}")


@pytest.fixture
def locked(tmp_path):
    """A process that has a lock, and the lock's path."""
    path = tmp_path / "locks" / "it"
    process = subprocess.Popen(
        [sys.executable, "-c", LOCK_FOREVER, str(path)], stdout=subprocess.PIPE
    )
    with process:
        yield process, path
        process.kill()


def test_a_lock_of_one_process_is_refused_to_another(locked):
    process, path = locked
    assert process.stdout.readline() == b"locked\n"
    with pytest.raises(EndpointError, match=f"it is in use by another process .*{path}"):
        lock_file(path, "it")


def test_a_lock_ends_with_its_process_even_if_it_is_killed(locked):
    process, path = locked
    assert process.stdout.readline() == b"locked\n"
    process.kill()
    process.wait()
    lock_file(path, "it").close()


def test_a_lock_file_that_cannot_be_created_is_an_error_with_the_reason(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EndpointError, match=r"it cannot be locked: .*file"):
        lock_file(tmp_path / "file" / "lock", "it")


def test_an_ipc_endpoint_is_locked_beside_its_path_and_a_tcp_endpoint_by_its_port(tmp_path):
    with lock_endpoint(f"ipc://{tmp_path}/env"):
        assert (tmp_path / "env.lock").exists()
    assert lock_endpoint("tcp://127.0.0.1:5555") is None
