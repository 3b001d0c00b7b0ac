"""Faults are drawn from a seed, and connections are cut for real."""

import socket
import subprocess
import sys
from itertools import islice

import pytest
from tests.chaos import connections
from tests.chaos.faults import FREEZE, LONG, LONG_EVERY, draw
from tests.chaos.recorded_run import ROLES


def test_the_same_seed_draws_the_same_faults():
    one, same, other = (list(islice(draw(seed, ROLES, (1, 2)), 100)) for seed in (1, 1, 2))

    assert one == same != other
    assert {fault.role for fault in one} >= set(ROLES)


def test_processes_of_each_kind_are_frozen_for_long_in_turn():
    drawn = islice(draw(1, ROLES, (1, 2)), 4 * LONG_EVERY)

    long = [fault for fault in drawn if fault.seconds >= LONG[0]]

    kinds = {fault.role.partition("-")[0] for fault in long}
    assert kinds == {"learner", "actor", "env", "fork"}
    assert {fault.kind for fault in long} == {FREEZE}


@pytest.mark.skipif(bool(connections.unavailable()), reason=connections.unavailable())
def test_a_connection_of_another_process_is_cut_for_both_ends(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
        with subprocess.Popen(
            [sys.executable, "-c", code + "assert s.recv(1) == b''", path]
        ) as peer:
            accepted, _ = server.accept()

            (descriptor,) = connections.zmq_connections(peer.pid)
            connections.cut(peer.pid, descriptor)

            assert accepted.recv(1) == b""
            assert peer.wait(timeout=30) == 0
            accepted.close()
