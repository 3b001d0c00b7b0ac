"""Episodes: their seeds, where the first ones start, and the line each leaves when it ends."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd_envs.spec import EVENTS
from ssd_influence.measures import collective_return, equality


@dataclass(frozen=True)
class Arena:
    """What tells the episodes of one environment server from all others of a run.

    Args:
        seed: The run's.
        number: The arena's.
        incarnation: Of this server; another one for each restart, so that no episode is replayed.
    """

    seed: int
    number: int
    incarnation: int

    def episode_seed(self, lane: int, game: int, episode: int) -> int:
        """The seed, below 2⁶⁴, of a game's episode: each has its own."""
        place = (self.seed, self.number, self.incarnation, lane, game, episode)
        words = np.array(place, np.uint64).view(np.uint32)  # of equal number, so none run together
        return int(np.random.SeedSequence(words.tolist()).generate_state(1, np.uint64)[0])


def first_clocks(games: int, horizon: int, segment: int) -> NDArray[np.int32]:
    """Where each game's first episode starts, so that a batch holds all phases of an episode.

    An update may be of a part of the games, some neighbours: those, too, are in all phases.

    Args:
        games: B.
        horizon: Steps per episode.
        segment: T; episodes that start at its multiples also start where segments do.

    Returns:
        [B] int32 multiples of T below the horizon, each for as many games as any other, or one
        more, and spread evenly over every run of neighbours.
    """
    phases = -(-horizon // segment)
    return (segment * (_spread(games) * phases // games)).astype(np.int32)


def _spread(count: int) -> NDArray[np.int64]:
    """The numbers 0 … count − 1 in an order in which every run of neighbours is spread evenly.

    It is that of numbers whose binary digits are read backwards, van der Corput's: 0 4 2 6 1 5 3 7.
    Of other counts than powers of 2, the largest such power is taken out, so that halves, quarters
    and eighths are as even as they can be.
    """
    power = count & -count
    rest = np.argsort(np.argsort(_backwards(count // power)))
    return (_backwards(power)[:, None] + power * rest).ravel()


def _backwards(count: int) -> NDArray[np.int64]:
    """0 … count − 1, the binary digits of each read backwards."""
    digits = max(1, (count - 1).bit_length())
    return np.array([int(f"{number:0{digits}b}"[::-1], 2) for number in range(count)])


@dataclass(frozen=True, eq=False)
class Episode:
    """An episode that has ended.

    Args:
        lane: Where it was played.
        game: Which of the lane's games.
        number: How many this game had ended before.
        seed: Its seed.
        length: Steps played; fewer than the horizon in a staggered first episode.
        returns: [N] float64 sum of each agent's rewards.
        counts: [N, E] int64 what each agent did, in the order of `EVENTS`.
        tick: The lane's tick that showed its end.
    """

    lane: int
    game: int
    number: int
    seed: int
    length: int
    returns: NDArray[np.float64]
    counts: NDArray[np.int64]
    tick: int


class EpisodeLog:
    """One JSON line per ended episode, appended to a file.

    Args:
        path: The file; nothing is left anywhere if None.
        arena: Where the episodes are played.
        world: Incarnation of the world, as messages name it.
    """

    def __init__(self, path: Path | None, arena: Arena, world: int) -> None:
        self._arena = arena
        self._world = world
        self._file: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, episodes: Sequence[Episode]) -> None:
        """Append the lines of these episodes, in one write: readers never see part of a line."""
        if episodes and self._file is not None:
            lines = "".join(json.dumps(self._line(one)) + "\n" for one in episodes)
            os.write(self._file, lines.encode())

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _line(self, episode: Episode) -> dict[str, Any]:
        return {
            "arena": self._arena.number,
            "world": self._world,
            "lane": episode.lane,
            "game": episode.game,
            "episode": episode.number,
            "seed": episode.seed,
            "length": episode.length,
            "returns": episode.returns.tolist(),
            "collective_return": collective_return(episode.returns),
            "equality": equality(episode.returns),
            "counts": dict(zip(EVENTS, episode.counts.T.tolist(), strict=True)),
            "tick": episode.tick,
            "time": time.time(),
        }
