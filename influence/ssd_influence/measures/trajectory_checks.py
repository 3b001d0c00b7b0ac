"""Checks of recorded trajectories. Without them, a value out of range would be miscounted."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ssd_influence.array_types import I64, Bools

Integers = npt.NDArray[np.integer]
Scalar = TypeVar("Scalar", bound=np.generic)


def as_choices(name: str, values: Integers, num_values: int) -> I64:
    """Actions or symbols, checked, as int64 with an axis of games.

    Args:
        name: for error messages.
        values: [T, B, N] or [T, N] integer, in 0…`num_values` − 1.
        num_values: at least 2.

    Returns:
        [T, B, N], with B = 1 for a single game.

    Raises:
        ValueError: another rank or dtype, nothing recorded, or a value out of range.
    """
    if num_values < 2:
        raise ValueError(f"{name}: wanted at least 2 values, found {num_values}")
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.integer) or not values.size:
        raise ValueError(
            f"{name}: wanted some integers, found {values.dtype} of shape {values.shape}"
        )
    if values.min() < 0 or values.max() >= num_values:
        found = f"{values.min()}…{values.max()}"
        raise ValueError(f"{name}: wanted values in 0…{num_values - 1}, found {found}")
    return with_games(name, values, 3).astype(np.int64)


def with_games(name: str, values: npt.NDArray[Scalar], rank: int) -> npt.NDArray[Scalar]:
    """The same with an axis of games: a single game's [T, …] becomes [T, 1, …].

    Args:
        name: for error messages.
        values: `rank` axes, or one fewer for a single game.
        rank: number of axes with the axis of games.

    Raises:
        ValueError: another number of axes.
    """
    if values.ndim not in (rank - 1, rank):
        wanted = f"{rank} axes, or {rank - 1} for one game"
        raise ValueError(f"{name}: wanted {wanted}, found shape {values.shape}")
    return values if values.ndim == rank else values[:, None]


def as_flags(name: str, values: Bools, rank: int) -> Bools:
    """Bools, checked, with an axis of games; see `with_games`.

    Raises:
        ValueError: another rank or dtype.
    """
    values = np.asarray(values)
    if values.dtype != np.bool_:
        raise ValueError(f"{name}: wanted bool, found {values.dtype}")
    return with_games(name, values, rank)


def check_shape(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Raises ValueError unless the shapes are the same."""
    if shape != wanted:
        raise ValueError(f"{name}: wanted shape {wanted}, found {shape}")
