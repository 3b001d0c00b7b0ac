"""Which games there are, and what each is but for its rules' kernels: those are only named here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ssd_envs.maps import builtin_maps
from ssd_envs.maps.game_map import DOOR, LEGEND
from ssd_envs.plugins import is_named, load

MOVES = (
    "left",
    "right",
    "forward",
    "backward",
    "stay",
    "turn_clockwise",
    "turn_counterclockwise",
)
"""The actions that every game has, by number from 0."""

BEAM_PARAMETERS = frozenset({"fire_cost", "fine", "beam_length"})
"""The parameters of games whose agents can fire."""

Parameter = bool | int | float | str


@dataclass(frozen=True)
class Game:
    """What sets a game apart from the others.

    Attributes:
        actions: action names in the order of their numbers: `MOVES`, then others. "fire" and
            "clean" are the beams of `ssd_envs.kernels.beams`; the rules define all others.
        symbols: what its maps may be drawn with, of the legend in `ssd_envs.maps.game_map`.
        drawing: its own map.
        rules: its `ssd_envs.rules.interface.Rules`, as `package.module:Class`. Only processes that
            step games import it, so the others do not need numba.
        parameters: the fields of `GameSettings` that only some games have, and this one has.
        own: parameters that no other game has, with their usual values.
        defaults: the fields of `GameSettings` that are other than usual unless told otherwise.
    """

    actions: tuple[str, ...]
    symbols: str
    drawing: str
    rules: str
    parameters: frozenset[str] = frozenset()
    own: Mapping[str, Parameter] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.actions[: len(MOVES)] != MOVES or len(set(self.actions)) < len(self.actions):
            raise ValueError(f"actions are {', '.join(MOVES)}, and others, not {self.actions}")
        if unknown := set(self.symbols) - set(LEGEND):
            raise ValueError(f"symbols are of '{LEGEND}', not {' '.join(sorted(unknown))}")
        if not is_named(self.rules):
            raise ValueError(f"rules are package.module:Class, not {self.rules!r}")

    @property
    def events(self) -> tuple[str, ...]:
        """Which of `ssd_envs.spec.EVENTS` can happen in it."""
        beams = {"fire": ("fires", "hits"), "clean": ("cleaned",)}
        by_beams = tuple(event for beam in beams if beam in self.actions for event in beams[beam])
        return ("apples", *by_beams, *(("opened_at",) if DOOR in self.symbols else ()))


_CLEANUP = Game(
    actions=(*MOVES, "fire", "clean"),
    symbols="#.+o~w=",
    drawing=builtin_maps.CLEANUP,
    rules="ssd_envs.rules.cleanup:Cleanup",
    parameters=BEAM_PARAMETERS | {"apple_growth", "waste_growth", "waste_limit"},
)
_HARVEST = Game(
    actions=(*MOVES, "fire"),
    symbols="#.+o",
    drawing=builtin_maps.HARVEST,
    rules="ssd_envs.rules.harvest:Harvest",
    parameters=BEAM_PARAMETERS | {"regrowth", "growth_radius"},
)
_BOX_TRAPPED = Game(
    actions=(*MOVES, "open_box"),
    symbols="#.oD01",
    drawing=builtin_maps.BOX_TRAPPED,
    rules="ssd_envs.rules.box_trapped:BoxTrapped",
    defaults={"agents": 2, "horizon": 100},
)
_SMALL = {"agents": 3, "horizon": 250}
_SMALL_RIVER = {"waste_growth": 0.05}
"""With a seventh of the river cells, 0.4 of them spoilt per step instead of 1 are enough: so one
agent of three can keep the river clean."""

GAMES = {
    "cleanup": _CLEANUP,
    "cleanup-small": replace(
        _CLEANUP, drawing=builtin_maps.CLEANUP_SMALL, defaults=_SMALL | _SMALL_RIVER
    ),
    "harvest": _HARVEST,
    "harvest-small": replace(_HARVEST, drawing=builtin_maps.HARVEST_SMALL, defaults=_SMALL),
    "box-trapped": _BOX_TRAPPED,
}
"""The games, by the names of run files. The small ones have the rules of the large ones."""


def game_of(name: str) -> Game:
    """The game of this name: one of `GAMES`, or one's own as `package.module:NAME`.

    Raises:
        ValueError: when there is none, or it cannot be imported.
    """
    if name in GAMES:
        return GAMES[name]
    if not is_named(name):
        raise ValueError(
            f"no game is called {name!r}: wanted {', '.join(GAMES)}, "
            f"or package.module:NAME for a game of one's own"
        )
    game = load(name)
    if not isinstance(game, Game):
        raise ValueError(f"{name}: wanted a ssd_envs.games.Game, found {game!r:.100}")
    return game
