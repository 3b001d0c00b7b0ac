"""What is known of a game without playing it: settings, sizes, actions, colours, map.

Nothing here needs numba, so processes that never step a game (actors, learners) start fast.
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
    field_validator,
    model_serializer,
    model_validator,
)

from ssd_envs.games import GAMES, Game, Parameter, game_of
from ssd_envs.maps.game_map import GameMap
from ssd_envs.maps.parser import drawing_of, parse_map
from ssd_envs.palette import MAX_AGENTS, make_palette

VIEW = 15
"""Each agent sees a window of VIEW x VIEW cells around itself."""

EVENTS = ("apples", "fires", "hits", "cleaned", "opened_at")
"""What each agent did, counted over an episode: apples eaten, fining beams fired, agents hit by
them, waste cells cleaned; and the step, from 1, at which it opened the box, or 0 if it did not."""

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class GameSettings(BaseModel):
    """The run file's [game]: which game, on which map, by which numbers.

    Attributes:
        name: "cleanup", "harvest", "cleanup-small", "harvest-small", "box-trapped", or
            `package.module:NAME` for a `Game` of one's own.
        agents: N, at most one per spawn cell; by default 5, in small games 3, in Box Trapped 2.
        horizon: steps per episode; by default 1000, in small games 250, in Box Trapped 100.
        map: a drawing, or the path of a text file that holds one (read at once, so that settings
            carry the drawing wherever they go); by default the game's own map.
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
        own: a game of one's own: its own parameters; those not given have their usual values.
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
    growth_radius: int = Field(2, ge=1, le=(VIEW // 2) ** 2)
    apple_growth: Probability = 0.05
    waste_growth: Probability = 0.5
    waste_limit: float = Field(0.4, gt=0, le=1)
    own: dict[str, Parameter] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _as_usual_in_this_game(cls, given: Any) -> Any:
        try:
            game = game_of(str(given.get("name")))
        except (AttributeError, ValueError):
            return given  # what is wrong with it is told field by field
        return {**game.defaults, **given, "own": _with_defaults(game.own, given.get("own", {}))}

    @field_validator("name")
    @classmethod
    def _is_a_game(cls, given: str) -> str:
        game_of(given)
        return given

    @field_validator("map", mode="before")
    @classmethod
    def _read_map(cls, given: Any) -> Any:
        return drawing_of(given) if isinstance(given, str | Path) else given

    @model_validator(mode="after")
    def _fits_game(self) -> Self:
        elsewhere = frozenset[str]().union(*(game.parameters for game in GAMES.values()))
        for parameter in sorted(elsewhere - self._game.parameters):
            if getattr(self, parameter) != type(self).model_fields[parameter].default:
                raise ValueError(f"{self.name} has no {parameter}")
        for parameter, value in self.own.items():
            self._check_own(parameter, value)
        self.parsed_map()
        return self

    def _check_own(self, parameter: str, value: Parameter) -> None:
        usual = self._game.own
        if parameter not in usual:
            raise ValueError(
                f"{self.name} has no own {parameter}: it has {', '.join(usual) or 'none'}"
            )
        if type(value) is not type(usual[parameter]):
            wanted = type(usual[parameter]).__name__
            raise ValueError(f"own {parameter}: wanted {wanted}, found {value!r}")

    @model_serializer(mode="wrap")
    def _without_what_most_games_lack(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return written if self.own else {k: v for k, v in written.items() if k != "own"}

    @property
    def events(self) -> tuple[str, ...]:
        """Which of `EVENTS` can happen in this game."""
        return self._game.events

    @property
    def _game(self) -> Game:
        return game_of(self.name)

    def parsed_map(self) -> GameMap:
        """The map, checked against this game's symbols and number of agents."""
        drawing = self._game.drawing if self.map is None else self.map
        return parse_map(drawing, self._game.symbols, self.agents)


def _with_defaults(usual: Mapping[str, Parameter], given: Any) -> Any:
    """Own parameters with those that were not given; whole numbers where fractions are usual."""
    if not isinstance(given, Mapping):
        return given
    whole = {k: v for k, v in given.items() if type(v) is int and type(usual.get(k)) is float}
    return {**usual, **given, **{parameter: float(value) for parameter, value in whole.items()}}


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
        action_names=game_of(settings.name).actions,
        view=VIEW,
        palette=make_palette(settings.agents),
        horizon=settings.horizon,
        map=settings.parsed_map(),
    )
