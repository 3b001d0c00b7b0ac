"""Calls runc, without the resource limits (ulimit) that podman asks for.

Podman raises them for every process, which a sandbox without CAP_SYS_RESOURCE forbids.
"""

import json
import os
import shutil
import sys
from pathlib import Path


def remove_limits(arguments: list[str]) -> None:
    """Remove the limits from the file that describes the process: of `create` or of `exec`."""
    if "--bundle" in arguments:
        path = Path(arguments[arguments.index("--bundle") + 1]) / "config.json"
    elif "--process" in arguments:
        path = Path(arguments[arguments.index("--process") + 1])
    else:
        return
    description = json.loads(path.read_text())
    description.get("process", description).pop("rlimits", None)
    path.write_text(json.dumps(description))


remove_limits(sys.argv)
runc = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin")
os.execv(runc or "/usr/sbin/runc", ["runc", *sys.argv[1:]])  # noqa: S606 - there is no shell
