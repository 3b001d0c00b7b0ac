"""Moves, in drawings: arrows are agents, numbered in reading order unless a last line differs."""

import itertools

import numpy as np
import pytest
from tests.envs.drawn_batch import drawn_batch

from ssd_envs.drawing import draw_game


@pytest.mark.parametrize("arrow", "^>v<")
@pytest.mark.parametrize("action", ["forward", "right", "backward", "left"])
def test_a_move_is_relative_to_the_heading(play, arrow, action):
    quarter_turns = "^>v<".index(arrow) + ["forward", "right", "backward", "left"].index(action)
    row, column = [(1, 2), (2, 3), (3, 2), (2, 1)][quarter_turns % 4]
    batch = drawn_batch("harvest", f"######\n#...^#\n#.{arrow}..#\n#....#\n######\nagents: 1 0")
    play(batch, f"{action} stay")
    assert batch.state().positions[0, 0].tolist() == [row, column]
    assert batch.state().headings[0, 0] == "^>v<".index(arrow)


@pytest.mark.parametrize(
    ("action", "turned"), [("clockwise", ">v<^"), ("counterclockwise", "<^>v")]
)
def test_a_turn_changes_the_heading_by_a_quarter_and_nothing_else(play, looks_like, action, turned):
    batch = drawn_batch("harvest", "######\n#^>v<#\n######")
    play(batch, " ".join([f"turn_{action}"] * 4))
    assert looks_like(batch, f"######\n#{turned}#\n######")


def test_a_move_into_a_wall_counts_as_staying(play, looks_like):
    batch = drawn_batch("harvest", "#####\n#<.>#\n#####")
    play(batch, "forward forward")
    assert looks_like(batch, "#####\n#<.>#\n#####")


def test_a_chain_of_agents_can_move_together(play, looks_like):
    batch = drawn_batch("harvest", "#######\n#>>>..#\n#######")
    play(batch, "forward forward forward")
    assert looks_like(batch, "#######\n#.>>>.#\n#######")


@pytest.mark.parametrize(
    ("action", "then"), [("stay", ">"), ("turn_clockwise", "v"), ("fire", ">"), ("left", ">")]
)
def test_a_chain_stays_behind_an_agent_that_stays(play, looks_like, action, then):
    batch = drawn_batch("harvest", "#######\n#>>>..#\n#######")
    play(batch, f"forward forward {action}")
    assert looks_like(batch, f"#######\n#>>{then}..#\n#######")


def test_staying_cascades_to_the_end_of_the_chain(play, looks_like):
    batch = drawn_batch("harvest", "#######\n#>>>>>#\n#######")
    play(batch, "forward forward forward forward forward")
    assert looks_like(batch, "#######\n#>>>>>#\n#######")


def test_two_agents_that_want_each_others_cells_both_stay(play, looks_like):
    batch = drawn_batch("harvest", "######\n#.><.#\n######")
    play(batch, "forward forward")
    assert looks_like(batch, "######\n#.><.#\n######")


def test_an_agent_behind_a_refused_swap_stays(play, looks_like):
    batch = drawn_batch("harvest", "######\n#>><.#\n######")
    play(batch, "forward forward forward")
    assert looks_like(batch, "######\n#>><.#\n######")


def test_a_cycle_of_four_rotates(play, looks_like):
    batch = drawn_batch("harvest", "####\n#>v#\n#^<#\n####\nagents: 0 1 3 2")
    play(batch, "forward forward forward forward")
    assert looks_like(batch, "####\n#^>#\n#<v#\n####\nagents: 3 0 2 1")


def test_a_cycle_of_six_rotates(play, looks_like):
    batch = drawn_batch("harvest", "#####\n#>>v#\n#^<<#\n#####\nagents: 0 1 2 5 4 3")
    play(batch, " ".join(["forward"] * 6))
    assert looks_like(batch, "#####\n#^>>#\n#<<v#\n#####\nagents: 5 0 1 4 3 2")


def test_a_cycle_whose_cell_an_outsider_wins_stays_and_so_does_the_outsider(play):
    still = "#####\n#>>v#\n#.^<#\n#####\nagents: 0 1 2 4 3"
    rotated = "#####\n#>^>#\n#.<v#\n#####\nagents: 0 4 1 3 2"
    batch = drawn_batch("harvest", still, num_games=400)
    play(batch, "forward forward forward forward forward")
    ends = [draw_game(batch, game) for game in range(batch.num_games)]
    assert set(ends) == {still, rotated}
    assert ends.count(still) == pytest.approx(200, abs=40)


def test_each_agent_that_wants_a_cell_gets_it_equally_often(play):
    batch = drawn_batch("harvest", "#####\n##v##\n#>.<#\n##^##\n#####", num_games=4000)
    play(batch, "forward forward forward forward")
    entered = (batch.state().positions == [2, 2]).all(-1)
    assert (entered.sum(1) == 1).all()
    assert entered.sum(0) == pytest.approx(np.full(4, 1000), abs=110)


def test_agents_that_lose_a_cell_stay_and_so_do_agents_behind_them(play):
    batch = drawn_batch("harvest", "#######\n#>>.<<#\n#######", num_games=50)
    play(batch, "forward forward forward forward")
    assert {draw_game(batch, game).splitlines()[1] for game in range(50)} == {"#.>><<#", "#>><<.#"}


def test_an_agent_that_leaves_a_cell_does_not_compete_for_it(play, looks_like):
    batch = drawn_batch("harvest", "#####\n#.>.#\n#.^.#\n#####", num_games=50)
    play(batch, "forward forward")
    assert all(looks_like(batch, "#####\n#.^>#\n#...#\n#####", game) for game in range(50))


def test_an_agent_on_an_apple_eats_it_for_a_reward_of_1(play, looks_like):
    batch = drawn_batch("harvest", "######\n#>o.<#\n######", regrowth=(0.0,))
    play(batch, "forward stay")
    assert batch.reward[:, 0].tolist() == [1, 0]
    play(batch, "backward stay")
    assert looks_like(batch, "######\n#>,.<#\n######")
    assert batch.reward[:, 0].tolist() == [0, 0]
    assert batch.returns[0].tolist() == [1, 0]
    assert batch.counts[0, :, 0].tolist() == [1, 0]


def allowed_outcomes(positions, targets):
    """Every outcome that the literal rules allow: one for each choice of winners."""
    numbers = range(len(positions))
    rivals = {}
    for k in numbers:
        if targets[k] != positions[k]:
            rivals.setdefault(targets[k], []).append(k)
    for winners in itertools.product(*rivals.values()):
        want = [targets[k] if k in winners else positions[k] for k in numbers]
        stays = {
            j
            for j in numbers
            for k in numbers
            if j != k and want[j] == positions[k] != positions[j] and want[k] == positions[j]
        }
        want = [positions[k] if k in stays else want[k] for k in numbers]
        while blocked := [
            k for k in numbers for j in numbers if k != j and want[k] == positions[j] == want[j]
        ]:
            for k in blocked:
                want[k] = positions[k]
        yield tuple(want)


@pytest.mark.parametrize("agents", [3, 6, 8, 9])
def test_in_a_crowd_moves_have_an_allowed_outcome_with_one_agent_per_cell(agents):
    batch = drawn_batch(
        "harvest",
        "#####\n"
        + "".join(
            f"#{''.join('^' if 3 * row + column < agents else '.' for column in range(3))}#\n"
            for row in range(3)
        )
        + "#####",
        num_games=30,
    )
    rng = np.random.default_rng(agents)
    ahead = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    quarter_turns = {0: 3, 1: 1, 2: 0, 3: 2}
    for _ in range(20):
        before, actions = batch.state(), rng.integers(7, size=(30, agents), dtype=np.uint8)
        batch.step(actions)
        after = batch.state()
        for game in range(30):
            positions = [tuple(position) for position in before.positions[game].tolist()]
            targets = list(positions)
            for k, action in enumerate(actions[game].tolist()):
                if action in quarter_turns:
                    down, right = ahead[(before.headings[game, k] + quarter_turns[action]) % 4]
                    there = (positions[k][0] + down, positions[k][1] + right)
                    targets[k] = (
                        there if 1 <= there[0] <= 3 and 1 <= there[1] <= 3 else positions[k]
                    )
            ended = tuple(tuple(position) for position in after.positions[game].tolist())
            assert len(set(ended)) == agents
            assert ended in set(allowed_outcomes(positions, targets))
