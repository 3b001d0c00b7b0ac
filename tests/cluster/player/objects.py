"""The objects of a namespace, as `kubectl kustomize` renders them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


class Objects:
    """What has been applied, by kind and name.

    Args:
        objects: All of one namespace, or without one.
    """

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self._by_name: dict[tuple[str, str], Object] = {}
        self.apply(objects)

    def apply(self, objects: Iterable[Object]) -> None:
        """Add objects, or replace those of the same kind and name."""
        for one in objects:
            self._by_name[one["kind"], one["metadata"]["name"]] = one

    def get(self, kind: str, name: str) -> Object:
        """One object.

        Raises:
            KeyError: when there is none; in a cluster, what refers to it would wait for ever.
        """
        return self._by_name[kind, name]

    def of_kind(self, kind: str) -> Iterator[Object]:
        """All of one kind."""
        return (one for (this, _), one in self._by_name.items() if this == kind)


def render(folder: Path) -> list[Object]:
    """The objects of a kustomization."""
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return load(done.stdout)


def load(text: str) -> list[Object]:
    """The objects of a manifest."""
    return [one for one in yaml.safe_load_all(text) if one is not None]
