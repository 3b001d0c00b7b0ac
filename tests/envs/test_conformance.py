"""The conformance suite: what holds in every game. A new game inherits it."""

import copy
import pickle
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import draw_game
from ssd_envs.palette import AGENT
from ssd_envs.spec import EVENTS, GameSettings, game_spec

APPLES, FIRES, HITS, *_ = range(len(EVENTS))
COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda batch: pickle.loads(pickle.dumps(batch)),  # noqa: S301 - our own bytes
}


def seeds(*numbers):
    return np.array(numbers, np.uint64)


def random_actions(spec, steps, games, seed=0):
    shape = (steps, games, spec.num_agents)
    return np.random.default_rng(seed).integers(spec.num_actions, size=shape, dtype=np.uint8)


def same(one, other):
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in fields(one)
    )


def alone(state, game):
    return replace(
        state,
        **{field.name: getattr(state, field.name)[game : game + 1] for field in fields(state)},
    )


class GameConformance:
    """Subclasses set `name`, and in `crowd` settings with as many agents as fit on a small map."""

    name: str
    crowd: ClassVar[dict[str, Any]]

    def settings(self, **other):
        return GameSettings(name=self.name, **{"horizon": 1000, **other})

    def started(self, games=3, **other):
        batch = GameBatch(self.settings(**other), games)
        batch.reset(np.arange(games, dtype=np.uint64))
        return batch

    def play(self, batch, steps, seed=0):
        for actions in random_actions(batch.spec, steps, batch.num_games, seed):
            batch.step(actions)
            yield batch

    def test_headings_are_drawn_evenly(self):
        headings = self.started(2000).state().headings
        for drawn in headings.T:
            found = np.bincount(drawn, minlength=4)
            assert found == pytest.approx(np.full(4, 500), abs=80)

    def test_on_a_crowded_map_the_state_stays_valid_with_one_agent_per_cell(self):
        batch = self.started(20, **self.crowd)
        for _ in self.play(batch, 200):
            batch.state().check(batch.spec)
            state = batch.state()
            for game in range(20):
                rows, columns = state.positions[game].T
                uncovered = state.beams[game, rows, columns] == 0
                shown = batch.board_pixels(game)[rows, columns]
                assert (shown[uncovered] == AGENT + np.flatnonzero(uncovered)).all()
                assert (batch.board_pixels(game) >= AGENT).sum() == uncovered.sum()

    def test_same_seed_and_actions_give_the_same_episode_in_any_batch(self):
        spec = game_spec(self.settings())
        actions = random_actions(spec, 200, 64)
        many, alone = GameBatch(self.settings(), 64), GameBatch(self.settings(), 1)
        many.reset(np.arange(64, dtype=np.uint64)[::-1].copy())
        alone.reset(seeds(63 - 41))
        for action in actions:
            many.step(action)
            alone.step(action[41:42])
            many.observe()
            alone.observe()
            assert np.array_equal(many.pixels[:, 41], alone.pixels[:, 0])
            assert np.array_equal(many.visible[:, 41], alone.visible[:, 0])
            assert np.array_equal(many.reward[:, 41], alone.reward[:, 0])
        assert same(many.state(np.array([41])), alone.state())

    def test_an_episode_does_not_depend_on_the_one_before_it(self):
        batch, fresh = self.started(2), GameBatch(self.settings(), 2)
        for _ in self.play(batch, 30):
            pass
        batch.reset(seeds(5, 6))
        fresh.reset(seeds(5, 6))
        assert same(batch.state(), fresh.state())

    def test_different_seeds_give_different_episodes(self):
        batch = self.started(50)
        assert len(set(batch.state().rng_state.tolist())) == 50
        assert len({draw_game(batch, game) for game in range(50)}) > 10

    def test_some_games_can_be_reset_while_the_others_continue(self):
        batch = self.started(3)
        for _ in self.play(batch, 5):
            pass
        before = batch.state()
        batch.reset(
            seeds(7, 8), indices=np.array([2, 0]), episode_step=np.array([100, 0], np.int32)
        )
        assert batch.episode_step.tolist() == [0, 5, 100]
        assert same(batch.state(np.array([1])), alone(before, 1))
        other = GameBatch(self.settings(), 1)
        other.reset(seeds(7), episode_step=np.array([100]))
        assert same(batch.state(np.array([2])), other.state())

    def test_a_restored_game_continues_bit_for_bit_at_any_index_of_any_batch(self):
        batch = self.started(3)
        for _ in self.play(batch, 30):
            pass
        saved = batch.state(np.array([1]))
        elsewhere = GameBatch(self.settings(), 5)
        elsewhere.reset(np.arange(5, dtype=np.uint64))
        elsewhere.restore(saved, np.array([4]))
        for action in random_actions(batch.spec, 100, 1, seed=1):
            for played, game in ((batch, 1), (elsewhere, 4)):
                played.step(np.repeat(action, played.num_games, axis=0))
                played.observe()
                assert played.episode_step[game] == batch.episode_step[1]
            assert np.array_equal(elsewhere.pixels[:, 4], batch.pixels[:, 1])
            assert np.array_equal(elsewhere.reward[:, 4], batch.reward[:, 1])
        assert same(elsewhere.state(np.array([4])), batch.state(np.array([1])))

    def test_a_restored_game_is_observed_as_it_was(self):
        batch, other = self.started(8), self.started(8)
        for _ in self.play(batch, 10):
            pass
        other.restore(batch.state())
        batch.observe()
        other.observe()
        assert np.array_equal(other.pixels, batch.pixels)

    def test_views_are_windows_of_the_board_rotated_by_the_heading(self):
        batch = self.started(4)
        for _ in self.play(batch, 30):
            batch.observe()
            state = batch.state()
            for game in range(4):
                board = np.pad(batch.board_pixels(game), 7)
                for agent, (row, column) in enumerate(state.positions[game]):
                    window = board[row : row + 15, column : column + 15]
                    turned = np.rot90(window, state.headings[game, agent])
                    assert np.array_equal(batch.pixels[agent, game], turned)

    def test_visible_agents_are_those_in_the_window(self):
        batch = self.started(4)
        for _ in self.play(batch, 30):
            batch.observe()
            apart = np.abs(batch.state().positions[:, :, None] - batch.state().positions[:, None])
            assert np.array_equal(batch.visible, (apart.max(-1) <= 7).transpose(1, 0, 2))

    def test_rewards_are_apples_minus_costs_and_fines(self):
        batch = self.started(4)
        total = np.zeros(4)
        for _ in self.play(batch, 300):
            total += batch.reward.sum(0)
        events = batch.counts.sum(1)
        expected = events[:, APPLES] - events[:, FIRES] - 50 * events[:, HITS]
        assert total.tolist() == expected.tolist() == batch.returns.sum(1).tolist()

    def test_an_episode_ends_at_the_horizon_only_and_then_a_step_is_refused(self):
        batch = self.started(2, horizon=10)
        batch.reset(seeds(0), indices=np.array([1]), episode_step=np.array([3]))
        actions = np.full((2, batch.spec.num_agents), 4, np.uint8)
        for step in range(7):
            assert batch.ended.tolist() == [False, False]
            assert batch.episode_step.tolist() == [step, step + 3]
            batch.step(actions)
        assert batch.ended.tolist() == [False, True]
        with pytest.raises(ValueError, match="game 1 has ended"):
            batch.step(actions)

    def test_a_new_batch_must_be_reset_before_a_step(self):
        batch = GameBatch(self.settings(), 2)
        batch.reset(seeds(0), indices=np.array([0]))
        with pytest.raises(ValueError, match="game 1 has ended: reset it"):
            batch.step(np.zeros((2, batch.spec.num_agents), np.uint8))

    def test_an_action_that_the_game_does_not_have_is_refused_before_anything_moves(self):
        batch = self.started(2)
        before = batch.state()
        actions = np.zeros((2, batch.spec.num_agents), np.uint8)
        actions[1, 1] = batch.spec.num_actions
        with pytest.raises(ValueError, match=f"agent 1 of game 1 is {batch.spec.num_actions}"):
            batch.step(actions)
        assert same(batch.state(), before)

    @pytest.mark.parametrize(
        ("missing", "dtype"), [(1, np.uint8), (0, np.int64)], ids=["too few agents", "wrong dtype"]
    )
    def test_actions_of_another_shape_or_dtype_are_refused(self, missing, dtype):
        batch = self.started(3)
        agents = batch.spec.num_agents
        wanted = rf"actions must be uint8 \[3, {agents}\], not "
        with pytest.raises(ValueError, match=wanted):
            batch.step(np.zeros((3, agents - missing), dtype))
        with pytest.raises(ValueError, match=wanted):
            batch.step(np.zeros((agents, 4), np.uint8))

    @pytest.mark.parametrize(
        ("arguments", "wrong"),
        [
            ({"seeds": seeds(1)}, "seeds"),
            ({"seeds": np.zeros(2, np.int64)}, "seeds"),
            ({"seeds": seeds(1), "indices": np.array([2])}, "indices"),
            ({"seeds": seeds(1), "indices": np.array([-1])}, "indices"),
            ({"seeds": seeds(1, 2), "indices": np.array([1, 1])}, "indices"),
            ({"seeds": seeds(1), "indices": np.array([0.0])}, "indices"),
            ({"seeds": seeds(1, 2), "episode_step": np.array([0])}, "episode_step"),
            ({"seeds": seeds(1, 2), "episode_step": np.array([0, -1])}, "starts at"),
            ({"seeds": seeds(1, 2), "episode_step": np.array([0, 1000])}, "starts at"),
        ],
    )
    def test_a_reset_with_wrong_arguments_is_refused(self, arguments, wrong):
        with pytest.raises(ValueError, match=wrong):
            self.started(2).reset(**arguments)

    @pytest.mark.parametrize(
        ("field", "value", "wrong"),
        [
            ("contents", 1, "row 1, column 1: the map has .* cannot hold a palette index of 1"),
            ("contents", 200, "contents must be below"),
            ("beams", 5, "beams must be 0 or a beam's index"),
            ("positions", 0, "positions must be outside walls"),
            ("positions", 99, "positions must be on the map"),
            ("positions", -1, "positions must be on the map"),
            ("headings", 4, "headings must be 0 to 3"),
            ("episode_step", 1001, "episode_step must be 0 to 1000"),
            ("returns", np.nan, "returns must be finite"),
        ],
    )
    def test_a_state_that_the_game_cannot_be_in_is_refused(self, field, value, wrong):
        batch = self.started(2)
        state = batch.state()
        getattr(state, field)[0] = value
        with pytest.raises(ValueError, match=wrong):
            batch.restore(state)

    def test_a_state_with_two_agents_in_one_cell_is_refused(self):
        batch = self.started(2)
        state = batch.state()
        state.positions[0, 0] = state.positions[0, 1]
        with pytest.raises(ValueError, match="one agent per cell"):
            batch.restore(state)

    def test_a_state_of_another_shape_or_dtype_is_refused(self):
        batch = self.started(2)
        state = batch.state()
        with pytest.raises(ValueError, match=r"episode_step must be int32 \[2\], not int64 \[2\]"):
            batch.restore(replace(state, episode_step=state.episode_step.astype(np.int64)))
        with pytest.raises(ValueError, match="a state of 2 games cannot be restored into 1"):
            batch.restore(state, np.array([0]))

    @pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
    def test_a_copy_continues_and_counts_as_the_original_does(self, copied):
        batch = self.started(3)
        for _ in self.play(batch, 20):
            pass
        other = copied(batch)
        for _ in zip(self.play(batch, 100, seed=1), self.play(other, 100, seed=1), strict=True):
            pass
        assert same(batch.state(), other.state())
        assert np.array_equal(batch.counts, other.counts)
        assert other.counts.any()

    def test_arrays_are_overwritten_in_place(self):
        batch = self.started(2)
        names = ["pixels", "visible", "reward", "episode_step", "ended", "returns", "counts"]
        before = [getattr(batch, name) for name in names]
        for _ in self.play(batch, 3):
            batch.observe()
        batch.restore(batch.state())
        for name, array in zip(names, before, strict=True):
            assert getattr(batch, name).__array_interface__ == array.__array_interface__, name

    def test_a_state_is_a_copy(self):
        batch = self.started(2)
        before, again = batch.state(), batch.state()
        for _ in self.play(batch, 5):
            pass
        assert same(before, again)

    def test_actions_may_be_read_only_and_strided(self):
        batch, plain = self.started(2), self.started(2)
        actions = random_actions(batch.spec, 1, 2)[0]
        strided = np.asfortranarray(actions)
        strided.flags.writeable = False
        batch.step(strided)
        plain.step(actions)
        assert same(batch.state(), plain.state())

    def test_a_batch_without_games_is_refused(self):
        with pytest.raises(ValueError, match="at least 1 game, not 0"):
            GameBatch(self.settings(), 0)


class SpawnConformance(GameConformance):
    """What holds in addition in games whose agents start on spawn cells."""

    def test_a_reset_puts_agents_on_distinct_spawn_cells(self):
        batch = self.started(200)
        positions = batch.state().positions
        spawns = {tuple(cell) for cell in np.argwhere(batch.spec.map.mask("+")).tolist()}
        for game in positions.tolist():
            taken = {tuple(position) for position in game}
            assert len(taken) == batch.spec.num_agents
            assert taken <= spawns

    def test_spawn_cells_are_drawn_evenly(self):
        batch = self.started(2000)
        spawns = np.argwhere(batch.spec.map.mask("+"))
        expected = 2000 / len(spawns)
        for positions in batch.state().positions.transpose(1, 0, 2):
            there = (positions[:, None] == spawns).all(-1).sum(0)
            assert there == pytest.approx(np.full(len(spawns), expected), abs=5 * expected**0.5)

    def test_there_can_be_as_many_agents_as_spawn_cells(self):
        spawns = int(game_spec(self.settings()).map.mask("+").sum())
        batch = self.started(agents=spawns)
        for _ in self.play(batch, 20):
            batch.state().check(batch.spec)


class TestCleanup(SpawnConformance):
    name = "cleanup"
    crowd: ClassVar = {"agents": 7, "map": "######\n#w+o+#\n#~+=+#\n#~+++#\n######"}


class TestCleanupSmall(TestCleanup):
    name = "cleanup-small"


class TestHarvest(SpawnConformance):
    name = "harvest"
    crowd: ClassVar = {"agents": 7, "map": "#####\n#+o+#\n#+++#\n#+o+#\n#####"}


class TestHarvestSmall(TestHarvest):
    name = "harvest-small"


class TestBoxTrapped(GameConformance):
    name = "box-trapped"
    crowd: ClassVar = {"map": "#####\n#1Do#\n##0##\n#####"}


class TestOwnGame(SpawnConformance):
    name = "own_game.game:COMMONS"
    crowd: ClassVar = {"agents": 7, "map": "#####\n#+o+#\n#+++#\n#o+o#\n#+o+#\n#####"}
