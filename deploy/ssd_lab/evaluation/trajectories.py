"""Whole episodes of trained agents: what they did, earned, and paid themselves for influence.

Agents are told here what a world would tell them, in the same order: those who act first are asked
first, and what is disclosed is passed on. Only the sockets are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd_actors.agent import Agent
from ssd_actors.intrinsic import Transition
from ssd_env_server.disclosure import Disclosure
from ssd_envs.batch import GameBatch
from ssd_envs.spec import EVENTS, GameSettings, game_spec
from ssd_influence.inference.decision import Decision
from ssd_wire.messages import Act, Timestep


@dataclass(frozen=True, eq=False)
class Trajectories:
    """E whole episodes of T steps by N agents.

    Attributes:
        seeds: uint64 [E] of the episodes.
        returns: float64 [E, N] what each agent earned.
        counts: int64 [E, N, K] what each agent did, in the order of `EVENTS`.
        actions: uint8 [T, E, N].
        influence: float32 [T, E, N] c of each step, clipped; nats where it is influence, and 0
            where an agent computes none. Where it is by a MOA, 0 at the last step.
    """

    seeds: NDArray[np.uint64]
    returns: NDArray[np.float64]
    counts: NDArray[np.int64]
    actions: NDArray[np.uint8]
    influence: NDArray[np.float32]

    def count(self, event: str) -> NDArray[np.int64]:
        """[E, N] how often each agent did this: one of `EVENTS`."""
        return self.counts[:, :, EVENTS.index(event)]


def play_out(
    minds: Sequence[Agent], settings: GameSettings, seeds: NDArray[np.uint64]
) -> Trajectories:
    """Let all N minds of a game play one episode in each of E games.

    Args:
        minds: In order, each for E games.
        settings: The game.
        seeds: uint64 [E].

    Raises:
        ValueError: when the minds are not such as this game wants, or not for E games.
    """
    _check_fit(minds, settings, len(seeds))
    batch = GameBatch(settings, len(seeds))
    batch.reset(seeds)
    horizon = batch.spec.horizon
    everything = (horizon, len(seeds), len(minds))
    actions, influence = np.zeros(everything, np.uint8), np.zeros(everything, np.float32)
    players = [_Player(mind, influence[:, :, k]) for k, mind in enumerate(minds)]
    disclosed = _disclosed(minds)
    acts: list[Act] = []
    for t in range(horizon):
        batch.observe()
        told = disclosed.add_last_step(_timesteps(batch, acts), acts)
        acts = _turn(players, told, disclosed)
        actions[t] = np.stack([act.action for act in acts], 1)
        batch.step(actions[t])
    for player, seen in zip(
        players, disclosed.add_last_step(_timesteps(batch, acts), acts), strict=True
    ):
        player.complete_step(seen)
    return Trajectories(seeds, batch.returns.copy(), batch.counts.copy(), actions, influence)


def _check_fit(minds: Sequence[Agent], settings: GameSettings, episodes: int) -> None:
    spec = game_spec(settings)
    if len(minds) != spec.num_agents:
        raise ValueError(f"{len(minds)} agents, the game wants {spec.num_agents}")
    for place, mind in enumerate(minds):
        shape = mind.shape
        found = (shape.agent, shape.num_agents, shape.num_actions, mind.games)
        wanted = (place, spec.num_agents, spec.num_actions, episodes)
        if found != wanted:
            raise ValueError(f"place {place}: {_who(*found)}, the game wants {_who(*wanted)}")


def _who(agent: int, agents: int, actions: int, games: int) -> str:
    return f"agent {agent} of {agents} with {actions} actions, for {games} games"


class _Player:
    """An agent that plays one episode in each of its games, and its state.

    Args:
        agent: The agent.
        influence: [T, E] where its c goes.
    """

    def __init__(self, agent: Agent, influence: NDArray[np.float32]) -> None:
        self._agent = agent
        self._influence = influence
        self._state = agent.initial_state()
        self._last_step: tuple[Timestep, Decision] | None = None
        self._pending: Transition | None = None

    def act(self, timestep: Timestep) -> Act:
        """Complete the step before, then decide."""
        self.complete_step(timestep)
        kept = _kept(timestep)
        decision = self._agent.decide(kept, self._state)
        self._last_step = kept, decision
        return self._agent.act_message(kept, decision)

    def complete_step(self, timestep: Timestep) -> None:
        """With timestep t + 1 here, compute c of t; or of t − 1, where it needs timestep t + 1."""
        if self._pending is not None:
            self._record_influence(self._pending, timestep)
            self._pending = None
        if self._last_step is None or self._agent.intrinsic is None:
            return
        transition = self._agent.complete_transition(*self._last_step, _kept(timestep), self._state)
        if self._agent.intrinsic.needs_timestep_tp2:
            self._pending = transition
        else:
            self._record_influence(transition, None)

    def _record_influence(self, transition: Transition, timestep_tp2: Timestep | None) -> None:
        c = self._agent.intrinsic_reward(transition, timestep_tp2)
        self._influence[transition.timestep.tick] = c


def _turn(players: Sequence[_Player], told: Sequence[Timestep], disclosed: Disclosure) -> list[Act]:
    """[N] what everybody does in one step, those first whom others follow."""
    acts: list[Act | None] = [None] * len(players)
    order = sorted(range(len(players)), key=lambda agent: bool(disclosed.leaders_of(agent)))
    for agent in order:
        seen = told[agent]
        if disclosed.leaders_of(agent):
            seen = disclosed.add_leaders(seen, agent, acts)
        acts[agent] = players[agent].act(seen)
    return [act for act in acts if act is not None]


def _disclosed(minds: Sequence[Agent]) -> Disclosure:
    return Disclosure([mind.role for mind in minds], [mind.dims for mind in minds])


def _timesteps(batch: GameBatch, acts: Sequence[Act]) -> list[Timestep]:
    """[N] what a world tells by itself, in episodes that all began together."""
    nothing = np.zeros((batch.num_games, batch.spec.num_agents), np.uint8)
    actions = np.stack([act.action for act in acts], 1) if acts else nothing
    tick = int(batch.episode_step[0])
    is_first = np.full(batch.num_games, tick in (0, batch.spec.horizon))
    return [
        Timestep(
            env_incarnation=0,
            lane=0,
            tick=tick,
            pixels=batch.pixels[agent],
            is_first=is_first,
            reward=batch.reward[agent],
            actions=actions,
            visible=batch.visible[agent],
        )
        for agent in range(batch.spec.num_agents)
    ]


def _kept(seen: Timestep) -> Timestep:
    """A copy that lasts: a world's arrays hold until its next step."""
    told = {field.name: getattr(seen, field.name) for field in fields(seen)}
    copies: dict[str, Any] = {
        name: array.copy() for name, array in told.items() if isinstance(array, np.ndarray)
    }
    return replace(seen, **copies)
