"""The run of these tests: the manifests of deploy/kubernetes, with a small experiment in them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.player.image import REPOSITORY
from tests.cluster.player.objects import Object, load, render

from ssd_run.presets import load_config

NAMESPACE = "ssd-test"
BIN = Path(sys.executable).parent  # the environment may not be activated
AGENTS = 5
GAMES = 8  # of a lane
SETTINGS = (
    f"run.games={GAMES}",
    f"learning.update_games={GAMES}",
    "learning.checkpoint_seconds=3",
)
_KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {namespace}
bases:
  - {overlay}
configMapGenerator:
  - name: run
    behavior: replace
    files: [run.toml]
    literals: [own-steps=1000000000]
patchesJson6902:
  - target: {{version: v1, kind: Namespace, name: ssd-influence}}
    path: namespace.yaml
images:
  - {{name: ssd-influence, newName: {image}}}
"""


def manifests(folder: Path, image: str, settings: Iterable[str] = SETTINGS) -> list[Object]:
    """The objects of the overlay for CPUs, in a namespace of their own and with another run file.

    Args:
        folder: For files of kustomize, and for keys.
        image: Name in place of `ssd-influence`; the tag is that of the manifests.
        settings: In place of those of harvest-moa.
    """
    config = load_config("harvest-moa", settings)
    (folder / "run.toml").write_text(config.toml())
    (folder / "namespace.yaml").write_text(
        f"- {{op: replace, path: /metadata/name, value: {NAMESPACE}}}\n"
    )
    path = os.path.relpath(REPOSITORY / "deploy/kubernetes/overlays/cpu", folder)
    (folder / "kustomization.yaml").write_text(
        _KUSTOMIZATION.format(namespace=NAMESPACE, overlay=path, image=image)
    )
    return [*render(folder), *_keys(folder / "keys")]


def _keys(folder: Path) -> list[Object]:
    command = [BIN / "ssd-keys", "--agents", str(AGENTS), "--kubernetes", folder]
    subprocess.run(command, check=True, capture_output=True)
    return load((folder / "kubernetes.yaml").read_text())
