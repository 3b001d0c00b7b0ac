"""Builds the image that the manifests name, as deploy/docker/README.md says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.player.podman import Podman

REPOSITORY = Path(__file__).parents[3]
BASE = "localhost/ssd-test-base:bookworm"
_SETTING = re.compile(r"(?:global|:env:)\.(?P<name>[a-z-]+)='(?P<value>.*)'")
_OF_PIP = ("cert", "extra-index-url", "find-links", "index-url", "proxy", "trusted-host")


class BaseImageError(Exception):
    """There is no base image and it cannot be made here, for example without a Debian mirror."""


def build(podman: Podman, image: str, folder: Path) -> None:
    """Build the CPU image, on a base that is made of Debian packages: no registry is needed.

    Args:
        podman: Runs it.
        image: Name and tag.
        folder: For files that the build needs.

    Raises:
        BaseImageError: when there is no base image.
        PodmanError: when the build fails.
    """
    if not podman.has_image(BASE):
        _make_base(podman)
    podman(
        "build",
        "--network=host",  # as pip here reaches its index
        "--layers",
        f"--build-arg=BASE={BASE}",
        *_pip_volumes(folder),
        f"--tag={image}",
        f"--file={REPOSITORY / 'deploy/docker/Dockerfile'}",
        REPOSITORY,
        seconds=1200,
    )


def _make_base(podman: Podman) -> None:
    made = subprocess.run(
        [REPOSITORY / "deploy/docker/debian-base.sh", BASE],
        env=podman.environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if made.returncode:
        lines = (made.stdout + made.stderr).splitlines()
        errors = [line for line in lines if line.startswith("E: ")]  # no mirror, or no rights
        assert errors, "\n".join(lines[-20:])
        raise BaseImageError(errors[-1])


def _pip_volumes(folder: Path) -> Iterator[str]:
    """Options that give pip inside the build the settings of pip here, and the files they name."""
    settings = dict(_pip_settings())
    (folder / "pip.conf").write_text(
        "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
    )
    yield f"--volume={folder}/pip.conf:/etc/pip.conf:ro"
    words = {word for value in settings.values() for word in value.split()}
    for path in sorted({word.removeprefix("file://").removesuffix("/simple") for word in words}):
        if path.startswith("/") and Path(path).exists():
            yield f"--volume={path}:{path}:ro"


def _pip_settings() -> Iterator[tuple[str, str]]:
    """Those of the environment last, since they have precedence."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    lines = sorted(listed.stdout.splitlines(), key=lambda line: line.startswith(":env:"))
    for line in lines:
        match = _SETTING.fullmatch(line)
        if match and match["name"] in _OF_PIP:
            yield match["name"], match["value"]
