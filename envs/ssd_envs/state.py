"""A game's whole state, as read from a batch and as checked before it is set."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ssd_envs.layout import QUARTERS
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
    """All that the further course of M games depends on, and their accounts so far.

    Attributes:
        cells: uint8 [M, height, width] what each cell holds, as palette index.
        beams: uint8 [M, height, width] the last step's beams over it, as palette index, or 0.
        places: int64 [M, N, 2] row and column of each agent.
        headings: int64 [M, N] 0 up, 1 right, 2 down, 3 left.
        random: uint64 [M] state of the random number generator.
        clock: int32 [M] steps into the episode.
        returns: float64 [M, N] of the episode so far.
        counts: int64 [M, N, E] events of the episode so far, in the order of `EVENTS`.
    """

    cells: npt.NDArray[np.uint8]
    beams: npt.NDArray[np.uint8]
    places: npt.NDArray[np.int64]
    headings: npt.NDArray[np.int64]
    random: npt.NDArray[np.uint64]
    clock: npt.NDArray[np.int32]
    returns: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    def check(self, spec: GameSpec) -> None:
        """Refuse a state that this game cannot be in.

        Raises:
            ValueError: if an array has another shape or dtype than said above, a cell holds what
                it cannot hold, agents share a cell or stand in a wall or a shut door, or a number
                is out of range.
        """
        self._check_arrays(spec)
        self._check_cells(spec)
        self._check_agents(spec)
        _require(
            np.isin(self.beams, (EMPTY, FINING_BEAM, CLEANING_BEAM)), "beams", "0 or a beam's index"
        )
        _require((self.clock >= 0) & (self.clock <= spec.horizon), "clock", f"0 to {spec.horizon}")
        _require(np.isfinite(self.returns), "returns", "finite")

    def _check_arrays(self, spec: GameSpec) -> None:
        m, n = len(self.cells), spec.num_agents
        board = (m, spec.map.height, spec.map.width)
        wanted: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
            "cells": (board, np.uint8),
            "beams": (board, np.uint8),
            "places": ((m, n, 2), np.int64),
            "headings": ((m, n), np.int64),
            "random": ((m,), np.uint64),
            "clock": ((m,), np.int32),
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

    def _check_cells(self, spec: GameSpec) -> None:
        allowed = np.zeros((spec.map.height, spec.map.width, AGENT), np.bool_)
        for symbol, contents in CONTENTS.items():
            for content in contents:
                allowed[spec.map.marked(symbol), content] = True
        _require(self.cells < AGENT, "cells", f"below {AGENT}")
        rows, columns = np.indices(allowed.shape[:2])
        fits = allowed[rows, columns, self.cells]
        if not fits.all():
            game, row, column = np.argwhere(~fits)[0]
            raise ValueError(
                f"game {game}, row {row}, column {column}: the map has "
                f"'{spec.map.rows[row][column]}' here, which cannot hold a palette index of "
                f"{self.cells[game, row, column]}"
            )

    def _check_agents(self, spec: GameSpec) -> None:
        rows, columns = self.places[..., 0], self.places[..., 1]
        inside = (rows >= 0) & (rows < spec.map.height) & (columns >= 0)
        _require(inside & (columns < spec.map.width), "places", "on the map")
        standing_on = self.cells[np.arange(len(rows))[:, None], rows, columns]
        _require(standing_on != WALL, "places", "no wall and no shut door")
        taken = np.sort(rows * spec.map.width + columns, axis=-1)
        _require(np.diff(taken) != 0, "places", "one agent per cell")
        _require((self.headings >= 0) & (self.headings < QUARTERS), "headings", "0 to 3")


def _require(holds: npt.NDArray[np.bool_], name: str, wanted: str) -> None:
    if not holds.all():
        where = [int(index) for index in np.argwhere(~holds)[0]]
        raise ValueError(f"{name} must be {wanted}: not so at {where}")
