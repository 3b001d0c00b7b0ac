"""Does what every process of a run does: announces itself, and stops when asked or orphaned.

Forked by `ssd_run.processes.fork_server` instead of an environment, an actor or a learner.
"""

import atexit
import os
import random
import secrets
import select
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

from ssd_wire.errors import RunFileError
from ssd_wire.process.command import write_process_entry
from ssd_wire.process.stop import Stop


def preload(_run_file: Path) -> None:
    match os.environ.get("FAKE_PRELOAD"):
        case "fails":
            raise ModuleNotFoundError("No module named 'torch'")
        case "refuses":
            raise RunFileError("[experiment] nowhere.at:All: wanted a reward, found none")
        case "starts a thread":
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        case "uses a GPU":
            torch = ModuleType("torch")
            torch.cuda = ModuleType("torch.cuda")
            torch.cuda.is_initialized = lambda: True
            sys.modules["torch"] = torch


def main() -> None:
    role, run_dir, behaviour, *options = sys.argv[1:]
    parent_pipe = next(int(o.partition("=")[2]) for o in options if o.startswith("--parent-pipe"))
    stop = Stop(parent_pipe)
    print("options", *options, flush=True)
    drawn = (random.random(), secrets.randbits(62))  # noqa: S311 - a fork might copy its state
    print("random", *drawn, flush=True)
    if behaviour == "prints":
        print_what_is_loaded()
        return
    if behaviour == "leaves much to clean up":
        atexit.register(time.sleep, 600)
        print("the last words")
        return
    if behaviour == "refuses":
        print("error: no such device", file=sys.stderr)
        sys.exit(78)
    if behaviour == "crashes":
        raise RuntimeError("on purpose")
    write_process_entry(Path(run_dir), role, {})
    while behaviour == "stubborn" or not stop.requested:
        select.select([] if behaviour == "stubborn" else stop.descriptors, [], [], 60)
        stop.check()


def print_what_is_loaded() -> None:
    """Print modules, and the kernels that numba has compiled or read from its cache."""
    ours = ("ssd_envs.", "ssd_influence.")
    modules = [module for name, module in sys.modules.items() if name.startswith(ours)]
    things = [(name, thing) for module in modules for name, thing in vars(module).items()]
    kernels = [name for name, thing in things if getattr(thing, "nopython_signatures", None)]
    print("modules", *sys.modules)
    print("kernels", *kernels)
