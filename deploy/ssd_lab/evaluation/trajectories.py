"""Whole episodes of trained agents: their actions, returns and influence.

Agents receive the same messages here as from an environment server, in the same order: leaders act
first, and what agents disclose is passed on. Only the sockets are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

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
        influence: float32 [T, E, N] c of each step, clipped; in nats where it is influence, and 0
            for agents that compute none. With a MOA, 0 at the last step.
    """

    seeds: NDArray[np.uint64]
    returns: NDArray[np.float64]
    counts: NDArray[np.int64]
    actions: NDArray[np.uint8]
    influence: NDArray[np.float32]

    def count(self, event: str) -> NDArray[np.int64]:
        """[E, N] how often each agent did this, one of `EVENTS`."""
        return self.counts[:, :, EVENTS.index(event)]


def play_out(
    agents: Sequence[Agent], settings: GameSettings, seeds: NDArray[np.uint64]
) -> Trajectories:
    """Let all N agents of a game play one episode in each of E games.

    Args:
        agents: In order, each for E games.
        settings: The game.
        seeds: uint64 [E].

    Raises:
        ValueError: when the agents do not fit this game, or are not for E games.
    """
    _check_agents_fit(agents, settings, len(seeds))
    batch = GameBatch(settings, len(seeds))
    batch.reset(seeds)
    horizon = batch.spec.horizon
    everything = (horizon, len(seeds), len(agents))
    actions, influence = np.zeros(everything, np.uint8), np.zeros(everything, np.float32)
    players = [_Player(agent, influence[:, :, k]) for k, agent in enumerate(agents)]
    disclosure = Disclosure([agent.role for agent in agents], [agent.dims for agent in agents])
    acts: list[Act] = []
    for t in range(horizon):
        batch.observe()
        timesteps = disclosure.add_last_step(_timesteps(batch, acts), acts)
        acts = _act_in_order(players, timesteps, disclosure)
        actions[t] = np.stack([act.action for act in acts], 1)
        batch.step(actions[t])
    timesteps = disclosure.add_last_step(_timesteps(batch, acts), acts)
    for player, timestep in zip(players, timesteps, strict=True):
        player.complete_step(timestep)
    return Trajectories(seeds, batch.returns.copy(), batch.counts.copy(), actions, influence)


def _check_agents_fit(agents: Sequence[Agent], settings: GameSettings, episodes: int) -> None:
    spec = game_spec(settings)
    if len(agents) != spec.num_agents:
        raise ValueError(f"{len(agents)} agents, the game wants {spec.num_agents}")
    for place, agent in enumerate(agents):
        shape = agent.shape
        found = (shape.agent, shape.num_agents, shape.num_actions, agent.games)
        wanted = (place, spec.num_agents, spec.num_actions, episodes)
        if found != wanted:
            raise ValueError(
                f"place {place}: {_describe(*found)}, the game wants {_describe(*wanted)}"
            )


def _describe(agent: int, agents: int, actions: int, games: int) -> str:
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
        kept = deepcopy(timestep)  # the arrays of a batch change with its next step
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
        transition = self._agent.complete_transition(
            *self._last_step, deepcopy(timestep), self._state
        )
        if self._agent.intrinsic.needs_timestep_tp2:
            self._pending = transition
        else:
            self._record_influence(transition, None)

    def _record_influence(self, transition: Transition, timestep_tp2: Timestep | None) -> None:
        c = self._agent.intrinsic_reward(transition, timestep_tp2)
        self._influence[transition.timestep.tick] = c


def _act_in_order(
    players: Sequence[_Player], timesteps: Sequence[Timestep], disclosure: Disclosure
) -> list[Act]:
    """[N] the acts of one step; leaders act before the agents that follow them."""
    acts: list[Act | None] = [None] * len(players)
    order = sorted(range(len(players)), key=lambda agent: bool(disclosure.leaders_of(agent)))
    for agent in order:
        timestep = timesteps[agent]
        if disclosure.leaders_of(agent):
            timestep = disclosure.add_leaders(timestep, agent, acts)
        acts[agent] = players[agent].act(timestep)
    return [act for act in acts if act is not None]


def _timesteps(batch: GameBatch, acts: Sequence[Act]) -> list[Timestep]:
    """[N] the timesteps before disclosure, in episodes that all began together."""
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
