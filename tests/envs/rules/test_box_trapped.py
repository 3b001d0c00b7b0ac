"""Box Trapped. `D` is a shut door and `d` an open one, `o` an apple and `,` a bare apple cell."""

import numpy as np
import pytest
from tests.envs.drawn_batch import drawn_batch

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import draw_game
from ssd_envs.palette import AGENT, APPLE, EMPTY, WALL
from ssd_envs.spec import EVENTS, GameSettings, game_spec

APPLES, OPENED_AT = EVENTS.index("apples"), EVENTS.index("opened_at")
CORRIDOR = "########\n#>Do..^#\n########\nagents: 1 0"  # the trapped agent is on the left


def reset_batch(games=1):
    batch = GameBatch(GameSettings(name="box-trapped"), games)
    batch.reset(np.arange(games, dtype=np.uint64))
    return batch


@pytest.mark.parametrize("move", ["left", "right", "forward", "backward", "open_box"])
@pytest.mark.parametrize("arrow", "^>v<")
def test_the_trapped_agent_does_not_get_out_while_the_door_is_shut(play, looks_like, arrow, move):
    drawing = CORRIDOR.replace(">", arrow)
    batch = drawn_batch("box-trapped", drawing)
    for _ in range(3):
        play(batch, f"stay {move}")
    assert looks_like(batch, drawing)


def test_the_free_agent_does_not_get_in_while_the_door_is_shut(play, looks_like):
    batch = drawn_batch("box-trapped", "#####\n#>D<#\n#####\nagents: 1 0")
    play(batch, "forward stay")
    assert looks_like(batch, "#####\n#>D<#\n#####\nagents: 1 0")


def test_the_trapped_agent_can_turn(play, looks_like):
    batch = drawn_batch("box-trapped", CORRIDOR)
    play(batch, "stay turn_clockwise")
    assert looks_like(batch, CORRIDOR.replace(">", "v"))
    play(batch, "stay turn_counterclockwise")
    assert looks_like(batch, CORRIDOR)


@pytest.mark.parametrize("arrow", "^>v<")
def test_the_free_agent_opens_the_box_from_anywhere_with_any_heading(play, looks_like, arrow):
    for position in ("o..{}", "o.{}.", "o{}.."):
        drawing = f"########\n#>D{position.format(arrow)}#\n########\nagents: 1 0"
        batch = drawn_batch("box-trapped", drawing)
        play(batch, "open_box stay")
        assert looks_like(batch, drawing.replace("D", "d"))


def test_the_door_opens_after_the_moves_of_the_step_and_is_seen_open_at_once(play, looks_like):
    batch = drawn_batch("box-trapped", CORRIDOR)
    play(batch, "open_box forward")
    assert looks_like(batch, CORRIDOR.replace("D", "d"))
    batch.observe()
    assert batch.pixels[1, 0, 6, 7] == EMPTY
    play(batch, "stay forward")
    assert looks_like(batch, "########\n#.>o..^#\n########\nagents: 1 0")


def test_the_door_stays_open_for_the_rest_of_the_episode(play):
    batch = drawn_batch("box-trapped", CORRIDOR)
    for actions in ("open_box stay", "stay forward", "open_box forward", "open_box backward"):
        play(batch, actions)
        assert batch.board_pixels(0)[1, 2] != WALL
    for _ in range(20):
        play(batch, "open_box backward")
        assert "d" in draw_game(batch)


def test_a_reset_shuts_the_box_again(play):
    batch = reset_batch(2)
    play(batch, "open_box stay")
    batch.reset(np.zeros(1, np.uint64), indices=np.array([1]))
    assert ["D" in draw_game(batch, game) for game in range(2)] == [False, True]
    assert batch.counts[:, 0, OPENED_AT].tolist() == [1, 0]


def test_a_shut_door_looks_like_wall_and_an_open_one_like_floor(play):
    batch = drawn_batch("box-trapped", CORRIDOR)
    for actions, look in (("stay stay", WALL), ("open_box stay", EMPTY)):
        play(batch, actions)
        assert batch.board_pixels(0)[1, 2] == look


def test_opening_is_not_rewarded_and_the_opener_does_not_move(play):
    batch = drawn_batch("box-trapped", CORRIDOR)
    before = batch.state()
    play(batch, "open_box open_box")
    assert not batch.reward.any()
    assert np.array_equal(batch.state().positions, before.positions)
    assert np.array_equal(batch.state().headings, before.headings)


def test_opened_at_is_the_first_step_counted_from_1_at_which_the_box_was_opened(play):
    batch = drawn_batch("box-trapped", CORRIDOR, horizon=5)
    for actions, opened_at in (
        ("stay open_box", 0),
        ("stay stay", 0),
        ("open_box open_box", 3),
        ("open_box stay", 3),
        ("open_box stay", 3),
    ):
        play(batch, actions)
        assert batch.counts[0, :, OPENED_AT].tolist() == [opened_at, 0]


@pytest.mark.parametrize("step", [1, 5])
def test_the_box_can_be_opened_at_the_first_and_at_the_last_step(play, step):
    batch = drawn_batch("box-trapped", CORRIDOR, horizon=5)
    for now in range(1, 6):
        play(batch, "open_box stay" if now == step else "stay stay")
    assert batch.ended.all()
    assert batch.counts[0, 0, OPENED_AT] == step


def test_the_box_is_open_only_in_games_where_the_free_agent_opened_it():
    batch = reset_batch(4)
    batch.step(np.array([[7, 4], [4, 7], [4, 4], [7, 7]], np.uint8))
    assert batch.counts[:, 0, OPENED_AT].tolist() == [1, 0, 0, 1]
    assert ["D" in draw_game(batch, game) for game in range(4)] == [False, True, True, False]


def test_an_eaten_apple_is_back_as_soon_as_the_agent_has_left_the_cell(play, looks_like):
    batch = drawn_batch("box-trapped", "########\n#>D.oo<#\n########\nagents: 1 0")
    play(batch, "forward stay")
    assert looks_like(batch, "########\n#>D.o<.#\n########\nagents: 1 0")
    play(batch, "forward stay")
    assert looks_like(batch, "########\n#>D.<o.#\n########\nagents: 1 0")


def test_walking_over_apples_is_rewarded_and_standing_still_is_not(play):
    batch = drawn_batch("box-trapped", "########\n#>D.oo<#\n########\nagents: 1 0")
    for actions, reward in (
        ("forward stay", 1),
        ("stay stay", 0),
        ("turn_clockwise stay", 0),
        ("forward stay", 0),
        ("left stay", 1),
        ("right stay", 1),
        ("left stay", 1),
    ):
        play(batch, actions)
        assert batch.reward[:, 0].tolist() == [reward, 0]
    assert batch.counts[0, :, APPLES].tolist() == [4, 0]


def test_a_freed_agent_can_eat_apples(play):
    batch = drawn_batch("box-trapped", CORRIDOR)
    for actions in ("open_box stay", "stay forward", "stay forward"):
        play(batch, actions)
    assert batch.reward[:, 0].tolist() == [0, 1]


def test_there_are_no_beams():
    batch = reset_batch(20)
    actions = np.random.default_rng(0).integers(8, size=(100, 20, 2), dtype=np.uint8)
    for action in actions:
        batch.step(action)
        assert not batch.state().beams.any()
    assert not batch.counts[..., 1:OPENED_AT].any()


def test_each_agent_starts_on_the_cell_with_its_number():
    batch = reset_batch(50)
    rows = game_spec(GameSettings(name="box-trapped")).map.rows
    starts = [(row, line.index(n)) for n in "01" for row, line in enumerate(rows) if n in line]
    assert (batch.state().positions == starts).all()


def test_the_trapped_agent_sees_all_apples_and_the_other_agent_with_any_heading():
    batch = reset_batch(50)
    batch.observe()
    assert set(batch.state().headings[:, 1]) == {0, 1, 2, 3}
    assert ((batch.pixels[1] == APPLE).sum((1, 2)) == 6).all()
    assert ((batch.pixels[1] == AGENT).sum((1, 2)) == 1).all()
    assert batch.visible.all()


def test_a_state_with_an_agent_in_a_shut_door_is_refused():
    batch = drawn_batch("box-trapped", CORRIDOR)
    state = batch.state()
    state.positions[0, 1] = (1, 2)
    with pytest.raises(ValueError, match="outside walls and shut doors"):
        batch.restore(state)


class LiteralBoxTrapped:
    """The rules written out literally, for one game, with sets of cells."""

    def __init__(self, rows, headings):
        cells = {(r, c): symbol for r, row in enumerate(rows) for c, symbol in enumerate(row)}
        self.blocked = {cell for cell, symbol in cells.items() if symbol in "#D"}
        self.apple_cells = {cell for cell, symbol in cells.items() if symbol == "o"}
        [self.door] = (cell for cell, symbol in cells.items() if symbol == "D")
        self.positions = [next(c for c, symbol in cells.items() if symbol == n) for n in "01"]
        self.headings = list(headings)
        self.apples = set(self.apple_cells)
        self.steps = self.opened_at = 0

    def target(self, agent, action):
        row, column = self.positions[agent]
        if action > 3:
            return row, column
        ahead = {"left": 3, "right": 1, "forward": 0, "backward": 2}
        heading = (self.headings[agent] + list(ahead.values())[action]) % 4
        down, across = [(-1, 0), (0, 1), (1, 0), (0, -1)][heading]
        there = (row + down, column + across)
        return (row, column) if there in self.blocked else there

    def step(self, actions, winner):
        """Play a step and return both rewards.

        `winner` is called with a free cell that both want and returns the agent that enters it.
        """
        self.steps += 1
        targets = [self.target(agent, actions[agent]) for agent in (0, 1)]
        if targets[0] == targets[1] and targets[0] not in self.positions:
            loser = 1 - winner(targets[0])
            targets[loser] = self.positions[loser]
        for agent, other in ((0, 1), (1, 0), (0, 1)):
            other_goes_elsewhere = targets[other] not in (
                self.positions[other],
                self.positions[agent],
            )
            if targets[agent] == self.positions[other] and not other_goes_elsewhere:
                targets[agent] = self.positions[agent]
        self.positions = targets
        turns = {5: 1, 6: 3}
        self.headings = [
            (h + turns.get(a, 0)) % 4 for h, a in zip(self.headings, actions, strict=True)
        ]
        rewards = [float(position in self.apples) for position in self.positions]
        self.apples -= set(self.positions)
        if actions[0] == 7 and not self.opened_at:
            self.opened_at = self.steps
            self.blocked.remove(self.door)
        self.apples |= self.apple_cells - set(self.positions)
        return rewards


def test_whole_episodes_of_random_play_match_the_literal_rules():
    games = 30
    batch = reset_batch(games)
    literal = [
        LiteralBoxTrapped(batch.spec.map.rows, headings) for headings in batch.state().headings
    ]
    # The box is opened in one game after the other, so that shut and open ones are compared.
    rng = np.random.default_rng(0)
    for step in range(100):
        actions = rng.integers(8, size=(games, 2), dtype=np.uint8)
        actions[np.arange(games) * 3 > step, 0] %= 7
        batch.step(actions)
        state = batch.state()
        for game, one in enumerate(literal):
            positions = [tuple(position) for position in state.positions[game].tolist()]
            rewards = one.step(actions[game].tolist(), positions.index)
            assert one.positions == positions
            assert one.headings == state.headings[game].tolist()
            assert rewards == batch.reward[:, game].tolist()
            assert one.opened_at == batch.counts[game, 0, OPENED_AT]
            apples = [tuple(cell) for cell in np.argwhere(state.contents[game] == APPLE).tolist()]
            assert one.apples == set(apples)
    assert (batch.counts[:, 1, APPLES] > 0).any()
