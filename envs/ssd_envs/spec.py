"""What is known of a game without playing it: settings, sizes, actions, colours, map.

Nothing here needs numba, so processes that never step a game (actors, learners) start fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ssd_envs import atlas
from ssd_envs.maps import GameMap, drawing_of, parse_map
from ssd_envs.palette import MAX_AGENTS, make_palette

VIEW = 15
"""Each agent sees a window of VIEW x VIEW cells around itself."""

EVENTS = ("apples", "fires", "hits", "cleaned", "opened_at")
"""What each agent did, counted over an episode: apples eaten, fining beams fired, agents hit by
them, waste cells cleaned; and the step, from 1, at which it opened the box, or 0 if it did not."""

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

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Game:
    """What sets a game apart from the others, its kernels aside.

    Attributes:
        actions: names, in the order of the actions' numbers.
        symbols: what its maps may be drawn with.
        drawing: its own map.
        parameters: the fields of `GameSettings` that only some games have, and this one has.
        defaults: the fields of `GameSettings` that are other than usual unless told otherwise.
    """

    actions: tuple[str, ...]
    symbols: str
    drawing: str
    parameters: frozenset[str]
    defaults: Mapping[str, Any] = field(default_factory=dict)


_BEAMS = frozenset({"fire_cost", "fine", "beam_length"})
_CLEANUP = Game(
    actions=(*MOVES, "fire", "clean"),
    symbols="#.+o~w=",
    drawing=atlas.CLEANUP,
    parameters=_BEAMS | {"apple_growth", "waste_growth", "waste_limit"},
)
_HARVEST = Game(
    actions=(*MOVES, "fire"),
    symbols="#.+o",
    drawing=atlas.HARVEST,
    parameters=_BEAMS | {"regrowth", "growth_radius"},
)
_BOX_TRAPPED = Game(
    actions=(*MOVES, "open_box"),
    symbols="#.oD01",
    drawing=atlas.BOX_TRAPPED,
    parameters=frozenset(),
    defaults={"agents": 2, "horizon": 100},
)
_SMALL = {"agents": 3, "horizon": 250}
_SMALL_RIVER = {"waste_growth": 0.05}
"""With a seventh of the river cells, 0.4 of them spoilt per step instead of 1 are enough: so one
agent of three can keep the river clean."""

GAMES = {
    "cleanup": _CLEANUP,
    "cleanup-small": replace(_CLEANUP, drawing=atlas.CLEANUP_SMALL, defaults=_SMALL | _SMALL_RIVER),
    "harvest": _HARVEST,
    "harvest-small": replace(_HARVEST, drawing=atlas.HARVEST_SMALL, defaults=_SMALL),
    "box-trapped": _BOX_TRAPPED,
}
"""The games, by the names of run files. The small ones have the rules of the large ones."""


class GameSettings(BaseModel):
    """The run file's [game]: which game, on which map, by which numbers.

    Attributes:
        name: the game.
        agents: N, at most one per spawn cell; by default 5, in small games 3, in Box Trapped 2.
        horizon: steps per episode; by default 1000, in small games 250, in Box Trapped 100.
        map: a drawing, or the path of a text file that holds one (read at once, so that settings
            carry the drawing wherever they go); None is the game's own map.
        fire_cost: Cleanup, Harvest: what firing the fining beam costs the firer.
        fine: Cleanup, Harvest: what each agent hit by it loses.
        beam_length: Cleanup, Harvest: cells that each of a beam's three columns covers.
        regrowth: Harvest: a bare apple cell's chance per step, by how many apples are near; the
            last one holds for more.
        growth_radius: Harvest: how near is near, as the largest dx² + dy².
        apple_growth: Cleanup: an orchard cell's chance per step when there is no waste at all.
        waste_growth: Cleanup: the chance of each clean river cell that is tried for new waste; by
            default 0.5, on the small map 0.05.
        waste_limit: Cleanup: the waste density at which nothing grows and no waste appears.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["cleanup", "cleanup-small", "harvest", "harvest-small", "box-trapped"]
    agents: int = Field(5, ge=2, le=MAX_AGENTS)
    horizon: int = Field(1000, ge=1, lt=2**31)
    map: str | None = None
    fire_cost: Points = 1.0
    fine: Points = 50.0
    beam_length: int = Field(5, ge=1, lt=2**31)
    regrowth: tuple[Probability, ...] = Field((0.0, 0.005, 0.02, 0.05), min_length=1)
    growth_radius: int = Field(2, ge=1, le=(VIEW // 2) ** 2)
    apple_growth: Probability = 0.05
    waste_growth: Probability = 0.5
    waste_limit: float = Field(0.4, gt=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _as_usual_in_this_game(cls, given: Any) -> Any:
        game = GAMES.get(str(given.get("name"))) if isinstance(given, Mapping) else None
        return given if game is None else {**game.defaults, **given}

    @field_validator("map")
    @classmethod
    def _read_map(cls, given: str | None) -> str | None:
        return None if given is None else drawing_of(given)

    @model_validator(mode="after")
    def _fits_game(self) -> Self:
        elsewhere = frozenset[str]().union(*(game.parameters for game in GAMES.values()))
        for parameter in sorted(elsewhere - GAMES[self.name].parameters):
            if getattr(self, parameter) != type(self).model_fields[parameter].default:
                raise ValueError(f"{self.name} has no {parameter}")
        self.parsed_map()
        return self

    def parsed_map(self) -> GameMap:
        """The map, checked against this game's symbols and number of agents."""
        game = GAMES[self.name]
        drawing = game.drawing if self.map is None else self.map
        return parse_map(drawing, game.symbols, self.agents)


@dataclass(frozen=True, eq=False)
class GameSpec:
    """A game's sizes, names and colours.

    Attributes:
        name: the game.
        num_agents: N.
        action_names: one per action, by number.
        view: V, the side of the square window that each agent sees.
        palette: uint8 [P, 3] RGB of each palette index.
        horizon: steps per episode.
        map: the parsed map.
    """

    name: str
    num_agents: int
    action_names: tuple[str, ...]
    view: int
    palette: npt.NDArray[np.uint8]
    horizon: int
    map: GameMap

    @property
    def num_actions(self) -> int:
        """A: how many actions each agent has."""
        return len(self.action_names)


def game_spec(settings: GameSettings) -> GameSpec:
    """All that is known of a game before it is played."""
    return GameSpec(
        name=settings.name,
        num_agents=settings.agents,
        action_names=GAMES[settings.name].actions,
        view=VIEW,
        palette=make_palette(settings.agents),
        horizon=settings.horizon,
        map=settings.parsed_map(),
    )
