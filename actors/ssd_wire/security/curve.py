"""CURVE on sockets: the options of both ends, and the check of each client's key.

A server accepts a connection only if its allow-list has the client's public key, under an identity
that may connect to this server. ZeroMQ asks a thread of this process about each connection (ZAP).
The server's sockets set a ZAP domain and enforce it: without that thread no client is accepted.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

import zmq
from zmq.auth.thread import ThreadAuthenticator

from ssd_wire.security.keys import Keys, load_keys

DOMAIN = b"ssd"
LOGGED_KEYS = 100  # refused keys that are logged, each once

Options = Mapping[int, int | bytes]

_log = logging.getLogger(__name__)


class SocketSecurity:
    """CURVE for all sockets of a process, or no security if it has no keys.

    Args:
        keys: Of this process; None for plain sockets, which must not leave the machine.
    """

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys
        self._authenticator: Authenticator | None = None

    @classmethod
    def load(cls, folder: Path | None, identity: str) -> Self:
        """With the keys of this identity from a folder; plain where there is no folder.

        Raises:
            KeyFileError: when a key is missing or unsafe.
        """
        return cls(None if folder is None else load_keys(folder, identity))

    def server_options(self, allowed: Collection[str]) -> Options:
        """Options of the sockets that this process binds.

        Args:
            allowed: Identities that may connect. They are the same for all sockets of a process.
        """
        if self._keys is None:
            return {}
        if self._authenticator is None:
            self._authenticator = Authenticator(self._keys, allowed)
        return {
            zmq.CURVE_SERVER: 1,
            zmq.CURVE_SECRETKEY: self._keys.secret,
            zmq.ZAP_DOMAIN: DOMAIN,
            zmq.ZAP_ENFORCE_DOMAIN: 1,
        }

    def client_options(self, server: str) -> Options:
        """Options of a socket that connects to the server of this identity.

        Raises:
            KeyFileError: when its public key is not known.
        """
        if self._keys is None:
            return {}
        return {
            zmq.CURVE_PUBLICKEY: self._keys.public,
            zmq.CURVE_SECRETKEY: self._keys.secret,
            zmq.CURVE_SERVERKEY: self._keys.public_key_of(server),
        }

    @property
    def refused_connections(self) -> int:
        """Connections refused because of their key so far; a client that tries again counts again.

        A client that offers no key at all is turned away by ZeroMQ before it is counted.
        """
        return self._authenticator.refused if self._authenticator else 0

    def identity_of(self, user_id: str) -> str | None:
        """Who sent a message, by the user id that ZeroMQ attaches to it; None on plain sockets."""
        return self._authenticator.identity_of(user_id) if self._authenticator else None

    def close(self) -> None:
        """Accept no more clients."""
        if self._authenticator is not None:
            self._authenticator.close()


class Authenticator:
    """Accepts the clients with some identities, in its own thread, until it is closed.

    Args:
        keys: Of this process; holds the allow-list.
        allowed: Identities that may connect.

    Attributes:
        refused: Number of refused connections.
    """

    def __init__(self, keys: Keys, allowed: Collection[str]) -> None:
        self.refused = 0
        self._identities = {key: name for name, key in keys.known.items() if name in allowed}
        self._logged: set[bytes] = set()
        quiet = logging.getLogger("zmq.auth")
        quiet.setLevel(logging.CRITICAL)  # it logs every attempt
        self._thread = ThreadAuthenticator(zmq.Context.instance(), log=quiet)
        self._thread.start()
        self._thread.configure_curve_callback(DOMAIN.decode(), credentials_provider=self)

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002 - as pyzmq calls it
        """Whether the client with this public key may connect. Called by the thread."""
        if key in self._identities:
            return True
        self.refused += 1
        if key not in self._logged and len(self._logged) < LOGGED_KEYS:
            self._logged.add(key)
            _log.warning("refused a connection: the key %s may not connect here", key.decode())
        return False

    def identity_of(self, user_id: str) -> str | None:
        """The identity behind a message, by the user id that ZeroMQ attaches to it."""
        return self._identities.get(user_id.encode())

    def close(self) -> None:
        """Accept no more clients."""
        self._thread.stop()
