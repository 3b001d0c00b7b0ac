"""Checks of recorded trajectories: an index out of range would be counted as something else."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
Scalar = TypeVar("Scalar", bound=np.generic)


def choices(name: str, values: Integers, num_values: int) -> npt.NDArray[np.int64]:
    """What each agent chose at each step, wide enough to reckon with.

    Args:
        name: What an error calls them.
        values: [T, B, N] or [T, N] integer, in 0…`num_values` − 1.
        num_values: How many there are to choose from, at least 2.

    Returns:
        [T, B, N] int64, with B = 1 for a single game.

    Raises:
        ValueError: another rank or type, nothing recorded, or a value out of range.
    """
    if num_values < 2:
        raise ValueError(f"{name}: wanted at least 2 to choose from, found {num_values}")
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.integer) or not values.size:
        raise ValueError(
            f"{name}: wanted some integers, found {values.dtype} of shape {values.shape}"
        )
    if values.min() < 0 or values.max() >= num_values:
        found = f"{values.min()}…{values.max()}"
        raise ValueError(f"{name}: wanted values in 0…{num_values - 1}, found {found}")
    return by_game(name, values, 3).astype(np.int64)


def by_game(name: str, values: npt.NDArray[Scalar], rank: int) -> npt.NDArray[Scalar]:
    """The same with its axis of games: a single game's [T, …] becomes [T, 1, …].

    Args:
        name: What an error calls them.
        values: `rank` axes, or one fewer for a single game.
        rank: How many axes there are with that of games.

    Raises:
        ValueError: another number of axes.
    """
    if values.ndim not in (rank - 1, rank):
        wanted = f"{rank} axes, or {rank - 1} for one game"
        raise ValueError(f"{name}: wanted {wanted}, found shape {values.shape}")
    return values if values.ndim == rank else values[:, None]


def flags(name: str, values: npt.NDArray[np.bool_], rank: int) -> npt.NDArray[np.bool_]:
    """What holds or does not at each step, with its axis of games, as `by_game`.

    Raises:
        ValueError: another rank or type; numbers would all hold but 0.
    """
    values = np.asarray(values)
    if values.dtype != np.bool_:
        raise ValueError(f"{name}: wanted bool, found {values.dtype}")
    return by_game(name, values, rank)


def check_shape(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Raises ValueError unless the shapes are the same: equal sizes would not do."""
    if shape != wanted:
        raise ValueError(f"{name}: wanted shape {wanted}, found {shape}")
