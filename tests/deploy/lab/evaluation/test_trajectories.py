"""Trained agents do the same outside a run as in a run."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from ssd_actors.lane import Lane as ActorLane
from ssd_env_server.disclosure import Disclosure
from ssd_env_server.lane import Lane as EnvLane
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
    "by PMI, which needs one more timestep": ("harvest-moa", *SMALL, "experiment.divergence=pmi"),
    "basic, of three one leads": ("cleanup-basic", *SMALL),
    "of symbols": ("harvest-communication", *SMALL),
    "none": ("cleanup-a3c", *SMALL),
    "box trapped": ("box-trapped-moa", f"game.horizon={HORIZON}"),
}


def agents_with_large_logits(run_dir):
    """Agents whose logits are so large that the actions of others influence them strongly."""
    agents = [agent.agent for agent in load_agents(run_dir, GAMES, seed=2)]
    for agent in agents:
        grown = {
            name: w.detach().numpy() * (300 if "logits" in name else 1)
            for name, w in agent.network.named_parameters()
        }
        agent.load_weights(Weights(0, 1, 0, grown))
    return agents


def timesteps_of(batch, actions, is_first):
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


def played_in_a_run(config, agents):
    """Actions and influence of the same episodes, with lanes of an environment and of actors."""
    batch = GameBatch(config.game, GAMES)
    batch.reset(SEEDS)
    batch.observe()
    numbers = range(batch.spec.num_agents)
    lanes = [ActorLane(0, agent, replace(agent.dims, T=HORIZON)) for agent in agents]
    for lane, agent in zip(lanes, agents, strict=True):
        lane.reset(1)
        weights = {name: w.detach().numpy() for name, w in agent.network.named_parameters()}
        lane.weights = Weights(agent.learner_incarnation, agent.weights_version, 0, weights)
    disclosed = Disclosure([agent.role for agent in agents], [agent.dims for agent in agents])
    env_lane = EnvLane(
        timesteps_of(batch, np.zeros((GAMES, len(agents)), np.uint8), True), GAMES, disclosed
    )
    actions = np.zeros((HORIZON, GAMES, len(agents)), np.uint8)
    for t in range(HORIZON):
        while not env_lane.is_complete:
            for k in numbers:
                for timestep in env_lane.unanswered(k):
                    kept = copy.deepcopy(timestep)
                    lanes[k].complete_step(kept)
                    if t == 0:
                        lanes[k].begin_segment(kept, lanes[k].weights)
                    env_lane.add_act(k, lanes[k].act(kept))
        actions[t] = env_lane.actions
        batch.step(actions[t])
        batch.observe()
        env_lane.advance(timesteps_of(batch, actions[t].copy(), t == HORIZON - 1), now=0.0)
    for k in numbers:
        lanes[k].complete_step(copy.deepcopy(env_lane._timesteps[k]))
    return actions, np.stack([lane.open_segment.influence for lane in lanes], -1)


@pytest.mark.parametrize("kind", KINDS)
def test_agents_act_and_compute_influence_as_in_a_run(saved_run, kind):
    run_dir = saved_run(*KINDS[kind])
    config = read_config(run_dir)
    found = play_out(agents_with_large_logits(run_dir), config.game, SEEDS)
    actions, influence = played_in_a_run(config, agents_with_large_logits(run_dir))
    assert (found.actions == actions).all()
    assert found.influence == pytest.approx(influence, abs=1e-5)
    assert (abs(influence).max() > 1e-4) == (config.experiment.influence != "off")


@pytest.mark.parametrize("kind", KINDS)
def test_returns_and_counts_are_those_of_the_actions(saved_run, kind):
    run_dir = saved_run(*KINDS[kind])
    settings = read_config(run_dir).game
    found = play_out(agents_with_large_logits(run_dir), settings, SEEDS)
    batch = GameBatch(settings, GAMES)
    batch.reset(SEEDS)
    for actions in found.actions:
        batch.step(actions)
    assert (found.returns == batch.returns).all()
    assert (found.counts == batch.counts).all()


def test_events_are_counted_by_their_names(saved_run):
    run_dir = saved_run("box-trapped-moa", "game.horizon=60")
    found = play_out(agents_with_large_logits(run_dir), read_config(run_dir).game, SEEDS)
    opens = found.actions[:, :, 0] == 7
    assert found.count("opened_at")[:, 0].tolist() == (opens.argmax(0) + opens.any(0)).tolist()
    assert (found.count("apples") == found.returns).all()


def test_agents_with_any_roles_can_play(saved_run):
    settings = GameSettings(name="cleanup", agents=3, horizon=HORIZON)
    run_dir = saved_run("cleanup-basic", *SMALL)
    assert play(load_agents(run_dir, GAMES), settings, SEEDS).shape == (GAMES, 3)
