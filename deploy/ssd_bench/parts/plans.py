"""What is measured: the presets' agents and the games' real sizes. Needs no torch."""

from __future__ import annotations

from functools import cache
from typing import Literal

from ssd_envs.spec import GameSpec, game_spec
from ssd_run.plan import Plan, validate
from ssd_run.presets import load_preset
from ssd_wire.codec import Sizes
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


def sizes_of(plan: Plan) -> Sizes:
    """Lengths of the run's axes, as the processes check messages by."""
    spec, run = spec_of(plan), plan.run
    known = {"N": spec.num_agents, "W": spec.view, "P": len(spec.palette), "A": spec.num_actions}
    return {"T": run.segment, "B": run.games, **known}
