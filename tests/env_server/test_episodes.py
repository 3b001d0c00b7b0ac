"""Episodes: seeds, staggering, what is told and what is written down."""

import json
from itertools import chain

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssd_env_server.episodes import Arena, first_clocks
from ssd_envs.spec import EVENTS, GAMES, GameSettings
from ssd_wire.messages import Timestep

HORIZON = 12  # of the small world, whose segments have 4 steps


def play(world, ticks, lane=0, stay=False):
    """Everyone acts at random; [ticks] the timesteps that each of the agents then got, by agent."""
    random = np.random.default_rng(3)
    told = []
    for tick in range(ticks):
        actions = [4] * world.agents if stay else random.integers(8, size=world.agents)
        sent = world.everyone_acts(tick, lane, actions)
        told.append([message for _, message in sent if isinstance(message, Timestep)])
    return told


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_same_run_arena_and_incarnation_play_the_same_episodes(small_world):
    one, other = (play(small_world(games=3).seated(), 20) for _ in range(2))
    for a, b in zip(chain(*one), chain(*other), strict=True):
        assert (a.pixels == b.pixels).all()
        assert (a.reward == b.reward).all()


@pytest.mark.parametrize("other", [{"seed": 2}, {"arena": 1}, {"incarnation": 8}])
def test_another_run_arena_or_incarnation_plays_others(small_world, other):
    one = small_world().world.games[0].timesteps()[0]
    two = small_world(**other).world.games[0].timesteps()[0]
    assert (one.pixels != two.pixels).any()


places = st.tuples(*[st.integers(0, 2**62)] * 3, *[st.integers(0, 5000)] * 3)


@given(places, places)
@example((5 + (7 << 32), 1, 9, 0, 0, 0), (5, 7, 1 + (9 << 32), 0, 0, 0))  # in 32-bit words alike
def test_every_episode_has_a_seed_of_its_own(place, other):
    def seed(run, arena, incarnation, *episode):
        return Arena(run, arena, incarnation).episode_seed(*episode)

    assert (seed(*place) == seed(*other)) == (place == other)
    assert 0 <= seed(*place) < 2**64


@given(st.integers(1, 200), st.integers(1, 2000), st.integers(1, 200))
def test_first_episodes_start_at_multiples_of_a_segment_evenly_spread(games, horizon, segment):
    clocks = first_clocks(games, horizon, segment)
    assert clocks.dtype == np.int32
    assert clocks.shape == (games,)
    assert (clocks % segment == 0).all()
    assert (clocks >= 0).all()
    assert (clocks < horizon).all()
    per_phase = np.bincount(clocks // segment, minlength=-(-horizon // segment))
    assert per_phase.max() - per_phase.min() <= 1


@pytest.mark.parametrize("segment", [25, 50, 100, 250])
def test_any_quarter_of_the_games_one_after_another_is_in_all_quarters_of_an_episode(segment):
    clocks = first_clocks(96, 1000, segment)
    for start in range(96 - 24 + 1):
        per_quarter = np.bincount(clocks[start : start + 24] * 4 // 1000, minlength=4)
        assert per_quarter.sum() == 24
        assert per_quarter.min() >= 4


@given(st.integers(1, 40), st.sampled_from([2, 4, 8]))
def test_each_half_quarter_or_eighth_of_the_games_is_spread_evenly(size, parts):
    games = size * parts
    clocks = first_clocks(games, games, 1).reshape(parts, size)  # each in a phase of its own
    for part in np.sort(clocks, 1):
        assert (np.diff(part) == parts).all()


@given(st.integers(1, 300), st.data())
def test_no_run_of_games_leaves_a_large_part_of_an_episode_out(games, data):
    length = data.draw(st.integers(1, games))
    start = data.draw(st.integers(0, games - length))
    clocks = np.sort(first_clocks(games, games, 1)[start : start + length])
    gaps = np.diff(clocks, prepend=-1, append=games)
    assert gaps.max() <= 5 * games / length + 1


def test_a_batch_holds_all_phases_of_an_episode(small_world):
    told = play(small_world(games=3).seated(), 12)
    ends = {
        game: [t for t, steps in enumerate(told, 1) if steps[0].is_first[game]] for game in range(3)
    }
    assert ends == {0: [12], 1: [4], 2: [8]}


def test_tick_0_is_the_first_of_every_episode_and_tells_of_no_step_before(world):
    for step in world.world.games[0].timesteps():
        assert step.tick == 0
        assert step.is_first.all()
        assert not step.reward.any()
        assert not step.actions.any()
        assert step.pixels.any()


def test_at_first_the_view_is_of_the_new_episode_and_reward_and_actions_of_the_old(small_world):
    world = small_world(games=1, lanes=1).seated()
    *_, before = play(world, HORIZON - 1, stay=True)
    fire = world.everyone_acts(HORIZON - 1, actions=[7, 7, 7])
    steps = [message for _, message in fire]
    assert all(step.is_first.all() for step in steps)
    assert all((step.actions == 7).all() for step in steps)
    assert sum(step.reward.sum() for step in steps) <= -3
    fining_beam = (255, 255, 0)
    colours = world.referee.seat.palette
    assert all((colours[step.pixels] != fining_beam).any(-1).all() for step in steps)
    assert not any(step.is_first.any() for step in before)


def test_an_agents_timestep_holds_its_own_view_and_reward_and_no_one_elses(world, peer_name):
    random = np.random.default_rng(1)
    for tick in range(30):
        sent = dict(world.everyone_acts(tick, actions=random.integers(8, size=3)))
        batch = world.world.games[0]._batch
        for agent in range(3):
            step = sent[peer_name(agent, 1)]
            assert step.pixels.shape == (2, 15, 15)
            assert (step.pixels == batch.pixels[agent]).all()
            assert (step.reward == batch.reward[agent]).all()
            assert (step.visible == batch.visible[agent]).all()
            held = sum(getattr(step, name).nbytes for name in ("pixels", "reward", "visible"))
            assert held == 2 * (15 * 15 + 4 + 3)


def test_each_ended_episode_leaves_one_line(small_world, tmp_path):
    path = tmp_path / "episodes" / "arena-0.jsonl"
    world = small_world(games=2, record=path).seated()
    told = play(world, 2 * HORIZON)
    written = lines(path)
    assert [(line["game"], line["episode"]) for line in written] == [(1, 0), (0, 0), (1, 1), (0, 1)]
    assert [line["tick"] for line in written] == [8, 12, 20, 24]
    assert [line["length"] for line in written] == [8, 12, 12, 12]
    assert {line["world"] for line in written} == {world.number}
    for line in written:
        of_it = told[line["tick"] - line["length"] : line["tick"]]
        returns = [sum(steps[agent].reward[line["game"]] for steps in of_it) for agent in range(3)]
        assert line["returns"] == pytest.approx(returns)
        assert line["collective_return"] == pytest.approx(sum(returns))
        assert set(line["counts"]) == set(EVENTS)
        assert all(len(counts) == 3 for counts in line["counts"].values())
        assert line["seed"] == Arena(1, 0, 7).episode_seed(0, line["game"], line["episode"])


def test_the_line_tells_at_which_step_the_box_was_opened_or_0(small_world, tmp_path):
    path = tmp_path / "arena-0.jsonl"
    game = GameSettings(name="box-trapped", horizon=HORIZON)
    world = small_world(agents=2, games=1, record=path, game=game).seated()
    for tick in range(2 * HORIZON):
        world.everyone_acts(tick, actions=[7, 4] if tick in (2, 5) else [4, 7])
    assert [line["counts"]["opened_at"] for line in lines(path)] == [[3, 0], [0, 0]]


@pytest.mark.parametrize("name", GAMES)
def test_a_world_plays_every_game_and_writes_down_its_episodes(small_world, tmp_path, name):
    path = tmp_path / "arena-0.jsonl"
    game = GameSettings(name=name, horizon=HORIZON)
    world = small_world(agents=game.agents, games=1, record=path, game=game).seated()
    play(world, HORIZON)
    [line] = lines(path)
    assert (line["length"], len(line["returns"])) == (HORIZON, game.agents)
    assert {name: len(counts) for name, counts in line["counts"].items()} == dict.fromkeys(
        EVENTS, game.agents
    )


def test_equality_is_null_where_it_means_nothing(small_world, tmp_path):
    path = tmp_path / "arena-0.jsonl"
    world = small_world(games=1, record=path).seated()
    for tick in range(HORIZON):
        world.everyone_acts(tick, actions=[7, 7, 7])
    [line] = lines(path)
    assert line["collective_return"] < 0
    assert line["equality"] is None


def test_episodes_of_a_restarted_server_are_appended(small_world, tmp_path):
    path = tmp_path / "arena-0.jsonl"
    for incarnation in (1, 2):
        play(small_world(games=1, record=path, incarnation=incarnation).seated(), HORIZON)
    first, second = lines(path)
    assert first["world"] != second["world"]
    assert first["seed"] != second["seed"]
