"""The whole state of games: read from a batch, checked before it is restored."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ssd_envs.layout import NUM_HEADINGS
from ssd_envs.palette import AGENT, APPLE, CLEANING_BEAM, EMPTY, FINING_BEAM, RIVER, WALL, WASTE
from ssd_envs.spec import EVENTS, GameSpec

CONTENTS = {
    "#": (WALL,),
    ".": (EMPTY,),
    "+": (EMPTY,),
    "o": (EMPTY, APPLE),
    "~": (RIVER, WASTE),
    "w": (RIVER, WASTE),
    "=": (RIVER,),
    "D": (WALL, EMPTY),
    "0": (EMPTY,),
    "1": (EMPTY,),
}
"""What a cell may hold, by its symbol on the map."""


@dataclass(frozen=True, eq=False)
class GameState:
    """The whole state of M games, with their returns and event counts so far.

    Attributes:
        contents: uint8 [M, height, width] what each cell holds, as palette index.
        beams: uint8 [M, height, width] the last step's beam over each cell, as palette index, or 0.
        positions: int64 [M, N, 2] row and column of each agent.
        headings: int64 [M, N] 0 up, 1 right, 2 down, 3 left.
        rng_state: uint64 [M] of each game's random numbers.
        episode_step: int32 [M] steps of the episode so far.
        returns: float64 [M, N] of the episode so far.
        counts: int64 [M, N, E] events of the episode so far, in the order of `EVENTS`.
    """

    contents: npt.NDArray[np.uint8]
    beams: npt.NDArray[np.uint8]
    positions: npt.NDArray[np.int64]
    headings: npt.NDArray[np.int64]
    rng_state: npt.NDArray[np.uint64]
    episode_step: npt.NDArray[np.int32]
    returns: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    def check(self, spec: GameSpec) -> None:
        """Check that this is a possible state of a game.

        Raises:
            ValueError: if an array has another shape or dtype than documented above, a cell holds
                what it cannot hold, agents share a cell or stand in a wall or a shut door, or a
                number is out of range.
        """
        self._check_arrays(spec)
        self._check_contents(spec)
        self._check_agents(spec)
        beams = (EMPTY, FINING_BEAM, CLEANING_BEAM)
        _require(np.isin(self.beams, beams), "beams", "0 or a beam's index")
        in_episode = (self.episode_step >= 0) & (self.episode_step <= spec.horizon)
        _require(in_episode, "episode_step", f"0 to {spec.horizon}")
        _require(np.isfinite(self.returns), "returns", "finite")

    def _check_arrays(self, spec: GameSpec) -> None:
        m, n = len(self.contents), spec.num_agents
        board = (m, spec.map.height, spec.map.width)
        wanted: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
            "contents": (board, np.uint8),
            "beams": (board, np.uint8),
            "positions": ((m, n, 2), np.int64),
            "headings": ((m, n), np.int64),
            "rng_state": ((m,), np.uint64),
            "episode_step": ((m,), np.int32),
            "returns": ((m, n), np.float64),
            "counts": ((m, n, len(EVENTS)), np.int64),
        }
        for field in fields(self):
            array = getattr(self, field.name)
            shape, dtype = wanted[field.name]
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(
                    f"{field.name} must be {np.dtype(dtype)} {list(shape)}, "
                    f"not {array.dtype} {list(array.shape)}"
                )

    def _check_contents(self, spec: GameSpec) -> None:
        allowed = np.zeros((spec.map.height, spec.map.width, AGENT), np.bool_)
        for symbol, contents in CONTENTS.items():
            for content in contents:
                allowed[spec.map.mask(symbol), content] = True
        _require(self.contents < AGENT, "contents", f"below {AGENT}")
        rows, columns = np.indices(allowed.shape[:2])
        is_allowed = allowed[rows, columns, self.contents]
        if not is_allowed.all():
            game, row, column = np.argwhere(~is_allowed)[0]
            raise ValueError(
                f"game {game}, row {row}, column {column}: the map has "
                f"'{spec.map.rows[row][column]}' here, which cannot hold a palette index of "
                f"{self.contents[game, row, column]}"
            )

    def _check_agents(self, spec: GameSpec) -> None:
        rows, columns = self.positions[..., 0], self.positions[..., 1]
        inside = (rows >= 0) & (rows < spec.map.height) & (columns >= 0)
        _require(inside & (columns < spec.map.width), "positions", "on the map")
        standing_on = self.contents[np.arange(len(rows))[:, None], rows, columns]
        _require(standing_on != WALL, "positions", "outside walls and shut doors")
        cells = np.sort(rows * spec.map.width + columns, axis=-1)
        _require(np.diff(cells) != 0, "positions", "distinct, one agent per cell")
        _require((self.headings >= 0) & (self.headings < NUM_HEADINGS), "headings", "0 to 3")


def _require(holds: npt.NDArray[np.bool_], name: str, wanted: str) -> None:
    if not holds.all():
        index = [int(i) for i in np.argwhere(~holds)[0]]
        raise ValueError(f"{name} must be {wanted}; they are not at index {index}")
