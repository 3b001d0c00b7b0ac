"""Experiments I and II against a controller that holds every agent's network, in plain loops.

Agents compute their influence apart, from what the others disclose. A controller that may look
into everybody's head must come to the same rewards.
"""

import numpy as np
import pytest
import torch
from tests.literal import divergence, softmax

from ssd_influence.networks.lstm import LstmState

TICKS = 42  # eight segments of 5 steps and two ticks: four episodes of 10 steps in every game


class Controller:
    """Everybody's network, memory and history."""

    def __init__(self, arena):
        self.players = arena.players
        self.networks = [player.agent.network for player in arena.players]
        self.games = arena.config.run.games
        self.features = {}
        self.actions = np.stack([[act.action for act in p.acts] for p in self.players], -1)
        self.is_first = np.stack(
            [seen.is_first for seen in self.players[0].timesteps]
        )  # [ticks, B]
        self.symbols = np.zeros_like(self.actions)
        if arena.config.experiment.symbols:
            self.symbols = np.stack([[act.symbol for act in p.acts] for p in self.players], -1)
        self.memories = [LstmState(*network.split_state(network.initial_state(self.games)).policy)
                         for network in self.networks]  # fmt: skip

    def ask(self, agent, tick, leaders=None, symbols=None):
        """What an agent would do at this tick, if others had done or sent something else."""
        network, player = self.networks[agent], self.players[agent]
        before = np.zeros_like(self.actions[0]) if tick == 0 else self.actions[tick - 1]
        said = np.zeros_like(self.actions[0]) if tick == 0 else self.symbols[tick - 1]
        if (agent, tick) not in self.features:
            pixels = torch.from_numpy(player.timesteps[tick].pixels.copy())
            self.features[agent, tick] = network.features(pixels)
        features = self.features[agent, tick]
        follows = network.role.leaders
        now = self.actions[tick][:, list(follows)] if leaders is None else leaders
        return network.policy_step(
            features.policy,
            torch.from_numpy(before),
            torch.from_numpy(self.is_first[tick]),
            self.memories[agent],
            leader_actions_t=torch.from_numpy(now) if follows else None,
            symbols_tm1=torch.from_numpy(said if symbols is None else symbols),
        )

    def go_on(self, tick):
        """Everybody remembers what it really saw; what everybody's policies really were."""
        steps = [self.ask(agent, tick) for agent in range(len(self.players))]
        self.memories = [step.state for step in steps]
        return steps


def by_action(controller, tick, k, j, num_actions):
    """[B, A, A] what j would do, had leader k done each thing; the other leaders as they did."""
    follows = list(controller.networks[j].role.leaders)
    tables = []
    for tilde in range(num_actions):
        leaders = controller.actions[tick][:, follows].copy()
        leaders[:, follows.index(k)] = tilde
        logits = controller.ask(j, tick, leaders=leaders).logits.numpy()
        tables.append([softmax(of_game) for of_game in logits])
    return np.moveaxis(tables, 0, 1)


@torch.no_grad()
def basic_literally(arena, kind):
    """[ticks, B, N] c of leaders, and what influencees were under."""
    controller = Controller(arena)
    agents, num_actions = len(arena.players), arena.players[0].agent.shape.num_actions
    influence = np.zeros((TICKS, controller.games, agents))
    for tick in range(TICKS):
        policies = [controller.ask(agent, tick).logits.numpy() for agent in range(agents)]
        for j, network in enumerate(controller.networks):
            for k in network.role.leaders:
                tables = by_action(controller, tick, k, j, num_actions)
                for game, table in enumerate(tables):
                    pi = softmax(policies[k][game])
                    marginal = sum(pi[a] * table[a] for a in range(num_actions))
                    did = controller.actions[tick, game]
                    moved = divergence(kind, table[did[k]], marginal, did[j])
                    influence[tick, game, k] += moved
                    if arena.config.experiment.influencee_reward:
                        influence[tick, game, j] += moved
        controller.go_on(tick)
    return influence


@torch.no_grad()
def communication_literally(arena, kind):
    """[ticks, B, N] c of the symbols said at each tick, by what was done at the next."""
    controller = Controller(arena)
    agents, symbols = len(arena.players), arena.config.experiment.symbols
    influence = np.zeros((TICKS, controller.games, agents))
    spoken = None  # the communication policies of the tick before
    for tick in range(TICKS):
        for k in range(agents) if tick > 0 else ():
            for j in (other for other in range(agents) if other != k):
                tables = []
                for m in range(symbols):
                    said = controller.symbols[tick - 1].copy()
                    said[:, k] = m
                    tables.append(controller.ask(j, tick, symbols=said).logits.numpy())
                for game in np.flatnonzero(~controller.is_first[tick]):
                    table = [softmax(logits[game]) for logits in tables]
                    pi = softmax(spoken[k].symbol_logits[game].numpy())
                    marginal = sum(pi[m] * table[m] for m in range(symbols))
                    really, did = controller.symbols[tick - 1, game, k], controller.actions[tick]
                    moved = divergence(kind, table[really], marginal, did[game, j])
                    influence[tick - 1, game, k] += moved
        spoken = controller.go_on(tick)
    return influence


def rewarded(arena):
    """[steps, B, N] the influence that the agents computed, as it reached their learners."""
    return np.stack([player.of_segments("influence") for player in arena.players], -1)


BASIC = {
    "one leader, KL": {"leaders": 1, "divergence": "kl"},
    "three leaders, PMI": {"leaders": 3, "divergence": "pmi"},
    "one leader, JSD, influencees rewarded": {
        "leaders": 1,
        "divergence": "jsd",
        "influencee_reward": True,
    },
    "two leaders, influencees rewarded, only leaders visible": {
        "leaders": 2,
        "influencee_reward": True,
        "visible_actions": False,
    },
    "a mixed population": {"roles": ["influencee", "plain", "influencer", "influencee"]},
}


@pytest.mark.parametrize("name", BASIC)
def test_basic_influence_is_what_a_controller_of_all_agents_would_reward(arena, small_config, name):
    config = small_config(experiment={"influence": "basic"} | BASIC[name])
    played = arena(config).play(TICKS)
    literal = basic_literally(played, config.experiment.divergence)
    found = rewarded(played)
    assert found.shape == (TICKS - 2, *literal.shape[1:])
    assert found == pytest.approx(literal[: TICKS - 2], abs=1e-5)
    paid = [p.index for p in played.players if p.agent.intrinsic is not None]
    assert (np.abs(found[..., paid]) > 1e-3).mean() > 0.3


COMMUNICATION = {
    "KL": {"divergence": "kl"},
    "PMI, actions visible too": {"divergence": "pmi", "visible_actions": True},
    "JSD": {"divergence": "jsd"},
}


@pytest.mark.parametrize("name", COMMUNICATION)
def test_influence_of_symbols_is_what_a_controller_of_all_agents_would_reward(
    arena, small_config, name
):
    switches = {"influence": "communication", "symbols": 6, "visible_actions": False}
    config = small_config(experiment=switches | COMMUNICATION[name])
    played = arena(config).play(TICKS)
    literal = communication_literally(played, config.experiment.divergence)
    found = rewarded(played)
    assert found == pytest.approx(literal[: TICKS - 2], abs=1e-5)
    assert (np.abs(found) > 1e-3).mean() > 0.3


@pytest.mark.parametrize(
    "switches",
    [
        {"influence": "basic", "leaders": 2},
        {"influence": "communication", "symbols": 5},
    ],
    ids=["basic", "communication"],
)
def test_the_episodes_of_these_tests_do_end(arena, small_config, switches):
    played = arena(small_config(experiment=switches)).play(TICKS)
    is_first = np.stack([seen.is_first for seen in played.players[0].timesteps])
    assert (is_first.sum(0) >= 4).all()
    assert len({tuple(starts) for starts in is_first.T.tolist()}) > 1  # not all at once
