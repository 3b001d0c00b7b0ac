"""Evaluates a run: its newest checkpoints play whole episodes that were not trained on.

Actions are sampled from the policies, as in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssd_lab.evaluation.play import load_agents
from ssd_lab.evaluation.trajectories import Trajectories, play_out
from ssd_run.json_lines import read_lines
from ssd_run.run_directory import read_config

EPISODES = 100
_EVALUATION = 0xE7A1


def evaluate(run_dir: Path, episodes: int = EPISODES, draw: int = 0) -> Trajectories:
    """Let the agents of a run play so many episodes at the same time.

    Args:
        run_dir: The run directory that `ssd-train` made.
        episodes: E.
        draw: Another number gives other games and other actions.

    Raises:
        RunFileError: when the run file is unusable.
        CheckpointError: when an agent has no usable checkpoint.
    """
    config = read_config(run_dir)
    seeds = unseen_seeds(run_dir, config.run.seed, episodes, draw)
    agents = load_agents(run_dir, episodes, seed=int(seeds[0] >> 8))
    return play_out([agent.agent for agent in agents], config.game, seeds)


def unseen_seeds(run_dir: Path, seed: int, episodes: int, draw: int = 0) -> NDArray[np.uint64]:
    """Seeds of episodes that a run did not train on: uint64 [episodes], all different.

    They are drawn from another seed sequence than in training (`Arena.episode_seed`), and seeds in
    the run's list of episodes are left out.

    Args:
        run_dir: Of the run.
        seed: The run's.
        episodes: How many.
        draw: Another number gives others.
    """
    lines = (line for path in run_dir.glob("episodes/*.jsonl") for line in read_lines(path))
    taken = {int(line["seed"]) for line in lines}
    fresh = islice(_drawn(seed, draw, taken), episodes)
    return np.fromiter(fresh, np.uint64, episodes)


def _drawn(seed: int, draw: int, taken: set[int]) -> Iterator[int]:
    """An endless sequence of different seeds, none of these."""
    random = np.random.default_rng(np.random.SeedSequence((_EVALUATION, seed, draw)))
    while True:
        candidate = int(random.integers(2**64, dtype=np.uint64))
        if candidate not in taken:
            taken.add(candidate)
            yield candidate
