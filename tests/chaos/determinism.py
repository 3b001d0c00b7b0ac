"""A deterministic run whose learners are killed ends with the weights of an undisturbed one."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors.torch import load_file
from tests.system.runs import Run, set_options

KILLS = 12
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)
LONGEST_WAIT = 1.0  # seconds between a learner's checkpoint and its death
SETTINGS = (
    "game.agents=3",
    "game.horizon=100",
    "run.games=6",
    "run.lanes=2",
    "run.segment=25",
    "learning.checkpoint_seconds=0.5",
)
BATCHES = {"cleanup-moa": ("learning.horizon=50",), "harvest-a3c": ()}  # by preset
AGENTS, STEPS = 3, 120_000


def start(run_dir: Path, preset: str, seed: int) -> Run:
    """A deterministic run of so many steps."""
    sets = set_options(*SETTINGS, *BATCHES[preset])
    return Run(run_dir, preset, "--deterministic", *sets, f"--seed={seed}", f"--steps={STEPS}")


def weights(run: Run) -> dict[str, str]:
    """A digest of each agent's final weights, optimizer and random state."""
    digests = {}
    for folder in sorted((run.dir / "checkpoints").glob("agent-*")):
        tensors = load_file(max(folder.glob("*.safetensors")))
        digest = hashlib.sha256()
        for name in sorted(tensors):
            digest.update(name.encode() + tensors[name].numpy().tobytes())
        digests[folder.name] = digest.hexdigest()[:16]
    return digests


def kill_learners(run: Run, seed: int) -> int:
    """Kill learners in turn, and wait for the end of the run; returns how many were killed.

    Each is killed again only after a checkpoint, since a process that dies without progress in
    between is given up.
    """
    rng, kills = np.random.default_rng(seed), 0
    seen = [0] * AGENTS
    while run.process.poll() is None:
        for agent in range(AGENTS):
            updates = _updates(run, agent)
            if updates <= seen[agent] or kills == KILLS:
                continue
            time.sleep(rng.uniform(0, LONGEST_WAIT))
            if (pid := run.pid(f"learner-{agent}")) is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, int(rng.choice(SIGNALS)))
                    kills += 1
                    seen[agent] = updates
        time.sleep(0.1)
    return kills


def findings(root: Path, preset: str, seed: int) -> list[str]:
    """Compare a run whose learners are killed with one whose learners are not."""
    undisturbed = start(root / f"{preset}-undisturbed", preset, seed)
    undisturbed.process.wait()
    disturbed = start(root / f"{preset}-disturbed", preset, seed)
    kills = kill_learners(disturbed, seed)
    wanted, found = weights(undisturbed), weights(disturbed)
    print(f"{preset}: seed {seed}, {kills} learners killed: {found}", flush=True)
    faults = []
    if wanted != found or len(wanted) != AGENTS:
        faults.append(f"{preset}, seed {seed}: wanted the weights {wanted}, found {found}")
    if kills < KILLS:
        faults.append(f"{preset}, seed {seed}: wanted {KILLS} kills, found {kills}")
    failed = [run for run in (undisturbed, disturbed) if run.process.returncode != 0]
    faults += [f"{run.dir.name}: code {run.process.returncode}:\n{run.output}" for run in failed]
    return faults


def _updates(run: Run, agent: int) -> int:
    """In the newest checkpoint of an agent."""
    with suppress(OSError, ValueError):
        ledger = json.loads((run.dir / "ledgers" / f"learner-{agent}.json").read_text())
        return int(ledger["updates"])
    return 0
