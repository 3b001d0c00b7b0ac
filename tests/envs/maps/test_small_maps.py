"""The small maps keep the social dilemma: what is best for one agent is bad for all of them."""

from collections import deque

import numpy as np

from ssd_envs.batch import GameBatch
from ssd_envs.palette import APPLE, WALL, WASTE
from ssd_envs.spec import GameSettings

STAY, CLOCKWISE, CLEAN = 4, 5, 8
NEIGHBOURS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # by heading
MOVE = (2, 1, 3, 0)  # by quarter turns from an agent's heading to where it wants to go
GAMES = 10


def cells_of(state, game, content):
    return {tuple(cell) for cell in np.argwhere(state.contents[game] == content).tolist()}


def toward(goals, blocked, state, game, agent):
    """The first move of a shortest path to a goal, or STAY if there is no path."""
    start = tuple(state.positions[game, agent].tolist())
    first_step, frontier = {start: None}, deque([start])
    while frontier:
        cell = frontier.popleft()
        if cell in goals:
            quarters = (first_step[cell] - state.headings[game, agent]) % 4
            return MOVE[quarters]
        for heading, (down, across) in enumerate(NEIGHBOURS):
            near = (cell[0] + down, cell[1] + across)
            if near not in first_step and near not in blocked:
                first_step[near] = heading if cell == start else first_step[cell]
                frontier.append(near)
    return STAY


def eat_greedily(state, game, agent, rng):
    """Go to the nearest apple; sometimes move at random, so that agents do not block each other."""
    if rng.random() < 0.1:
        return rng.integers(4)
    return toward(cells_of(state, game, APPLE), cells_of(state, game, WALL), state, game, agent)


def eat_with_restraint(state, game, agent, rng):
    """Eat and walk over only those apples that have three others next to them."""
    del rng
    apples = cells_of(state, game, APPLE)
    not_eaten = {
        (row, column)
        for row, column in apples
        if sum((row + i, column + j) in apples for i in (-1, 0, 1) for j in (-1, 0, 1)) < 4
    }
    blocked = cells_of(state, game, WALL) | not_eaten
    return toward(apples - not_eaten, blocked, state, game, agent)


def clean(state, game, agent, rng):
    """Turn up, move below the nearest waste, clean it."""
    row, column = state.positions[game, agent]
    waste = (state.contents[game] == WASTE).any(0)
    if state.headings[game, agent] != 0:
        return CLOCKWISE
    if row > 4:
        return MOVE[0]
    if waste[column - 1 : column + 2].any() and rng.random() < 0.9:
        return CLEAN
    columns = np.flatnonzero(waste)
    if columns.size == 0:
        return STAY
    left = columns[np.abs(columns - column).argmin()] < column
    return MOVE[3] if left else MOVE[1]


def episodes(name, *policies):
    """A batch whose episodes were played to the end, with one policy per agent."""
    batch = GameBatch(GameSettings(name=name, agents=len(policies)), GAMES)
    batch.reset(np.arange(GAMES, dtype=np.uint64))
    rng = np.random.default_rng(0)
    while not batch.ended.all():
        state = batch.state()
        actions = [
            [policy(state, game, agent, rng) for agent, policy in enumerate(policies)]
            for game in range(GAMES)
        ]
        batch.step(np.array(actions, np.uint8))
    return batch


def test_on_the_small_cleanup_map_no_apples_grow_without_cleaning():
    batch = GameBatch(GameSettings(name="cleanup-small"), GAMES)
    batch.reset(np.arange(GAMES, dtype=np.uint64))
    rng = np.random.default_rng(0)
    while not batch.ended.all():
        batch.step(rng.integers(CLEAN - 1, size=(GAMES, 3), dtype=np.uint8))
    assert not batch.returns.any()
    assert not (batch.state().contents == APPLE).any()


def test_on_the_small_cleanup_map_one_cleaning_agent_lets_the_others_eat_and_gets_nothing():
    returns = episodes("cleanup-small", clean, eat_greedily, eat_greedily).returns
    assert (returns[:, 1:] > 30).all()
    assert (returns[:, 0] < 2).all()


def test_on_the_small_harvest_map_greedy_agents_leave_the_orchard_bare():
    batch = episodes("harvest-small", *[eat_greedily] * 3)
    assert not (batch.state().contents == APPLE).any()
    assert batch.returns.sum(1).max() < 60


def test_on_the_small_harvest_map_all_restrained_agents_earn_more_than_all_greedy_ones():
    greedy = episodes("harvest-small", *[eat_greedily] * 3).returns
    restrained = episodes("harvest-small", *[eat_with_restraint] * 3).returns
    assert (restrained.mean(0) > 2 * greedy.mean(0)).all()


def test_on_the_small_harvest_map_one_greedy_agent_earns_more_than_the_restrained_ones():
    returns = episodes(
        "harvest-small", eat_greedily, eat_with_restraint, eat_with_restraint
    ).returns
    assert (returns[:, 0] > returns[:, 1:].max(1)).all()
