"""What is measured: the presets' agents and the games' real sizes. Needs no torch."""

from __future__ import annotations

from functools import cache
from typing import Literal

from ssd_envs.spec import GameSpec, game_spec
from ssd_influence.roles import optional_axes, part_of
from ssd_run.plan import Plan, validate
from ssd_run.presets import load_preset
from ssd_wire.dims import Dims
from ssd_wire.runfile import override

Kind = Literal["baseline", "moa"]
PLAYED = ("cleanup", "harvest")  # the games that have presets of both kinds
KINDS: tuple[Kind, ...] = ("baseline", "moa")
GAMES = (16, 64, 256)  # B, in how many games an actor acts at once
STEPS = 50  # T


@cache
def plan_for(game: str, kind: Kind, games: int = 16) -> Plan:
    """The preset of this game and kind of agent, with so many games per lane."""
    sections = load_preset(f"{game}-{kind}")
    return validate(override(sections, [f"run.games={games}", f"run.segment={STEPS}"]))


def spec_of(plan: Plan) -> GameSpec:
    """The game's sizes."""
    return game_spec(plan.game)


def dims_of(plan: Plan, agent: int = 0, state: int = 0) -> Dims:
    """The dims of an agent's messages, with S floats of recurrent state."""
    spec = spec_of(plan)
    part = part_of(plan.experiment, agent, spec.num_agents)
    optional = optional_axes(part, plan.experiment, spec.num_actions)
    return Dims.of(spec, plan.run.games, T=plan.run.segment, S=state, **optional)
