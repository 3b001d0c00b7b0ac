"""Does what every process of a run does: says that it is up, and stops when asked or orphaned.

Run by `ssd_run.processes.fork_server`, in place of a world, an actor or a learner.
"""

import os
import random
import secrets
import select
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

from ssd_wire.errors import RunFileError
from ssd_wire.process import write_process_entry
from ssd_wire.stop import Stop


def preload(_run_file: Path) -> None:
    match os.environ.get("FAKE_PRELOAD"):
        case "fails":
            raise ModuleNotFoundError("No module named 'torch'")
        case "refuses":
            raise RunFileError("[experiment] nowhere.at:All: wanted a reward, found none")
        case "starts a thread":
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        case "uses a GPU":
            sys.modules["torch"] = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: 1))


def main() -> None:
    role, run_dir, manner, *options = sys.argv[1:]
    parent_pipe = next(int(o.partition("=")[2]) for o in options if o.startswith("--parent-pipe"))
    stop = Stop(parent_pipe)
    print("options", *options, flush=True)
    drawn = (random.random(), secrets.randbits(62))  # noqa: S311 - the one that a fork might copy
    print("random", *drawn, flush=True)
    if manner == "tells":
        tell_what_is_loaded()
        return
    if manner == "refuses":
        print("error: no such device", file=sys.stderr)
        sys.exit(78)
    if manner == "crashes":
        raise RuntimeError("on purpose")
    write_process_entry(Path(run_dir), role, {})
    while manner == "stubborn" or not stop.requested:
        select.select([] if manner == "stubborn" else stop.descriptors, [], [], 60)
        stop.check()


def tell_what_is_loaded() -> None:
    """Modules, and kernels as numba has them once they are compiled or read from its cache."""
    ours = ("ssd_envs.", "ssd_influence.")
    modules = [module for name, module in sys.modules.items() if name.startswith(ours)]
    things = [(name, thing) for module in modules for name, thing in vars(module).items()]
    kernels = [name for name, thing in things if getattr(thing, "nopython_signatures", None)]
    print("modules", *sys.modules)
    print("kernels", *kernels)
