"""Podman, set up to run containers as root, also inside a sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

COMMANDS = ("podman", "runc", "catatonit", "nft")
_RUNTIME = Path(__file__).with_name("runc_without_limits.py")
_SETTINGS = """\
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc-without-limits"
[engine.runtimes]
runc-without-limits = ["{runtime}"]
"""


class PodmanError(Exception):
    """A command of podman failed."""


class Podman:
    """Runs podman commands.

    Args:
        folder: For its settings and its runtime.
    """

    def __init__(self, folder: Path) -> None:
        runtime = folder / "runc-without-limits"
        runtime.write_text(f"#!{sys.executable}\n{_RUNTIME.read_text()}")
        runtime.chmod(0o755)
        settings = folder / "containers.conf"
        settings.write_text(_SETTINGS.format(runtime=runtime))
        self.environment = {**os.environ, "CONTAINERS_CONF": str(settings)}

    def __call__(self, *arguments: str | Path, seconds: float = 120.0) -> str:
        """The output of a command.

        Raises:
            PodmanError: with its error output.
        """
        return self._run(arguments, seconds).stdout.strip()

    def logs(self, container: str) -> str:
        """What a container has written to its error output, where processes log."""
        return self._run(("logs", container), 120.0).stderr.strip()

    def _run(
        self, arguments: Sequence[str | Path], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["podman", *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise PodmanError(f"podman {arguments[0]}: {done.stderr.strip()[-2000:]}")
        return done

    def has_image(self, name: str) -> bool:
        """Whether this machine has an image."""
        return name in self("images", "--format={{.Repository}}:{{.Tag}}").split()


def why_unusable(podman: Podman) -> str | None:
    """Why containers cannot be run here; None if they can."""
    if os.geteuid() != 0:
        return "containers with addresses of their own need root"
    if missing := [name for name in COMMANDS if shutil.which(name) is None]:
        return f"not installed: {', '.join(missing)}"
    trial = f"ssd-trial-{uuid.uuid4().hex[:8]}"
    try:
        podman("network", "create", trial)
        # A pod has a container that waits and does nothing, from an image that podman makes itself.
        podman("pod", "create", f"--name={trial}", f"--network={trial}")
        podman("pod", "start", trial)
    except (PodmanError, subprocess.TimeoutExpired) as fault:
        return f"no container can be started: {fault}"
    finally:
        _remove_trial(podman, trial)
    return None


def _remove_trial(podman: Podman, trial: str) -> None:
    for arguments in (("pod", "rm", "--force", trial), ("network", "rm", "--force", trial)):
        try:
            podman(*arguments)
        except (PodmanError, subprocess.TimeoutExpired):
            continue  # it was never made
