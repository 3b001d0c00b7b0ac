"""Trained agents act outside a run."""

import math

import numpy as np
import pytest
import torch

from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.networks.agent_shape import AgentShape
from ssd_lab.evaluation.play import load_agents, load_game, play
from ssd_learner.checkpoints.checkpoint_file import CheckpointError
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.trainer import Trainer
from ssd_run.presets import load_config

SEEDS = np.arange(3, dtype=np.uint64)
GAME = GameSettings(name="harvest", agents=2, horizon=20)


def make_run(tmp_path, preset, *sets):
    """A run of two agents that was stopped before it learned anything."""
    small = ("game.agents=2", "game.horizon=20", "network.lstm=8", "network.moa_lstm=8")
    config = load_config(preset, [*small, *sets])
    (tmp_path / "run.toml").write_text(config.toml())
    spec = game_spec(config.game)
    for agent in range(2):
        folder = tmp_path / "checkpoints" / f"agent-{agent}"
        folder.mkdir(parents=True)
        shape = AgentShape(agent, 2, spec.num_actions, spec.view, spec.palette)
        trainer = Trainer(
            shape, config.network, config.experiment, config.learning, torch.device("cpu"), seed=1
        )
        Checkpointer(folder, None, math.inf, keep=1).save(
            trainer, SegmentReceiver(agent, 1, "same", 1)
        )
    return tmp_path


@pytest.fixture
def run_dir(tmp_path):
    return make_run(tmp_path, "harvest-moa")


def test_the_same_seeds_give_the_same_episodes_and_others_do_not(run_dir):
    first = play(load_agents(run_dir, games=3), GAME, SEEDS)
    again = play(load_agents(run_dir, games=3), GAME, SEEDS)
    other = play(load_agents(run_dir, games=3, seed=5), GAME, SEEDS + 90)
    assert first.shape == (3, 2)
    assert (first == again).all()
    assert (first != other).any()


def test_the_game_is_that_of_the_run(run_dir):
    assert load_game(run_dir) == GAME
    assert play(load_agents(run_dir, games=3), load_game(run_dir), SEEDS).shape == (3, 2)


@pytest.mark.parametrize(
    ("agents", "game", "message"),
    [
        (slice(None), {"agents": 5}, "2 agents, the game wants 5"),
        (slice(1), {}, "1 agents, the game wants 2"),
        (slice(None, None, -1), {}, "place 0: agent 1 of 2 .*, the game wants agent 0 of 2"),
        (slice(None), {"name": "cleanup"}, "with 8 actions, .* wants agent 0 of 2 with 9 actions"),
    ],
    ids=["too few", "one left out", "in another order", "of another game"],
)
def test_agents_that_do_not_fit_the_game_are_refused(run_dir, agents, game, message):
    settings = GameSettings.model_validate({**GAME.model_dump(exclude_defaults=True), **game})
    with pytest.raises(ValueError, match=message):
        play(load_agents(run_dir, games=3)[agents], settings, SEEDS)


def test_agents_that_were_loaded_for_other_games_are_refused(run_dir):
    with pytest.raises(ValueError, match=r"for 4 games, the game wants .* for 3 games"):
        play(load_agents(run_dir, games=4), GAME, SEEDS)


def test_the_first_view_of_an_episode_resets_the_state_and_ignores_earlier_actions(run_dir):
    rng = np.random.default_rng(0)
    view = rng.integers(0, 3, (4, 15, 15), np.uint8)
    fresh, used = load_agents(run_dir, games=4)[0], load_agents(run_dir, games=4)[0]
    used.act(view, np.ones((4, 2), np.uint8), np.zeros(4, np.bool_))
    used.agent._rng.manual_seed(0)  # the draw that a fresh agent of seed 0 begins with
    is_first = np.ones(4, np.bool_)
    assert (
        fresh.act(view, np.zeros((4, 2), np.uint8), is_first)
        == used.act(view, np.full((4, 2), 5, np.uint8), is_first)
    ).all()


def seen(games=4, agents=2, colour=0, action=0):
    """What an agent is shown, in the middle of an episode."""
    view = np.full((games, 15, 15), colour, np.uint8)
    return view, np.full((games, agents), action, np.uint8), np.zeros(games, np.bool_)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"games": 3}, r"wanted games by agents \[4, 2\], found 3 views"),
        ({"agents": 3}, r"wanted games by agents \[4, 2\], found .* \[4, 3\]"),
        ({"colour": 200}, "wanted palette indices below"),
        ({"action": 99}, "wanted numbers below 8, found 99"),
    ],
    ids=["other games", "other agents", "no colour", "no action"],
)
def test_inputs_out_of_range_are_refused(run_dir, wrong, message):
    agent = load_agents(run_dir, games=4)[0]
    agent.act(*seen())
    with pytest.raises(ValueError, match=message):
        agent.act(*seen(**wrong))


def test_a_follower_needs_the_actions_of_its_leaders(tmp_path):
    agent = load_agents(make_run(tmp_path, "harvest-basic", "experiment.leaders=1"), games=4)[1]
    led = [agent.act(*seen(), leader_actions=np.full((4, 1), a, np.uint8)) for a in range(8)]
    assert np.shape(led) == (8, 4)
    with pytest.raises(ValueError, match=r"leader_actions: wanted \[4, 1\], found None"):
        agent.act(*seen())
    with pytest.raises(ValueError, match="leader_actions: wanted numbers below 8, found 8"):
        agent.act(*seen(), leader_actions=np.full((4, 1), 8, np.uint8))


def test_an_agent_with_symbols_needs_the_symbols_of_the_last_step(tmp_path):
    agent = load_agents(make_run(tmp_path, "harvest-communication"), games=4)[0]
    said = np.zeros((4, 2), np.uint8)
    assert (agent.decide(*seen(), symbols=said).symbol.choice < 7).all()
    with pytest.raises(ValueError, match=r"symbols: wanted \[4, 2\], found \[4, 3\]"):
        agent.act(*seen(), symbols=np.zeros((4, 3), np.uint8))
    with pytest.raises(ValueError, match="symbols: wanted numbers below 7, found 7"):
        agent.act(*seen(), symbols=said + 7)


def test_an_agent_without_a_checkpoint_is_named(run_dir):
    for path in (run_dir / "checkpoints" / "agent-1").glob("*.safetensors"):
        path.unlink()
    with pytest.raises(CheckpointError, match="agent-1: wanted a checkpoint, found none"):
        load_agents(run_dir)
