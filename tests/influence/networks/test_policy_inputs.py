"""The policy's inputs about other agents, against one input after the other in loops."""

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
    "the first agents lead": {"leaders": 2, "influence": "basic"},
    "symbols alone": {"visible_actions": False, "symbols": SYMBOLS},
    "actions and symbols": {"symbols": SYMBOLS},
    "leaders alone, and symbols": {"visible_actions": False, "roles": MIXED, "symbols": SYMBOLS},
    "leaders, others and symbols": {"roles": MIXED, "symbols": SYMBOLS},
}


def one_hot_in_loops(value: int | None, values: int) -> list[float]:
    return [float(value == v) for v in range(values)]


def inputs_in_loops(
    role, experiment, actions_tm1, is_first, leader_actions_t, symbols_tm1
) -> list[float]:
    """Of one game: the action of each other agent, then the symbol of each other agent."""
    row = []
    for j in role.others:
        if j in role.leaders:
            row += one_hot_in_loops(leader_actions_t[role.leaders.index(j)], ACTIONS)
        elif experiment.visible_actions:
            row += one_hot_in_loops(None if is_first else actions_tm1[j], ACTIONS)
    for j in role.others if experiment.symbols else ():
        row += one_hot_in_loops(None if is_first else symbols_tm1[j], SYMBOLS)
    return row


@pytest.fixture(params=EXPERIMENTS.values(), ids=EXPERIMENTS)
def experiment(request) -> ExperimentSettings:
    return ExperimentSettings.model_validate(request.param)


@pytest.fixture(params=range(5), ids=lambda agent: f"agent {agent}")
def role(request, experiment):
    return role_of(experiment, request.param, 5)


@pytest.fixture
def given(role, experiment) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """actions_tm1, is_first_t, leader_actions_t, symbols_tm1."""
    rng = np.random.default_rng(6)
    symbols = rng.integers(0, SYMBOLS, (GAMES, 5)) if experiment.symbols else None
    return (
        torch.from_numpy(rng.integers(0, ACTIONS, (GAMES, 5))).to(torch.uint8),
        torch.tensor([False, True, False, True, False]),
        torch.from_numpy(rng.integers(0, ACTIONS, (GAMES, len(role.leaders)))).to(torch.uint8),
        None if symbols is None else torch.from_numpy(symbols).to(torch.uint8),
    )


def test_each_input_has_its_place_and_at_an_episode_s_start_only_leaders_actions_are_set(
    experiment, role, given
):
    inputs = PolicyInputs(role, experiment, ACTIONS)
    found = torch.cat([torch.zeros(GAMES, 0), *(x.float() for x in inputs(*given))], -1)
    rows = zip(*(of if of is not None else [None] * GAMES for of in given), strict=True)
    wanted = [inputs_in_loops(role, experiment, *row) for row in rows]
    assert found.tolist() == wanted
    assert found.shape == (GAMES, inputs.width)


@pytest.mark.parametrize("agent", [1, 4])
def test_a_follower_needs_its_leaders_actions(agent):
    experiment = ExperimentSettings(roles=MIXED)
    inputs = PolicyInputs(role_of(experiment, agent, 5), experiment, ACTIONS)
    with pytest.raises(ValueError, match="leader_actions_t: this experiment needs it"):
        inputs(torch.zeros(1, 5).long(), torch.tensor([False]), None, None)


def test_with_communication_the_symbols_are_needed():
    experiment = ExperimentSettings(symbols=SYMBOLS)
    inputs = PolicyInputs(role_of(experiment, 1, 5), experiment, ACTIONS)
    with pytest.raises(ValueError, match="symbols_tm1: this experiment needs it"):
        inputs(torch.zeros(1, 5).long(), torch.tensor([False]), None, None)
