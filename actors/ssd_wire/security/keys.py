"""CURVE keys in files: one secret per process identity, and one list of all public keys.

An identity is ``env``, ``learner-K`` or ``actor-K``, where K is the number of an agent. All arenas
share the identities ``env`` and ``actor-K``.

A key folder holds ``public.toml``, the allow-list, with a line IDENTITY = 'public key' for each
identity. It also holds a file ``IDENTITY.secret`` for each identity that this machine runs. It is
readable by its owner only, or belongs to root and is readable by the process's group. Keys are Z85
text of 40 characters, ZeroMQ's own form.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from ssd_wire.errors import KeyFileError

PUBLIC = "public.toml"
SECRET_SUFFIX = ".secret"  # noqa: S105 - the name of a file
_IDENTITY = re.compile(r"env|(?:learner|actor)-(?:0|[1-9][0-9]{0,3})")
_KEY_LENGTH = 40  # characters of Z85, for 32 bytes


def identities(agents: int) -> Iterator[str]:
    """All identities of a run of N agents."""
    yield "env"
    for agent in range(agents):
        yield f"learner-{agent}"
        yield f"actor-{agent}"


@dataclass(frozen=True)
class Keys:
    """What one process knows: its own pair of keys, and everybody's public key.

    Attributes:
        identity: Of this process.
        public, secret: Its own keys, Z85.
        known: The allow-list: identity → public key, Z85.
    """

    identity: str
    public: bytes
    secret: bytes
    known: Mapping[str, bytes]

    def public_key_of(self, identity: str) -> bytes:
        """The public key of a peer.

        Raises:
            KeyFileError: when the allow-list has none.
        """
        if identity not in self.known:
            raise KeyFileError(f"{PUBLIC}: wanted a public key of {identity}, found none")
        return self.known[identity]


def create_keys(folder: Path, agents: int) -> list[str]:
    """Write new keys for a run of N agents into a folder.

    Args:
        folder: It is created if need be, with mode 0700.
        agents: N.

    Returns:
        The identities.

    Raises:
        KeyFileError: when the folder has keys already, or cannot be written.
    """
    names = list(identities(agents))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        public = {}
        for name in names:
            public_key, secret_key = zmq.curve_keypair()
            write_new(_secret_file(folder, name), secret_key.decode() + "\n", 0o600)
            public[name] = public_key.decode()
        lines = (f"{name} = '{key}'\n" for name, key in public.items())  # Z85 has no single quote
        write_new(folder / PUBLIC, "".join(lines), 0o644)
    except FileExistsError as fault:
        raise KeyFileError(
            f"{fault.filename}: a key is here already; wanted a new folder"
        ) from fault
    except OSError as fault:
        raise KeyFileError(f"{folder}: keys cannot be written: {fault}") from fault
    return names


def load_keys(folder: Path, identity: str) -> Keys:
    """The keys of one process.

    Args:
        folder: Holds ``public.toml`` and this identity's secret.
        identity: Of this process.

    Raises:
        KeyFileError: when a file is missing, is readable by others, or holds no key, or when the
            secret does not match the public key of this identity.
    """
    known = _load_public(folder / PUBLIC)
    secret = _load_secret(_secret_file(folder, identity))
    public = zmq.curve_public(secret)
    if known.get(identity) != public:
        raise KeyFileError(
            f"{folder}: {identity}{SECRET_SUFFIX} does not match the public key of {identity}"
            f" in {PUBLIC}"
        )
    return Keys(identity, public, secret, known)


def _secret_file(folder: Path, identity: str) -> Path:
    return folder / f"{identity}{SECRET_SUFFIX}"


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a file that does not exist yet.

    Raises:
        OSError: when it exists, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _load_public(path: Path) -> dict[str, bytes]:
    try:
        content = tomllib.loads(path.read_text())
    except OSError as fault:
        raise KeyFileError(f"{path}: cannot be read: {fault.strerror}") from fault
    except ValueError as fault:
        raise KeyFileError(f"{path}: wanted lines of IDENTITY = 'public key': {fault}") from fault
    known = {name: _checked(path, name, key) for name, key in content.items()}
    if len(set(known.values())) < len(known):
        raise KeyFileError(f"{path}: wanted a key of its own for each identity, found one twice")
    return known


def _checked(path: Path, name: str, key: object) -> bytes:
    if not _IDENTITY.fullmatch(name):
        raise KeyFileError(f"{path}: wanted env, learner-K or actor-K, found {name!r:.80}")
    if not isinstance(key, str) or not _is_key(key):
        raise KeyFileError(f"{path}: wanted a key of {_KEY_LENGTH} characters for {name}")
    return key.encode()


def _load_secret(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(2 * _KEY_LENGTH).decode(errors="replace").strip()
    except OSError as fault:
        raise KeyFileError(f"{path}: cannot be read: {fault.strerror}") from fault
    if (mode := stat.S_IMODE(status.st_mode)) & ~_allowed_mode(status.st_uid, os.geteuid()):
        raise KeyFileError(
            f"{path}: wanted a file that only its owner can read (mode 0600), found {mode:04o}"
        )
    if not _is_key(text):
        raise KeyFileError(f"{path}: wanted one key of {_KEY_LENGTH} characters")
    return text.encode()


def _allowed_mode(owner: int, user: int) -> int:
    """The most that a secret's mode may allow.

    A file of root's may be readable by the group of a process that is not root's. So Kubernetes
    hands over secrets (`fsGroup`), and PostgreSQL has the same rule.
    """
    return 0o640 if owner == 0 != user else 0o700


def _is_key(text: str) -> bool:
    if len(text) != _KEY_LENGTH:
        return False
    try:
        z85.decode(text.encode())
    except (KeyError, ValueError, struct.error):
        return False
    return True
