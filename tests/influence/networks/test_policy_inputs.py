"""What a policy is told of the others, one input after the other, and when."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ssd_influence.networks.policy_inputs import PolicyInputs
from ssd_influence.roles import role_of
from ssd_influence.settings import ExperimentSettings

GAMES, ACTIONS, SYMBOLS = 5, 7, 6
MIXED = ("influencer", "influencee", "plain", "influencer", "influencee")
EXPERIMENTS = {
    "nobody": {"visible_actions": False},
    "all others": {},
    "leaders alone": {"visible_actions": False, "roles": MIXED},
    "leaders, and others": {"roles": MIXED},
    "the is_first lead": {"leaders": 2, "influence": "basic"},
    "symbols alone": {"visible_actions": False, "symbols": SYMBOLS},
    "actions and symbols": {"symbols": SYMBOLS},
    "leaders alone, and symbols": {"visible_actions": False, "roles": MIXED, "symbols": SYMBOLS},
    "leaders, others and symbols": {"roles": MIXED, "symbols": SYMBOLS},
}


def one_hot_literally(value: int | None, values: int) -> list[float]:
    return [float(value == v) for v in range(values)]


def inputs_literally(
    part, experiment, actions_tm1, is_first, leader_actions_t, symbols_tm1
) -> list[float]:
    """Of one game: every other agent in its place, then every other agent's symbol."""
    row = []
    for j in part.others:
        if j in part.leaders:
            row += one_hot_literally(leader_actions_t[part.leaders.index(j)], ACTIONS)
        elif experiment.visible_actions:
            row += one_hot_literally(None if is_first else actions_tm1[j], ACTIONS)
    for j in part.others if experiment.symbols else ():
        row += one_hot_literally(None if is_first else symbols_tm1[j], SYMBOLS)
    return row


@pytest.fixture(params=EXPERIMENTS.values(), ids=EXPERIMENTS)
def experiment(request) -> ExperimentSettings:
    return ExperimentSettings.model_validate(request.param)


@pytest.fixture(params=range(5), ids=lambda agent: f"agent {agent}")
def part(request, experiment):
    return role_of(experiment, request.param, 5)


@pytest.fixture
def news(part, experiment) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Actions before, where episodes start, leaders' actions, symbols before."""
    rng = np.random.default_rng(6)
    said = rng.integers(0, SYMBOLS, (GAMES, 5)) if experiment.symbols else None
    return (
        torch.from_numpy(rng.integers(0, ACTIONS, (GAMES, 5))).to(torch.uint8),
        torch.tensor([False, True, False, True, False]),
        torch.from_numpy(rng.integers(0, ACTIONS, (GAMES, len(part.leaders)))).to(torch.uint8),
        None if said is None else torch.from_numpy(said).to(torch.uint8),
    )


def test_everyone_known_has_a_place_and_only_what_leaders_do_is_known_at_an_episode_s_start(
    experiment, part, news
):
    told = PolicyInputs(part, experiment, ACTIONS)
    found = torch.cat([torch.zeros(GAMES, 0), *(x.float() for x in told(*news))], -1)
    rows = zip(*(of if of is not None else [None] * GAMES for of in news), strict=True)
    wanted = [inputs_literally(part, experiment, *row) for row in rows]
    assert found.tolist() == wanted
    assert found.shape == (GAMES, told.width)


@pytest.mark.parametrize("agent", [1, 4])
def test_one_who_follows_must_be_told_what_leaders_do(agent):
    experiment = ExperimentSettings(roles=MIXED)
    told = PolicyInputs(role_of(experiment, agent, 5), experiment, ACTIONS)
    with pytest.raises(ValueError, match="leader_actions_t: this experiment needs it"):
        told(torch.zeros(1, 5).long(), torch.tensor([False]), None, None)


def test_one_who_hears_must_be_told_what_was_said():
    experiment = ExperimentSettings(symbols=SYMBOLS)
    told = PolicyInputs(role_of(experiment, 1, 5), experiment, ACTIONS)
    with pytest.raises(ValueError, match="symbols_tm1: this experiment needs it"):
        told(torch.zeros(1, 5).long(), torch.tensor([False]), None, None)
