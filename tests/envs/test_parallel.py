import copy
import pickle
import re
import subprocess
import sys
from functools import partial

import cloudpickle
import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.test import parallel_api_test, parallel_seed_test
from pydantic import ValidationError

from ssd_envs import parallel
from ssd_envs.batch import GameBatch
from ssd_envs.spec import EVENTS, GameSettings

games = pytest.mark.parametrize("make", [parallel.cleanup, parallel.harvest, parallel.box_trapped])
STAY, FIRE = 4, 7
COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),  # noqa: S301 - our own bytes
    "cloudpickle": lambda env: cloudpickle.loads(cloudpickle.dumps(env)),
}


def same_action(env, action):
    return dict.fromkeys(env.agents, action)


@games
@pytest.mark.parametrize("observations", ["rgb", "palette"])
def test_the_environment_passes_pettingzoos_api_test(make, observations):
    parallel_api_test(make(observations=observations, horizon=60), num_cycles=100)


@games
def test_the_environment_passes_pettingzoos_seed_test(make):
    parallel_seed_test(make, num_cycles=50)


@games
def test_rgb_and_palette_observations_are_equal_pixel_for_pixel(make):
    rgb, indices = make(), make(observations="palette")
    seen_rgb, seen_indices = rgb.reset(seed=3)[0], indices.reset(seed=3)[0]
    for _ in range(20):
        for name in rgb.agents:
            assert np.array_equal(seen_rgb[name], rgb.spec.palette[seen_indices[name]])
        seen_rgb, seen_indices = (env.step(same_action(env, FIRE))[0] for env in (rgb, indices))


@pytest.mark.parametrize(
    ("make", "name", "agents"),
    [
        (parallel.cleanup, "cleanup", 5),
        (parallel.harvest, "harvest", 5),
        (parallel.box_trapped, "box-trapped", 2),
        (partial(parallel.parallel_env, "cleanup-small"), "cleanup-small", 3),
        (partial(parallel.parallel_env, "harvest-small"), "harvest-small", 3),
    ],
)
def test_each_game_can_be_made_with_its_default_agents(make, name, agents):
    env = make()
    assert (env.spec.name, len(env.possible_agents)) == (name, agents)
    assert env.metadata["name"] == f"{name}_v0"


def test_spaces_are_gymnasium_spaces():
    env = parallel.cleanup(agents=3)
    assert env.possible_agents == ["agent_0", "agent_1", "agent_2"]
    assert env.action_space("agent_0") == spaces.Discrete(9)
    assert env.observation_space("agent_0") == spaces.Box(0, 255, (15, 15, 3), np.uint8)


def test_the_environment_plays_the_same_game_as_the_batch():
    env = parallel.harvest(observations="palette")
    observations, _ = env.reset(seed=0)
    batch = GameBatch(GameSettings(name="harvest"), 1)
    seed = np.random.default_rng(0).integers(2**64, size=1, dtype=np.uint64)
    batch.reset(seed)
    for action in np.random.default_rng(1).integers(8, size=(50, 1, 5), dtype=np.uint8):
        observations, rewards, *_ = env.step(dict(zip(env.agents, action[0], strict=True)))
        batch.step(action)
        batch.observe()
        assert np.array_equal(list(observations.values()), batch.pixels[:, 0])
        assert list(rewards.values()) == batch.reward[:, 0].tolist()


def test_observations_do_not_change_at_the_next_step():
    env = parallel.harvest(observations="palette")
    before, _ = env.reset(seed=0)
    copies = {name: view.copy() for name, view in before.items()}
    env.step(same_action(env, FIRE))
    assert all(np.array_equal(before[name], copies[name]) for name in copies)


def test_the_horizon_is_a_termination_and_not_a_truncation():
    env = parallel.cleanup(horizon=2)
    env.reset(seed=0)
    *_, terminations, truncations, _ = env.step(same_action(env, STAY))
    assert not any(terminations.values())
    *_, terminations, truncations, _ = env.step(same_action(env, STAY))
    assert all(terminations.values())
    assert not any(truncations.values())
    assert env.agents == []
    with pytest.raises(ValueError, match="reset before a step"):
        env.step({})


def test_infos_have_visible_agents_and_event_counts():
    env = parallel.harvest(agents=2, map="####\n#++#\n####")
    env.reset(seed=0)
    *_, infos = env.step({"agent_0": FIRE, "agent_1": STAY})
    assert infos["agent_0"]["visible"].tolist() == [True, True]
    assert infos["agent_0"]["fires"] == 1
    assert infos["agent_1"]["fires"] == 0


@games
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_an_environment_has_the_same_infos_as_the_original(make, copied):
    """Vector environments step copies; Gymnasium's and SuperSuit's are made with cloudpickle."""
    env = make()
    env.reset(seed=0)
    other = copied(env)
    for _ in range(5):
        infos, infos_of_copy = (each.step(same_action(each, FIRE))[-1] for each in (env, other))
        assert str(infos_of_copy) == str(infos)
    assert any(info[event] for info in infos.values() for event in EVENTS)


def test_resets_without_a_seed_continue_from_the_last_seed():
    env = parallel.harvest(observations="palette")
    episodes = []
    for _ in range(2):
        env.reset(seed=9)
        episodes.append(env.reset()[0]["agent_0"])
    assert np.array_equal(*episodes)
    assert not np.array_equal(env.reset()[0]["agent_0"], episodes[0])


def test_a_frame_shows_the_whole_board_with_16_pixels_per_cell():
    env = parallel.cleanup(render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert frame.shape == (25 * 16, 18 * 16, 3)
    assert frame.dtype == np.uint8
    shown = {tuple(colour) for colour in frame[8::16, 8::16].reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in env.spec.palette[7:].tolist()} <= shown


def test_rendering_needs_a_render_mode():
    env = parallel.cleanup()
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="without a render_mode"):
        assert env.render() is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"render_mode": "human"}, "render_mode must be 'rgb_array' or None, not 'human'"),
        ({"observations": "grey"}, "observations must be 'rgb' or 'palette', not 'grey'"),
        ({"agents": 11}, "the map has 10 spawn cells ('+'), but needs 11"),
        ({"agents": 1}, "agents: wanted greater than or equal to 2, found 1"),
        ({"agents": "three"}, "agents: wanted a valid integer, found 'three'"),
        ({"regrowth": ()}, "regrowth: wanted at least 1 item, found ()"),
        ({"map": "nowhere"}, "map: a map is a drawing of several lines or the path of a text file"),
        ({"growth_radius": 4}, "cleanup has no growth_radius"),
        ({"own": {"a": [1]}}, "cleanup has no own a: it has none"),
        ({"agnts": 3}, "cleanup has no setting 'agnts': did you mean 'agents'?"),
        ({"render_mod": None}, "cleanup has no setting 'render_mod': did you mean 'render_mode'?"),
        ({"xyz": 3}, "cleanup has no setting 'xyz': wanted agents, horizon, map, "),
        (
            {"agnts": 3, "fine": -1},
            "fine: wanted greater than or equal to 0, found -1\ncleanup",
        ),
    ],
)
def test_invalid_settings_are_refused_with_what_was_wanted_and_what_was_found(wrong, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as refused:
        parallel.cleanup(**wrong)
    assert not isinstance(refused.value, ValidationError)  # which has pydantic's own words


def test_an_unknown_game_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"^name: no game is called 'chess': wanted cleanup, "):
        parallel.parallel_env("chess")


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({"agent_0": 0}, "no action for agent_1"),
        ({"agent_0": 0, "agent_1": 8}, "agent_1: the action must be 0 to 7, not 8"),
        ({"agent_0": -1, "agent_1": 0}, "agent_0: the action must be 0 to 7, not -1"),
    ],
)
def test_invalid_actions_are_refused(actions, message):
    env = parallel.harvest(agents=2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(actions)


def test_without_pettingzoo_the_import_says_what_to_install():
    script = "import sys; sys.modules['pettingzoo'] = None; import ssd_envs.parallel"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "pip install 'ssd-influence[pettingzoo]'" in done.stderr
