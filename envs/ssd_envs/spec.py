"""What is known of a game before it is played: settings, sizes, actions, colours, map.

Nothing here needs numba, so processes that do not step games (actors, learners) start fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    SkipValidation,
    field_validator,
    model_serializer,
    model_validator,
)

from ssd_envs.games import GAMES, Game, Parameter, get_game
from ssd_envs.maps.game_map import GameMap
from ssd_envs.maps.parser import parse_map, read_drawing
from ssd_envs.palette import MAX_AGENTS, make_palette

VIEW = 15
"""Each agent sees a window of VIEW x VIEW cells around itself."""

VIEW_RADIUS = VIEW // 2

EVENTS = ("apples", "fires", "hits", "cleaned", "opened_at")
"""What is recorded of each agent over an episode: how many apples it ate, fining beams it fired,
agents it hit with them and waste cells it cleaned; and at which step, from 1, it opened the box, or
0 if it did not."""

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Points = Annotated[float, Field(ge=0, le=1000)]  # so that no sum of them is too large to be sent


class GameSettings(BaseModel):
    """The run file's [game]: the game, its map and its parameters.

    Attributes:
        name: "cleanup", "harvest", "cleanup-small", "harvest-small", "box-trapped", or
            `package.module:NAME` for your own `Game`.
        agents: N, at most one per spawn cell. Default 5, in small games 3, in Box Trapped 2.
        horizon: steps per episode. Default 1000, in small games 250, in Box Trapped 100.
        map: a drawing, or the path of a text file with one, which is read at once. Default: the
            game's built-in map.
        fire_cost: Cleanup, Harvest: what firing the fining beam costs the agent that fires it.
        fine: Cleanup, Harvest: what each agent hit by the fining beam loses.
        beam_length: Cleanup, Harvest: cells in each of a beam's three columns.
        regrowth: Harvest: probabilities that a bare apple cell grows an apple in a step, with 0,
            1, 2, ... apples nearby. The last one also holds for more.
        growth_radius: Harvest: which apples count as nearby, as the largest dx² + dy².
        apple_growth: Cleanup: probability that a bare apple cell grows an apple in a step when
            there is no waste.
        waste_growth: Cleanup: in each step the clean river cells are tried in random order, until
            one turns to waste. This is the probability of each try. Default 0.5, in
            "cleanup-small" 0.05.
        waste_limit: Cleanup: waste density from which on no apples grow and no waste appears.
        own: parameters of your own game. Those not given have the defaults that the game defines.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    agents: int = Field(5, ge=2, le=MAX_AGENTS)
    horizon: int = Field(1000, ge=1, lt=2**31)
    map: str | None = None
    fire_cost: Points = 1.0
    fine: Points = 50.0
    beam_length: int = Field(5, ge=1, lt=2**31)
    regrowth: tuple[Probability, ...] = Field((0.0, 0.005, 0.02, 0.05), min_length=1)
    growth_radius: int = Field(2, ge=1, le=VIEW_RADIUS**2)
    apple_growth: Probability = 0.05
    waste_growth: Probability = 0.5
    waste_limit: float = Field(0.4, gt=0, le=1)
    own: dict[str, SkipValidation[Parameter]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_game_defaults(cls, given: Any) -> Any:
        try:
            game = get_game(str(given.get("name")))
        except (AttributeError, ValueError):
            return given  # the validation of the fields reports the error
        return {**game.defaults, **given, "own": _with_defaults(game.own, given.get("own", {}))}

    @field_validator("name")
    @classmethod
    def _check_name(cls, given: str) -> str:
        get_game(given)
        return given

    @field_validator("map", mode="before")
    @classmethod
    def _read_map(cls, given: Any) -> Any:
        return read_drawing(given) if isinstance(given, str | Path) else given

    @model_validator(mode="after")
    def _check_fit_to_game(self) -> Self:
        of_any_game = frozenset[str]().union(*(game.parameters for game in GAMES.values()))
        for parameter in sorted(of_any_game - self._game.parameters):
            if getattr(self, parameter) != type(self).model_fields[parameter].default:
                raise ValueError(f"{self.name} has no {parameter}")
        for parameter, value in self.own.items():
            self._check_own_parameter(parameter, value)
        self.parsed_map()
        return self

    def _check_own_parameter(self, parameter: str, value: Parameter) -> None:
        defaults = self._game.own
        if parameter not in defaults:
            raise ValueError(
                f"{self.name} has no own {parameter}: it has {', '.join(defaults) or 'none'}"
            )
        if type(value) is not type(defaults[parameter]):
            wanted = type(defaults[parameter]).__name__
            raise ValueError(f"own {parameter}: wanted {wanted}, found {value!r}")

    @model_serializer(mode="wrap")
    def _omit_own_if_empty(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return written if self.own else {k: v for k, v in written.items() if k != "own"}

    @property
    def events(self) -> tuple[str, ...]:
        """Which of `EVENTS` can happen in this game."""
        return self._game.events

    @property
    def _game(self) -> Game:
        return get_game(self.name)

    def parsed_map(self) -> GameMap:
        """The map, checked against this game's symbols and number of agents."""
        drawing = self._game.map if self.map is None else self.map
        return parse_map(drawing, self._game.symbols, self.agents)


def _with_defaults(defaults: Mapping[str, Parameter], given: Any) -> Any:
    """Own parameters with the defaults of those not given; integers become floats as needed."""
    if not isinstance(given, Mapping):
        return given
    integers = {k: v for k, v in given.items() if type(v) is int and type(defaults.get(k)) is float}
    return {**defaults, **given, **{name: float(value) for name, value in integers.items()}}


@dataclass(frozen=True, eq=False)
class GameSpec:
    """A game's sizes, names and colours.

    Attributes:
        name: of the game.
        num_agents: N.
        action_names: in the order of the actions' numbers.
        view: V, the side of the square window that each agent sees.
        palette: uint8 [P, 3] the RGB colour of each palette index.
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
    """The sizes, names and colours of the game that the settings describe."""
    return GameSpec(
        name=settings.name,
        num_agents=settings.agents,
        action_names=get_game(settings.name).actions,
        view=VIEW,
        palette=make_palette(settings.agents),
        horizon=settings.horizon,
        map=settings.parsed_map(),
    )
