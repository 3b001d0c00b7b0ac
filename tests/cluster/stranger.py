"""Run in a container: what somebody with a key of his own gets from a socket of the run.

    python stranger.py ADDRESS PORT PUBLIC-KEY-OF-THE-SERVER

Prints `timed out` when no TCP connection can be made, otherwise how the CURVE handshake ends:
`accepted`, or the name of ZeroMQ's event.
"""

import socket
import sys

import zmq
from zmq.utils.monitor import recv_monitor_message

SECONDS = 5.0
_OUTCOMES = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_DISCONNECTED
)


def tcp(address: str, port: int) -> str:
    """Whether a TCP connection can be made."""
    try:
        socket.create_connection((address, port), timeout=SECONDS).close()
    except TimeoutError:
        return "timed out"
    return "connected"


def curve(address: str, port: int, server_key: bytes) -> str:
    """How the handshake of an encrypted connection ends."""
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
    dealer.curve_serverkey = server_key
    dealer.linger = 0
    monitor = dealer.get_monitor_socket(_OUTCOMES)
    dealer.connect(f"tcp://{address}:{port}")
    if not monitor.poll(SECONDS * 1000):
        return "no answer"
    event = zmq.Event(recv_monitor_message(monitor)["event"])
    return "accepted" if event == zmq.EVENT_HANDSHAKE_SUCCEEDED else event.name.lower()


if __name__ == "__main__":
    where = sys.argv[1], int(sys.argv[2])
    reached = tcp(*where)
    print(reached if reached == "timed out" else curve(*where, sys.argv[3].encode()))
