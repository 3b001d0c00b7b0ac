"""The list of games, and everything about each game except its rules, which are named only.

So this file and `ssd_envs.spec` do not need numba.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ssd_envs.maps import builtin_maps
from ssd_envs.maps.game_map import DOOR, LEGEND
from ssd_envs.plugins import is_import_path, load_object

MOVES = (
    "left",
    "right",
    "forward",
    "backward",
    "stay",
    "turn_clockwise",
    "turn_counterclockwise",
)
"""The actions of every game, in the order of their numbers from 0."""

BEAM_PARAMETERS = frozenset({"fire_cost", "fine", "beam_length"})
"""The parameters of games with a fining beam."""

Parameter = bool | int | float | str


@dataclass(frozen=True)
class Game:
    """Everything about a game except its rules, which it names.

    Attributes:
        actions: action names in the order of their numbers: `MOVES`, then others. "fire" and
            "clean" are the beams of `ssd_envs.kernels.beams`; the rules define all others.
        symbols: the symbols that its maps may have, of the legend in `ssd_envs.maps.game_map`.
        map: the drawing of its default map.
        rules: its `ssd_envs.rules.interface.Rules`, as `package.module:Class`. Only processes that
            step games import it, so the others do not need numba.
        parameters: which of the fields of `GameSettings` that not all games have, this one has.
        own: parameters that no other game has, with their default values.
        defaults: the fields of `GameSettings` whose defaults differ in this game.
    """

    actions: tuple[str, ...]
    symbols: str
    map: str
    rules: str
    parameters: frozenset[str] = frozenset()
    own: Mapping[str, Parameter] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.actions[: len(MOVES)] != MOVES or len(set(self.actions)) < len(self.actions):
            raise ValueError(
                f"actions must be {', '.join(MOVES)}, then others, all distinct, "
                f"not {', '.join(self.actions)}"
            )
        if unknown := set(self.symbols) - set(LEGEND):
            raise ValueError(f"symbols must be among '{LEGEND}', not {' '.join(sorted(unknown))}")
        if not is_import_path(self.rules):
            raise ValueError(f"rules must be package.module:Class, not {self.rules!r}")

    @property
    def events(self) -> tuple[str, ...]:
        """Which of `ssd_envs.spec.EVENTS` can happen in this game."""
        events_of_beam = {"fire": ("fires", "hits"), "clean": ("cleaned",)}
        beams = [beam for beam in events_of_beam if beam in self.actions]
        beam_events = tuple(event for beam in beams for event in events_of_beam[beam])
        return ("apples", *beam_events, *(("opened_at",) if DOOR in self.symbols else ()))


_CLEANUP = Game(
    actions=(*MOVES, "fire", "clean"),
    symbols="#.+o~w=",
    map=builtin_maps.CLEANUP,
    rules="ssd_envs.rules.cleanup:Cleanup",
    parameters=BEAM_PARAMETERS | {"apple_growth", "waste_growth", "waste_limit"},
)
_HARVEST = Game(
    actions=(*MOVES, "fire"),
    symbols="#.+o",
    map=builtin_maps.HARVEST,
    rules="ssd_envs.rules.harvest:Harvest",
    parameters=BEAM_PARAMETERS | {"regrowth", "growth_radius"},
)
_BOX_TRAPPED = Game(
    actions=(*MOVES, "open_box"),
    symbols="#.oD01",
    map=builtin_maps.BOX_TRAPPED,
    rules="ssd_envs.rules.box_trapped:BoxTrapped",
    defaults={"agents": 2, "horizon": 100},
)
_SMALL = {"agents": 3, "horizon": 250}
_SMALL_RIVER = {"waste_growth": 0.05}
"""The small river has a seventh of the cells. With this value 0.4 waste cells appear per step
instead of 1, so one agent of three can keep the river clean."""

GAMES = {
    "cleanup": _CLEANUP,
    "cleanup-small": replace(
        _CLEANUP, map=builtin_maps.CLEANUP_SMALL, defaults=_SMALL | _SMALL_RIVER
    ),
    "harvest": _HARVEST,
    "harvest-small": replace(_HARVEST, map=builtin_maps.HARVEST_SMALL, defaults=_SMALL),
    "box-trapped": _BOX_TRAPPED,
}
"""The games by their names in run files. The small ones have the rules of the large ones."""


def get_game(name: str) -> Game:
    """The game of this name: one of `GAMES`, or a user's own game as `package.module:NAME`.

    Raises:
        ValueError: if the name is unknown or cannot be imported.
    """
    if name in GAMES:
        return GAMES[name]
    if not is_import_path(name):
        raise ValueError(
            f"no game is called {name!r}: wanted {', '.join(GAMES)}, "
            f"or package.module:NAME for your own game"
        )
    game = load_object(name)
    if not isinstance(game, Game):
        raise ValueError(f"{name}: wanted a {Game.__module__}.Game, found {game!r:.100}")
    return game
