"""Volumes as folders of this machine, with the owners and modes that kubelet gives them."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.cluster.player.objects import Objects
from tests.cluster.player.pods import Pod
from tests.cluster.player.variables import expand

_DEFAULT_MODE = 0o644  # of files from ConfigMaps and Secrets


class Volumes:
    """Makes the volumes of pods.

    Args:
        folder: Holds them. What is in its `claims` stays when a pod goes.
        objects: With the ConfigMaps and Secrets.
    """

    def __init__(self, folder: Path, objects: Objects) -> None:
        self._folder = folder
        self._objects = objects

    def make(self, pod: Pod) -> None:
        """Make the volumes of a pod, new but for its claims."""
        group = pod.spec["securityContext"]["fsGroup"]
        for volume in pod.spec.get("volumes", ()):
            folder = self._of_pod(pod) / volume["name"]
            folder.mkdir(parents=True)
            if "emptyDir" in volume:  # kubelet evicts pods that exceed its sizeLimit; here it grows
                _give_to_group(folder, group, 0o2777)
            else:
                for path, content, mode in _files(volume, self._objects):
                    _write(folder, folder / path, content, mode, group)
        for claim in pod.claims.values():
            folder = self.claim(claim)
            folder.mkdir(parents=True, exist_ok=True)
            _give_to_group(folder, group, 0o2775)

    def remove(self, pod: Pod) -> None:
        """Remove what does not outlive a pod."""
        shutil.rmtree(self._of_pod(pod), ignore_errors=True)

    def claim(self, name: str) -> Path:
        """The folder of a claim."""
        return self._folder / "claims" / name

    def mounts(
        self, pod: Pod, container: Mapping[str, Any], variables: Mapping[str, str]
    ) -> Iterator[str]:
        """For each mount of a container: folder here, path there, and whether it may be written."""
        for mount in container.get("volumeMounts", ()):
            name = mount["name"]
            claim = pod.claims.get(name)
            source = self.claim(claim) if claim else self._of_pod(pod) / name
            source /= expand(mount.get("subPathExpr", ""), variables)
            yield f"{source}:{mount['mountPath']}:{'ro' if mount.get('readOnly') else 'rw'}"

    def _of_pod(self, pod: Pod) -> Path:
        return self._folder / "pods" / pod.name


def _files(volume: Mapping[str, Any], objects: Objects) -> Iterator[tuple[str, bytes, int]]:
    """Path, content and mode of each file of a volume."""
    ((kind, source),) = ((key, value) for key, value in volume.items() if key != "name")
    if kind == "projected":
        mode = source.get("defaultMode", _DEFAULT_MODE)
        for each in source["sources"]:
            ((inner, reference),) = each.items()
            yield from _files_of(inner, reference["name"], reference.get("items"), mode, objects)
    elif kind in ("configMap", "secret"):
        name = source["name"] if kind == "configMap" else source["secretName"]
        mode = source.get("defaultMode", _DEFAULT_MODE)
        yield from _files_of(kind, name, source.get("items"), mode, objects)
    else:
        raise ValueError(f"the player does not know volumes of kind {kind}")


def _files_of(
    kind: str, name: str, items: list[dict[str, str]] | None, mode: int, objects: Objects
) -> Iterator[tuple[str, bytes, int]]:
    if kind == "secret":
        data = objects.get("Secret", name)["data"]
        content = {key: base64.b64decode(value) for key, value in data.items()}
    else:
        data = objects.get("ConfigMap", name)["data"]
        content = {key: value.encode() for key, value in data.items()}
    for item in items or [{"key": key, "path": key} for key in content]:
        yield item["path"], content[item["key"]], mode


def _write(volume: Path, path: Path, content: bytes, mode: int, group: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    while path != volume:
        os.chown(path, 0, group)
        path = path.parent


def _give_to_group(folder: Path, group: int, mode: int) -> None:
    """As kubelet does with fsGroup: the group may write, and owns what is made in the folder."""
    os.chown(folder, 0, group)
    folder.chmod(mode)
