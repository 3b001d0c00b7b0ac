"""Episodes: their seeds, where the first ones start, and one log line for each that ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd_envs.spec import EVENTS
from ssd_influence.measures import collective_return, equality
from ssd_wire.process.json_lines import JsonLinesFile


@dataclass(frozen=True)
class Arena:
    """What the seeds of all episodes of one environment server are derived from.

    Args:
        seed: The run's.
        index: The arena's.
        start_number: Differs for each start of this arena's server, so that no episode is played
            twice.
    """

    seed: int
    index: int
    start_number: int

    def episode_seed(self, lane: int, game: int, episode: int) -> int:
        """The seed of one episode, below 2⁶⁴, different from that of every other."""
        key = (self.seed, self.index, self.start_number, lane, game, episode)
        words = np.array(key, np.uint64).view(np.uint32)  # always as many words
        return int(np.random.SeedSequence(words.tolist()).generate_state(1, np.uint64)[0])


def first_episode_steps(games: int, horizon: int, segment: int) -> NDArray[np.int32]:
    """The episode step at which each game starts: staggered over the whole episode.

    So a batch contains all phases of an episode. So does a minibatch of successive games.

    Args:
        games: B.
        horizon: Steps per episode.
        segment: T; steps are its multiples, so that episodes start where segments do.

    Returns:
        [B] int32 multiples of T below the horizon. Each occurs equally often, or once more than
        others, and any successive games are spread evenly over them.
    """
    phases = -(-horizon // segment)
    return (segment * (_evenly_spread(games) * phases // games)).astype(np.int32)


def _evenly_spread(count: int) -> NDArray[np.int64]:
    """The numbers 0 … count − 1 in an order in which any successive ones are spread evenly.

    For a power of 2 this is the van der Corput sequence, in which the binary digits are reversed:
    0 4 2 6 1 5 3 7. From other counts the largest power of 2 is factored out, so that halves,
    quarters and eighths are as even as possible.
    """
    power = count & -count
    rest = np.argsort(np.argsort(_bit_reversed(count // power)))
    return (_bit_reversed(power)[:, None] + power * rest).ravel()


def _bit_reversed(count: int) -> NDArray[np.int64]:
    """0 … count − 1 with the binary digits of each reversed."""
    digits = max(1, (count - 1).bit_length())
    return np.array([int(f"{number:0{digits}b}"[::-1], 2) for number in range(count)])


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode that has ended.

    Args:
        lane: Index of the lane.
        game: Index of the game in its lane.
        number: How many episodes this game had ended before.
        seed: Its seed.
        length: Steps played; fewer than the horizon in most first episodes.
        returns: [N] float64, each agent's sum of rewards.
        counts: [N, E] int64, each agent's events, in the order of `EVENTS`.
        tick: The lane's tick after its last step.
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
    """Appends one JSON line per episode that ended to a file.

    Args:
        path: The file; None writes nothing.
        arena: Of the episodes.
        env_incarnation: Of this server, as in its messages.
    """

    def __init__(self, path: Path | None, arena: Arena, env_incarnation: int) -> None:
        self._arena = arena
        self._env_incarnation = env_incarnation
        self._file = None if path is None else JsonLinesFile(path)

    @property
    def fault(self) -> OSError | None:
        """Why the last lines are not in the file yet; None where they are."""
        return self._file.fault if self._file is not None else None

    def write(self, episodes: Sequence[Episode]) -> None:
        """Append the lines of these episodes. On a full disk they wait in memory."""
        if self._file is not None and (episodes or self._file.fault):
            self._file.append(self._line(one) for one in episodes)

    def close(self) -> None:
        """Write what waits, if possible, and close the file."""
        if self._file is not None:
            self._file.close()

    def _line(self, episode: Episode) -> dict[str, Any]:
        return {
            "arena": self._arena.index,
            "env_incarnation": self._env_incarnation,
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
