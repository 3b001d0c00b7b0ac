"""Key files as objects of Kubernetes: a Secret for each kind of process, and the public keys."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator
from pathlib import Path

from ssd_wire.errors import KeyFileError
from ssd_wire.security.keys import PUBLIC, SECRET_SUFFIX, write_new

MANIFEST = "kubernetes.yaml"
KINDS = ("env", "learner", "actor")


def write_manifest(folder: Path, names: list[str]) -> Path:
    """Write the keys in a folder into one manifest there, readable by its owner only.

    The Secrets are ``keys-env``, ``keys-learner`` and ``keys-actor``, the ConfigMap is
    ``keys-public``. Their keys are the names of the files.

    Args:
        folder: Of keys that `create_keys` made.
        names: The identities.

    Raises:
        KeyFileError: when it cannot be written.
    """
    path = folder / MANIFEST
    try:
        write_new(path, "---\n".join(_objects(folder, names)), 0o600)
    except OSError as fault:
        raise KeyFileError(f"{path}: cannot be written: {fault}") from fault
    return path


def _objects(folder: Path, names: list[str]) -> Iterator[str]:
    for kind in KINDS:
        files = [f"{name}{SECRET_SUFFIX}" for name in names if name.partition("-")[0] == kind]
        encoded = (f"  {file}: {_base64(folder / file)}\n" for file in files)
        yield f"{_head('Secret', kind)}type: Opaque\ndata:\n{''.join(encoded)}"
    public = textwrap.indent((folder / PUBLIC).read_text(), "    ")
    yield f"{_head('ConfigMap', 'public')}data:\n  {PUBLIC}: |\n{public}"


def _head(kind: str, suffix: str) -> str:
    labels = "{app.kubernetes.io/part-of: ssd-influence}"
    return f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: keys-{suffix}\n  labels: {labels}\n"


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
