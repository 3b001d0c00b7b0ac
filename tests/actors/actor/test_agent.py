from collections import Counter

import numpy as np
import pytest
import torch
from tests.actors.actor.fakes.agent_setup import AgentSetup

from ssd_actors.agent import bounded, log_softmax
from ssd_actors.intrinsic import Intrinsic
from ssd_wire.messages import LARGEST_FLOAT, Timestep

DRAWS = 4000


@pytest.fixture
def agent():
    setup = AgentSetup()
    agent = setup.agent(games=DRAWS)
    agent.load_weights(setup.weights(version=3))
    return agent


@pytest.fixture
def timestep():
    """The same in very many games, none of which starts an episode."""
    rng = np.random.default_rng(1)
    view = rng.integers(0, 11, (1, 9, 9)).astype(np.uint8)
    return Timestep(
        env_incarnation=7,
        lane=0,
        tick=5,
        pixels=np.repeat(view, DRAWS, 0),
        is_first=np.zeros(DRAWS, np.bool_),
        reward=np.zeros(DRAWS, np.float32),
        actions=np.repeat(rng.integers(0, 7, (1, 4)).astype(np.uint8), DRAWS, 0),
        visible=np.ones((DRAWS, 4), np.bool_),
    )


def policy(choice):
    """[A] the policy that an action was drawn from: the same in all games."""
    weights = np.exp(choice.logits[0] - choice.logits[0].max())
    return weights / weights.sum()


def test_actions_are_drawn_as_often_as_the_policy_says(agent, timestep):
    choice = agent.decide(timestep, agent.initial_state()).action
    wanted = DRAWS * policy(choice)
    drawn = Counter(choice.choice.tolist())
    chi_square = sum((drawn[a] - wanted[a]) ** 2 / wanted[a] for a in range(7))
    assert chi_square < 22.5  # 6 degrees of freedom: one seed in a thousand is above
    assert wanted.max() > 1.5 * wanted.min()


def test_the_log_probability_is_that_of_the_action_drawn(agent, timestep):
    choice = agent.decide(timestep, agent.initial_state()).action
    assert np.exp(choice.log_prob) == pytest.approx(policy(choice)[choice.choice], rel=1e-5)


def test_draws_follow_from_the_seed(timestep):
    setup = AgentSetup()
    agents = [setup.agent(seed, DRAWS) for seed in (9, 9, 10)]
    for agent in agents:
        agent.load_weights(setup.weights(version=3))
    draws = [agent.decide(timestep, agent.initial_state()).action.choice for agent in agents]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_weights_are_copied_when_they_are_loaded():
    setup = AgentSetup()
    weights = setup.weights(version=3)
    agent = setup.agent()
    agent.load_weights(weights)
    wanted = {name: torch.from_numpy(tensor.copy()) for name, tensor in weights.tensors.items()}
    for tensor in weights.tensors.values():
        tensor[:] = 0
    assert all(torch.equal(p, wanted[name]) for name, p in agent.network.named_parameters())
    assert (agent.learner_incarnation, agent.weights_version) == (1, 3)


def test_an_agent_never_writes_into_a_timestep(agent, timestep):
    for array in (timestep.pixels, timestep.is_first, timestep.actions, timestep.visible):
        array.flags.writeable = False
    state = agent.initial_state()
    decision = agent.decide(timestep, state)
    agent.complete_transition(timestep, decision, timestep, state)


@pytest.mark.parametrize(("clip", "wanted"), [(5.0, 5.0), (float("inf"), LARGEST_FLOAT)])
def test_an_intrinsic_reward_is_clipped_to_its_clip_and_to_what_a_segment_may_hold(clip, wanted):
    class Huge(Intrinsic):
        def reward(self, _transition, _timestep_tp2):
            return np.array([-1e20, 1e20, 1, -np.inf, np.inf], np.float32)

    agent = AgentSetup(influence_clip=clip).agent()
    agent.intrinsic = Huge(None, None, agent.experiment)
    assert agent.intrinsic_reward(None, None).tolist() == [-wanted, wanted, 1, -wanted, wanted]


def test_an_action_that_never_happens_has_a_finite_log_probability():
    logits = np.array([[0, -np.inf, 0, -1e9]], np.float32)
    wanted = [[np.log(0.5), -LARGEST_FLOAT, np.log(0.5), -LARGEST_FLOAT]]
    assert log_softmax(logits) == pytest.approx(np.array(wanted))
    assert bounded(logits).tolist() == [[0, -LARGEST_FLOAT, 0, -LARGEST_FLOAT]]
    assert np.isnan(bounded(np.array([np.nan], np.float32))).all()  # a fault is not hidden
