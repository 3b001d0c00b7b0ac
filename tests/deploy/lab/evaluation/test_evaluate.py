"""A run is evaluated by what its agents do, by draw, in games that they did not train on."""

import json

import numpy as np
import pytest

from ssd_env_server.episodes import Arena
from ssd_lab.evaluation.evaluate import evaluate, unseen_seeds


def list_episodes(run_dir, seeds):
    """Leave the list of episodes that an environment server leaves."""
    (run_dir / "episodes").mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"seed": int(seed)}) + "\n" for seed in seeds]
    (run_dir / "episodes" / "arena-0.jsonl").write_text("".join(lines))


def test_seeds_that_the_run_has_trained_on_are_not_used(tmp_path):
    would_be = unseen_seeds(tmp_path, seed=3, episodes=40)
    list_episodes(tmp_path, would_be[::2])
    found = unseen_seeds(tmp_path, seed=3, episodes=40)
    assert not set(found) & set(would_be[::2])
    assert set(would_be[1::2]) <= set(found)


def test_seeds_of_an_evaluation_differ_from_those_of_an_environment(tmp_path):
    arena = Arena(seed=3, index=0, start_number=7)
    trained = {arena.episode_seed(0, game, n) for game in range(16) for n in range(100)}
    assert not trained & set(unseen_seeds(tmp_path, seed=3, episodes=1000).tolist())


def test_seeds_are_all_different_and_differ_between_draws_and_runs(tmp_path):
    found = unseen_seeds(tmp_path, seed=3, episodes=500)
    assert len(set(found)) == 500
    for other in (unseen_seeds(tmp_path, 3, 500, draw=1), unseen_seeds(tmp_path, 4, 500)):
        assert not set(found) & set(other)


@pytest.fixture
def run_dir(saved_run):
    return saved_run("box-trapped-moa", "game.horizon=12")


def test_an_evaluation_is_reproducible_and_another_draw_differs(run_dir):
    first, again, other = (evaluate(run_dir, 5, draw) for draw in (0, 0, 1))
    assert (first.seeds == unseen_seeds(run_dir, 1, 5)).all()
    assert (first.actions == again.actions).all()
    assert (first.actions != other.actions).any()


def test_actions_are_sampled_and_not_the_most_likely_ones(run_dir):
    """A policy that has learned nothing does everything about as often."""
    taken = np.bincount(evaluate(run_dir, 100).actions.ravel(), minlength=8)
    assert taken.min() > 0.5 * taken.mean()
