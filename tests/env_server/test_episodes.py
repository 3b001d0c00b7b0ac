"""Episodes: seeds, staggered starts, timesteps and log lines."""

import errno
import json
from itertools import chain

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssd_env_server.episodes import Arena, first_episode_steps
from ssd_envs.spec import EVENTS, GAMES, GameSettings
from ssd_wire.errors import RunFileError
from ssd_wire.messages import Timestep

HORIZON = 12  # of the small environment, whose segments have 4 steps


def play(env, ticks, lane=0, stay=False):
    """All agents act at random; return [ticks] the timesteps that they get then, by agent."""
    random = np.random.default_rng(3)
    received = []
    for tick in range(ticks):
        actions = [4] * env.agents if stay else random.integers(8, size=env.agents)
        sent = env.everyone_acts(tick, lane, actions)
        received.append([message for _, message in sent if isinstance(message, Timestep)])
    return received


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_same_run_arena_and_start_number_play_the_same_episodes(make_env):
    one, other = (play(make_env(games=3).with_all_joined(), 20) for _ in range(2))
    for a, b in zip(chain(*one), chain(*other), strict=True):
        assert (a.pixels == b.pixels).all()
        assert (a.reward == b.reward).all()


@pytest.mark.parametrize("other", [{"seed": 2}, {"arena": 1}, {"start_number": 8}])
def test_another_run_arena_or_start_number_plays_other_episodes(make_env, other):
    one = make_env().server.lane_games[0].timesteps()[0]
    two = make_env(**other).server.lane_games[0].timesteps()[0]
    assert (one.pixels != two.pixels).any()


places = st.tuples(*[st.integers(0, 2**62)] * 3, *[st.integers(0, 5000)] * 3)


@given(places, places)
@example((5 + (7 << 32), 1, 9, 0, 0, 0), (5, 7, 1 + (9 << 32), 0, 0, 0))  # in 32-bit words alike
def test_every_episode_has_a_different_seed(place, other):
    def seed(run, arena, start_number, *episode):
        return Arena(run, arena, start_number).episode_seed(*episode)

    assert (seed(*place) == seed(*other)) == (place == other)
    assert 0 <= seed(*place) < 2**64


@given(st.integers(1, 200), st.integers(1, 2000), st.integers(1, 200))
def test_first_episodes_start_at_multiples_of_a_segment_evenly_spread(games, horizon, segment):
    steps = first_episode_steps(games, horizon, segment)
    assert steps.dtype == np.int32
    assert steps.shape == (games,)
    assert (steps % segment == 0).all()
    assert (steps >= 0).all()
    assert (steps < horizon).all()
    per_phase = np.bincount(steps // segment, minlength=-(-horizon // segment))
    assert per_phase.max() - per_phase.min() <= 1


@pytest.mark.parametrize("segment", [25, 50, 100, 250])
def test_any_successive_quarter_of_the_games_covers_all_quarters_of_an_episode(segment):
    steps = first_episode_steps(96, 1000, segment)
    for start in range(96 - 24 + 1):
        per_quarter = np.bincount(steps[start : start + 24] * 4 // 1000, minlength=4)
        assert per_quarter.sum() == 24
        assert per_quarter.min() >= 4


@given(st.integers(1, 40), st.sampled_from([2, 4, 8]))
def test_each_half_quarter_or_eighth_of_the_games_is_spread_evenly(size, parts):
    games = size * parts
    steps = first_episode_steps(games, games, 1).reshape(parts, size)  # each in a phase of its own
    for part in np.sort(steps, 1):
        assert (np.diff(part) == parts).all()


@given(st.integers(1, 300), st.data())
def test_no_successive_games_leave_out_a_large_part_of_an_episode(games, data):
    length = data.draw(st.integers(1, games))
    start = data.draw(st.integers(0, games - length))
    steps = np.sort(first_episode_steps(games, games, 1)[start : start + length])
    gaps = np.diff(steps, prepend=-1, append=games)
    assert gaps.max() <= 5 * games / length + 1


def test_a_batch_contains_all_phases_of_an_episode(make_env):
    received = play(make_env(games=3).with_all_joined(), 12)
    ends = {
        game: [t for t, steps in enumerate(received, 1) if steps[0].is_first[game]]
        for game in range(3)
    }
    assert ends == {0: [12], 1: [4], 2: [8]}


def test_tick_0_is_first_in_every_game_and_has_no_rewards_or_actions(env):
    for step in env.server.lane_games[0].timesteps():
        assert step.tick == 0
        assert step.is_first.all()
        assert not step.reward.any()
        assert not step.actions.any()
        assert step.pixels.any()


def test_where_is_first_the_view_is_of_the_new_episode_and_reward_and_actions_of_the_old(make_env):
    env = make_env(games=1, lanes=1).with_all_joined()
    *_, before = play(env, HORIZON - 1, stay=True)
    fire = env.everyone_acts(HORIZON - 1, actions=[7, 7, 7])
    steps = [message for _, message in fire]
    assert all(step.is_first.all() for step in steps)
    assert all((step.actions == 7).all() for step in steps)
    assert sum(step.reward.sum() for step in steps) <= -3
    fining_beam = (255, 255, 0)
    colours = env.coordinator.seat.palette
    assert all((colours[step.pixels] != fining_beam).any(-1).all() for step in steps)
    assert not any(step.is_first.any() for step in before)


@pytest.mark.parametrize("reward", [2e6, -2e6, np.nan, np.inf])
def test_rules_whose_rewards_no_message_may_hold_end_the_server_with_the_reason(
    make_env, monkeypatch, reward
):
    env = make_env(lanes=1).with_all_joined()
    batch = env.server.lane_games[0]._batch
    monkeypatch.setattr(batch, "step", lambda _actions: batch.reward.fill(reward))
    with pytest.raises(
        RunFileError, match=r"^\[game\] harvest: wanted rewards of -1e\+06 to 1e\+06"
    ):
        env.everyone_acts(0)


def test_an_agents_timestep_has_its_own_view_and_reward_and_no_others(env, peer_name):
    random = np.random.default_rng(1)
    for tick in range(30):
        sent = dict(env.everyone_acts(tick, actions=random.integers(8, size=3)))
        batch = env.server.lane_games[0]._batch
        for agent in range(3):
            step = sent[peer_name(agent, 1)]
            assert step.pixels.shape == (2, 15, 15)
            assert (step.pixels == batch.pixels[agent]).all()
            assert (step.reward == batch.reward[agent]).all()
            assert (step.visible == batch.visible[agent]).all()
            held = sum(getattr(step, name).nbytes for name in ("pixels", "reward", "visible"))
            assert held == 2 * (15 * 15 + 4 + 3)


def test_each_episode_that_ended_is_one_line_of_the_log(make_env, tmp_path):
    path = tmp_path / "episodes" / "arena-0.jsonl"
    env = make_env(games=2, episodes_path=path).with_all_joined()
    received = play(env, 2 * HORIZON)
    written = lines(path)
    assert [(line["game"], line["episode"]) for line in written] == [(1, 0), (0, 0), (1, 1), (0, 1)]
    assert [line["tick"] for line in written] == [8, 12, 20, 24]
    assert [line["length"] for line in written] == [8, 12, 12, 12]
    assert {line["env_incarnation"] for line in written} == {env.incarnation}
    for line in written:
        of_it = received[line["tick"] - line["length"] : line["tick"]]
        returns = [sum(steps[agent].reward[line["game"]] for steps in of_it) for agent in range(3)]
        assert line["returns"] == pytest.approx(returns)
        assert line["collective_return"] == pytest.approx(sum(returns))
        assert set(line["counts"]) == set(EVENTS)
        assert all(len(counts) == 3 for counts in line["counts"].values())
        assert line["seed"] == Arena(1, 0, 7).episode_seed(0, line["game"], line["episode"])


def test_the_line_has_the_step_at_which_the_box_was_opened_or_0(make_env, tmp_path):
    path = tmp_path / "arena-0.jsonl"
    game = GameSettings(name="box-trapped", horizon=HORIZON)
    env = make_env(agents=2, games=1, episodes_path=path, game=game).with_all_joined()
    for tick in range(2 * HORIZON):
        env.everyone_acts(tick, actions=[7, 4] if tick in (2, 5) else [4, 7])
    assert [line["counts"]["opened_at"] for line in lines(path)] == [[3, 0], [0, 0]]


@pytest.mark.parametrize("name", GAMES)
def test_every_game_can_be_played_and_its_episodes_are_logged(make_env, tmp_path, name):
    path = tmp_path / "arena-0.jsonl"
    game = GameSettings(name=name, horizon=HORIZON)
    env = make_env(agents=game.agents, games=1, episodes_path=path, game=game).with_all_joined()
    play(env, HORIZON)
    [line] = lines(path)
    assert (line["length"], len(line["returns"])) == (HORIZON, game.agents)
    assert {name: len(counts) for name, counts in line["counts"].items()} == dict.fromkeys(
        EVENTS, game.agents
    )


def test_equality_is_null_where_it_is_undefined(make_env, tmp_path):
    path = tmp_path / "arena-0.jsonl"
    env = make_env(games=1, episodes_path=path).with_all_joined()
    for tick in range(HORIZON):
        env.everyone_acts(tick, actions=[7, 7, 7])
    [line] = lines(path)
    assert line["collective_return"] < 0
    assert line["equality"] is None


def test_episodes_of_a_restarted_server_are_appended(make_env, tmp_path):
    path = tmp_path / "arena-0.jsonl"
    for start_number in (1, 2):
        play(
            make_env(games=1, episodes_path=path, start_number=start_number).with_all_joined(),
            HORIZON,
        )
    first, second = lines(path)
    assert first["env_incarnation"] != second["env_incarnation"]
    assert first["seed"] != second["seed"]


def test_on_a_full_disk_games_go_on_and_their_episodes_are_logged_once_there_is_space(
    make_env, tmp_path, monkeypatch
):
    def no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "arena-0.jsonl"
    env = make_env(games=1, episodes_path=path).with_all_joined()
    with monkeypatch.context() as patched:
        patched.setattr("ssd_wire.process.json_lines.os.write", no_space)
        for tick in range(2 * HORIZON + 1):
            env.everyone_acts(tick)
        assert env.server.episode_log.fault.errno == errno.ENOSPC
    env.everyone_acts(2 * HORIZON + 1)
    assert env.server.episode_log.fault is None
    assert [json.loads(line)["episode"] for line in path.read_text().splitlines()] == [0, 1]
