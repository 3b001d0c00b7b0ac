from collections import Counter

import numpy as np
import pytest
import torch

from ssd_wire.messages import Timestep

DRAWS = 4000


@pytest.fixture
def mind(make_person):
    person = make_person()
    made = person.mind(games=DRAWS)
    made.take(person.weights(version=3))
    return made


@pytest.fixture
def crowd():
    """The same moment in very many games, which start no episode."""
    rng = np.random.default_rng(1)
    one = rng.integers(0, 11, (1, 9, 9)).astype(np.uint8)
    return Timestep(
        env_incarnation=7,
        lane=0,
        tick=5,
        pixels=np.repeat(one, DRAWS, 0),
        is_first=np.zeros(DRAWS, np.bool_),
        reward=np.zeros(DRAWS, np.float32),
        actions=np.repeat(rng.integers(0, 7, (1, 4)).astype(np.uint8), DRAWS, 0),
        visible=np.ones((DRAWS, 4), np.bool_),
    )


def policy(choice):
    """[A] what the agent chose from: the same in all games."""
    weights = np.exp(choice.logits[0] - choice.logits[0].max())
    return weights / weights.sum()


def test_actions_are_drawn_as_often_as_the_policy_says(mind, crowd):
    choice = mind.decide(crowd, mind.fresh_state()).decision.act
    wanted = DRAWS * policy(choice)
    drawn = Counter(choice.chosen.tolist())
    chi_square = sum((drawn[a] - wanted[a]) ** 2 / wanted[a] for a in range(7))
    assert chi_square < 22.5  # 6 degrees of freedom: one seed in a thousand is above
    assert wanted.max() > 1.5 * wanted.min()


def test_the_log_probability_is_that_of_the_action_drawn(mind, crowd):
    choice = mind.decide(crowd, mind.fresh_state()).decision.act
    assert np.exp(choice.log_prob) == pytest.approx(policy(choice)[choice.chosen], rel=1e-5)


def test_draws_follow_from_the_seed(make_person, crowd):
    person = make_person()
    minds = [person.mind(seed, DRAWS) for seed in (9, 9, 10)]
    for mind in minds:
        mind.take(person.weights(version=3))
    draws = [mind.decide(crowd, mind.fresh_state()).decision.act.chosen for mind in minds]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_weights_once_taken_are_its_own(make_person):
    person = make_person()
    weights = person.weights(version=3)
    mind = person.mind()
    mind.take(weights)
    wanted = {name: torch.from_numpy(tensor.copy()) for name, tensor in weights.tensors.items()}
    for tensor in weights.tensors.values():
        tensor[:] = 0
    assert all(torch.equal(p, wanted[name]) for name, p in mind.network.named_parameters())
    assert (mind.learner_incarnation, mind.version) == (1, 3)


def test_a_mind_never_writes_into_what_it_is_shown(mind, crowd):
    for array in (crowd.pixels, crowd.is_first, crowd.actions, crowd.visible):
        array.flags.writeable = False
    state = mind.fresh_state()
    mind.recall(mind.decide(crowd, state), crowd, state)
