"""Trained agents live outside a run as they live in one."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from ssd_actors.lane import Lane as ActorLane
from ssd_env_server.disclosure import Disclosure
from ssd_env_server.lane import Lane as WorldLane
from ssd_envs.batch import GameBatch
from ssd_envs.spec import GameSettings
from ssd_lab.evaluation.play import load_agents, play
from ssd_lab.evaluation.trajectories import play_out
from ssd_run.run_directory import read_config
from ssd_wire.messages import Timestep
from ssd_wire.weights import Weights

GAMES, HORIZON = 3, 7
SEEDS = np.arange(40, 40 + GAMES, dtype=np.uint64)
SMALL = ("game.agents=3", f"game.horizon={HORIZON}")
KINDS = {
    "by a MOA": ("harvest-moa", *SMALL),
    "by PMI, which waits": ("harvest-moa", *SMALL, "experiment.divergence=pmi"),
    "basic, of three one leads": ("cleanup-basic", *SMALL),
    "of symbols": ("harvest-communication", *SMALL),
    "none": ("cleanup-a3c", *SMALL),
    "box trapped": ("box-trapped-moa", f"game.horizon={HORIZON}"),
}


def opinionated(run_dir):
    """Minds whose heads are so large that what others do makes a difference to them."""
    minds = [agent.mind for agent in load_agents(run_dir, GAMES, seed=2)]
    for mind in minds:
        grown = {
            name: w.detach().numpy() * (300 if "logits" in name else 1)
            for name, w in mind.network.named_parameters()
        }
        mind.load_weights(Weights(0, 1, 0, grown))
    return minds


def told_by_a_world(batch, actions, is_first):
    return [
        Timestep(
            env_incarnation=1,
            lane=0,
            tick=int(batch.episode_step[0]),
            pixels=batch.pixels[k],
            is_first=np.full(GAMES, is_first),
            reward=batch.reward[k],
            actions=actions,
            visible=batch.visible[k],
        )
        for k in range(batch.spec.num_agents)
    ]


def lived_in_a_run(config, minds):
    """What the world's own lane and the actors' make of the same episodes."""
    batch = GameBatch(config.game, GAMES)
    batch.reset(SEEDS)
    batch.observe()
    agents = range(batch.spec.num_agents)
    lanes = [ActorLane(0, mind, replace(mind.dims, T=HORIZON)) for mind in minds]
    for lane, mind in zip(lanes, minds, strict=True):
        lane.reset(1)
        weights = {name: w.detach().numpy() for name, w in mind.network.named_parameters()}
        lane.weights = Weights(mind.learner_incarnation, mind.weights_version, 0, weights)
    disclosed = Disclosure([mind.role for mind in minds], [mind.dims for mind in minds])
    world = WorldLane(
        told_by_a_world(batch, np.zeros((GAMES, len(minds)), np.uint8), True), GAMES, disclosed
    )
    actions = np.zeros((HORIZON, GAMES, len(minds)), np.uint8)
    for t in range(HORIZON):
        while not world.is_complete:
            for k in agents:
                for seen in world.unanswered(k):
                    kept = copy.deepcopy(seen)
                    lanes[k].complete_step(kept)
                    if t == 0:
                        lanes[k].begin_segment(kept, lanes[k].weights)
                    world.add_act(k, lanes[k].act(kept))
        actions[t] = world.actions
        batch.step(actions[t])
        batch.observe()
        world.advance(told_by_a_world(batch, actions[t].copy(), t == HORIZON - 1))
    for k in agents:
        lanes[k].complete_step(copy.deepcopy(world._timesteps[k]))
    return actions, np.stack([lane.open_segment.influence for lane in lanes], -1)


@pytest.mark.parametrize("kind", KINDS)
def test_agents_do_what_they_would_do_in_a_run_and_compute_the_same_influence(saved_run, kind):
    run_dir = saved_run(*KINDS[kind])
    config = read_config(run_dir)
    found = play_out(opinionated(run_dir), config.game, SEEDS)
    actions, influence = lived_in_a_run(config, opinionated(run_dir))
    assert (found.actions == actions).all()
    assert found.influence == pytest.approx(influence, abs=1e-5)
    assert (abs(influence).max() > 1e-4) == (config.experiment.influence != "off")


@pytest.mark.parametrize("kind", KINDS)
def test_returns_and_counts_are_those_of_the_actions(saved_run, kind):
    run_dir = saved_run(*KINDS[kind])
    settings = read_config(run_dir).game
    found = play_out(opinionated(run_dir), settings, SEEDS)
    batch = GameBatch(settings, GAMES)
    batch.reset(SEEDS)
    for actions in found.actions:
        batch.step(actions)
    assert (found.returns == batch.returns).all()
    assert (found.counts == batch.counts).all()


def test_events_are_counted_by_their_names(saved_run):
    run_dir = saved_run("box-trapped-moa", "game.horizon=60")
    found = play_out(opinionated(run_dir), read_config(run_dir).game, SEEDS)
    opens = found.actions[:, :, 0] == 7
    assert found.count("opened_at")[:, 0].tolist() == (opens.argmax(0) + opens.any(0)).tolist()
    assert (found.count("apples") == found.returns).all()


def test_agents_can_be_let_play_whoever_they_follow(saved_run):
    settings = GameSettings(name="cleanup", agents=3, horizon=HORIZON)
    run_dir = saved_run("cleanup-basic", *SMALL)
    assert play(load_agents(run_dir, GAMES), settings, SEEDS).shape == (GAMES, 3)
