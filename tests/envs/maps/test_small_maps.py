"""The small maps keep the dilemma of the large ones: what pays each agent ruins all of them."""

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


def toward(goals, barred, state, game, agent):
    """The move along a shortest way to a goal, or to stay if there is none."""
    start = tuple(state.positions[game, agent].tolist())
    first_step, edge = {start: None}, deque([start])
    while edge:
        cell = edge.popleft()
        if cell in goals:
            quarters = (first_step[cell] - state.headings[game, agent]) % 4
            return MOVE[quarters]
        for heading, (down, across) in enumerate(NEIGHBOURS):
            near = (cell[0] + down, cell[1] + across)
            if near not in first_step and near not in barred:
                first_step[near] = heading if cell == start else first_step[cell]
                edge.append(near)
    return STAY


def eat_all(state, game, agent, rng):
    """Go to the next apple; now and then anywhere, so that no two block each other for ever."""
    if rng.random() < 0.1:
        return rng.integers(4)
    return toward(cells_of(state, game, APPLE), cells_of(state, game, WALL), state, game, agent)


def eat_with_restraint(state, game, agent, rng):
    """Eat, and tread on, only such apples as have three others near."""
    del rng
    apples = cells_of(state, game, APPLE)
    spared = {
        (row, column)
        for row, column in apples
        if sum((row + i, column + j) in apples for i in (-1, 0, 1) for j in (-1, 0, 1)) < 4
    }
    barred = cells_of(state, game, WALL) | spared
    return toward(apples - spared, barred, state, game, agent)


def clean(state, game, agent, rng):
    """Head up, step below waste, clean it."""
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
    """Whole episodes played so, one policy per agent."""
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
    returns = episodes("cleanup-small", clean, eat_all, eat_all).returns
    assert (returns[:, 1:] > 30).all()
    assert (returns[:, 0] < 2).all()


def test_on_the_small_harvest_map_greedy_agents_leave_the_orchard_bare():
    batch = episodes("harvest-small", *[eat_all] * 3)
    assert not (batch.state().contents == APPLE).any()
    assert batch.returns.sum(1).max() < 60


def test_on_the_small_harvest_map_all_restrained_agents_earn_more_than_all_greedy_ones():
    greedy = episodes("harvest-small", *[eat_all] * 3).returns
    restrained = episodes("harvest-small", *[eat_with_restraint] * 3).returns
    assert (restrained.mean(0) > 2 * greedy.mean(0)).all()


def test_on_the_small_harvest_map_one_greedy_agent_earns_more_than_the_restrained_ones():
    returns = episodes("harvest-small", eat_all, eat_with_restraint, eat_with_restraint).returns
    assert (returns[:, 0] > returns[:, 1:].max(1)).all()
