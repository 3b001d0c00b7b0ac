"""What agents are told of one another: all that the experiment is about, and nothing else."""

import re
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_wire.codec import encode
from ssd_wire.fields import layout
from ssd_wire.messages import Timestep

AGENTS, GAMES, TICKS = 4, 2, 16  # of which some are the first of an episode
SYMBOLS = 5
ROLES = ("influencee", "influencer", "plain", "influencer")
ALWAYS = {"pixels", "is_first", "reward", "actions", "visible"}

# Each experiment, and by agent what it is told beside what all are always told.
EXPERIMENTS = {
    "plain": ({"visible_actions": False}, [set()] * 4),
    "visible actions": ({}, [set()] * 4),
    "visible actions, leaders": ({"leaders": 1}, [set(), *[{"leader_actions"}] * 3]),
    "basic": (
        {"influence": "basic", "leaders": 3},
        [*[{"responses"}] * 3, {"leader_actions"}],
    ),
    "basic, influencees rewarded": (
        {"influence": "basic", "leaders": 1, "influencee_reward": True},
        [{"responses"}, *[{"leader_actions", "leader_log_probs"}] * 3],
    ),
    "basic, roles": (
        {"influence": "basic", "roles": ROLES},
        [{"leader_actions"}, {"responses"}, set(), {"responses"}],
    ),
    "basic, roles, influencees rewarded": (
        {"influence": "basic", "roles": ROLES, "influencee_reward": True},
        [{"leader_actions", "leader_log_probs"}, {"responses"}, set(), {"responses"}],
    ),
    "communication": (
        {"influence": "communication", "symbols": SYMBOLS},
        [{"symbols", "responses"}] * 4,
    ),
    "communication, roles": (
        {"influence": "communication", "symbols": SYMBOLS, "roles": ROLES},
        [{"symbols"}, {"symbols", "responses"}, {"symbols"}, {"symbols", "responses"}],
    ),
    "communication baseline": ({"symbols": SYMBOLS}, [{"symbols"}] * 4),
    "moa": ({"influence": "moa"}, [set()] * 4),
    "moa, roles": ({"influence": "moa", "roles": ROLES}, [set()] * 4),
    "moa as an auxiliary task": ({"moa_auxiliary": True}, [set()] * 4),
    "moa of symbols": ({"influence": "moa_communication", "symbols": SYMBOLS}, [{"symbols"}] * 4),
    "prosocial": ({"reward": "prosocial"}, [{"all_rewards"}] * 4),
    "inequity averse": ({"reward": "inequity_averse"}, [{"all_rewards"}] * 4),
    "basic, prosocial": (
        {"influence": "basic", "leaders": 3, "reward": "prosocial"},
        [*[{"responses", "all_rewards"}] * 3, {"leader_actions", "all_rewards"}],
    ),
    "an intrinsic reward of one's own": ({"influence": "some.module:Name"}, [set()] * 4),
}
ALL = pytest.mark.parametrize("name", EXPERIMENTS)


def play(small_world, experiment, ticks=TICKS):
    """A world of 4 agents that has come so far; all its timesteps are in `told`."""
    world = small_world(agents=AGENTS, lanes=1, games=GAMES, **experiment).seated()
    for tick in range(ticks):
        world.everyone_acts(tick)
    return world


def arrays_of(step):
    named = ((field.name, getattr(step, field.name)) for field in layout(Timestep).arrays)
    return {name: array for name, array in named if array is not None}


@ALL
def test_each_agent_is_told_what_its_experiment_has_it_told_and_no_more(small_world, name):
    experiment, wanted = EXPERIMENTS[name]
    told = play(small_world, experiment).told
    assert {agent for agent, _, _ in told} == set(range(AGENTS))
    for (agent, _, tick), step in told.items():
        assert set(arrays_of(step)) == ALWAYS | wanted[agent], (agent, tick)


class Marks:
    """Numbers, each of which occurs once, so that whoever is told one can be told from it."""

    def __init__(self):
        self.fresh = count(2**20)  # no games and no draws give such a number
        self.of = {}

    def draw(self, shape, what, teller, about):
        numbers = np.array([next(self.fresh) for _ in range(np.prod(shape))], np.float32)
        self.of |= dict.fromkeys(numbers.tolist(), (what, teller, about))
        return numbers.reshape(shape)

    def found_in(self, step):
        """All of which there is a mark in a timestep: what, of whom, about whom."""
        floats = [array for array in arrays_of(step).values() if array.dtype == np.float32]
        numbers = {number for array in floats for number in array.flat}
        return {self.of[number] for number in numbers if number in self.of}


def marked_act(act, agent, parts, marks):
    if act.log_probs is not None:
        act = replace(act, log_probs=marks.draw(act.log_probs.shape, "policy", agent, agent))
    if act.responses is not None:
        b, _, c, a = act.responses.shape
        rows = [marks.draw((b, c, a), "response", agent, to) for to in parts[agent]["answers"]]
        act = replace(act, responses=np.stack(rows, axis=1))
    return act


def parts_in(experiment):
    """By agent whom it answers and follows: the rules of the experiments in words, once more."""
    roles = experiment.get("roles") or ["influencer"] * experiment.get("leaders", 0)
    roles = [*roles, *["influencee"] * (AGENTS - len(roles))]
    influencers = [agent for agent in range(AGENTS) if roles[agent] == "influencer"]
    if experiment.get("influence") == "communication":
        influencers = influencers or list(range(AGENTS))
        answering = [agent for agent in range(AGENTS) if roles[agent] != "plain"]
    else:
        answering = [agent for agent in range(AGENTS) if roles[agent] == "influencee"]
    return [
        {
            "answers": [to for to in influencers if to != agent] if agent in answering else [],
            "follows": influencers if agent in answering else [],
        }
        for agent in range(AGENTS)
    ]


@ALL
def test_no_number_that_an_agent_discloses_or_earns_comes_to_one_whom_it_is_not_meant_for(
    small_world, name
):
    experiment, _ = EXPERIMENTS[name]
    marks, parts = Marks(), parts_in(experiment)
    world = small_world(agents=AGENTS, lanes=1, games=GAMES, **experiment).seated()
    batch, plain = world.world.games[0]._batch, world.world.games[0].timesteps

    def timesteps():
        for agent in range(AGENTS):
            batch.reward[agent] = marks.draw(GAMES, "reward", agent, agent)
        return plain()

    world.world.games[0].timesteps = timesteps
    for tick in range(TICKS):
        for agent in sorted(range(AGENTS), key=lambda agent: world.world.dims[agent].L > 0):
            act = marked_act(world.scripted(agent, tick), agent, parts, marks)
            world.hear(f"actor-{agent}-1".encode(), act)
    for (agent, _, tick), step in world.told.items():
        social = "reward" in experiment
        wanted = {("reward", of, of) for of in range(AGENTS) if of == agent or social}
        if experiment.get("influence") in ("basic", "communication"):
            wanted |= {
                ("response", of, agent) for of in range(AGENTS) if agent in parts[of]["answers"]
            }
        if experiment.get("influencee_reward"):
            now = {("policy", of, of) for of in parts[agent]["follows"]}
            assert marks.found_in(step) & now == now  # also at tick 0
            wanted |= now
        found = marks.found_in(step)
        assert found <= wanted, (agent, tick)
        assert found == wanted or tick == 0, (agent, tick)


@ALL
def test_no_action_of_this_step_comes_to_an_agent_but_its_leaders(small_world, name):
    """Everyone does at each tick what it does at no other near: only leaders show it early."""
    experiment, wanted = EXPERIMENTS[name]
    world = small_world(agents=AGENTS, lanes=1, games=GAMES, **experiment).seated()
    for tick in range(TICKS):
        world.everyone_acts(tick, actions=[1 + tick % 4] * AGENTS)
    for (agent, _, tick), step in world.told.items():
        here = {
            name
            for name, array in arrays_of(step).items()
            if name in ("actions", "leader_actions") and (array == 1 + tick % 4).any()
        }
        assert here == wanted[agent] & {"leader_actions"}, (agent, tick)


def test_everyone_hears_what_everyone_said_in_the_step_before(small_world):
    world = play(small_world, {"symbols": SYMBOLS})
    for (_, lane, tick), step in world.told.items():
        for agent in range(AGENTS if tick else 0):
            said = world.scripted(agent, tick - 1, lane).symbol
            assert (step.symbols[:, agent] == said).all()


@pytest.mark.parametrize(
    "name", [name for name in EXPERIMENTS if "response" in str(EXPERIMENTS[name])]
)
def test_responses_are_what_each_that_is_asked_disclosed_about_the_agent_in_the_step_before(
    small_world, name
):
    experiment, wanted = EXPERIMENTS[name]
    world, parts = play(small_world, experiment), parts_in(experiment)
    for (agent, lane, tick), step in world.told.items():
        if "responses" not in wanted[agent] or tick == 0:
            continue
        asked = [of for of in range(AGENTS) if agent in parts[of]["answers"]]
        assert step.responses.shape[1] == len(asked)
        for place, of in enumerate(asked):
            disclosed = world.scripted(of, tick - 1, lane).responses
            about = disclosed[:, parts[of]["answers"].index(agent)]
            assert (step.responses[:, place] == about).all()


def test_responses_have_a_row_for_each_action_or_for_each_symbol(small_world):
    for name, alternatives in (("basic", 8), ("communication", SYMBOLS)):
        experiment, _ = EXPERIMENTS[name]
        step = play(small_world, experiment, 1).told[0, 0, 1]
        assert step.responses.shape[2:] == (alternatives, 8)


def test_at_tick_0_nobody_has_said_or_earned_anything_and_responses_say_nothing(small_world):
    for name in ("basic", "communication", "basic, prosocial", "communication baseline"):
        experiment, _ = EXPERIMENTS[name]
        world = small_world(agents=AGENTS, lanes=2, **experiment).seated()
        steps = [step for (_, _, tick), step in world.told.items() if tick == 0]
        assert len(steps) >= 2
        for step in steps:
            if step.responses is not None:
                assert np.exp(step.responses) == pytest.approx(1 / 8)
            assert step.symbols is None or not step.symbols.any()
            assert step.all_rewards is None or not step.all_rewards.any()


def test_in_the_social_schemes_everyone_is_told_what_each_earned(small_world):
    world = small_world(agents=AGENTS, lanes=1, reward="prosocial").seated()
    random = np.random.default_rng(2)
    for tick in range(TICKS):
        world.everyone_acts(tick, actions=random.integers(8, size=AGENTS))
    earned = 0
    for (_, lane, tick), step in world.told.items():
        for of in range(AGENTS):
            own = world.told[of, lane, tick].reward
            assert (step.all_rewards[:, of] == own).all()
            earned += np.abs(own).sum()
    assert earned > 0


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(EXPERIMENTS)),
    st.lists(st.tuples(st.integers(0, AGENTS - 1), st.booleans()), max_size=30),
)
def test_a_timestep_sent_again_is_the_same_whatever_was_disclosed_in_between(
    small_world, name, moves
):
    experiment, _ = EXPERIMENTS[name]
    world = play(small_world, experiment, 2)
    incarnations = [1] * AGENTS
    for agent, restarts in moves:
        before = dict(world.told)
        lane = world.referee.lanes[0]
        if restarts:
            incarnations[agent] += 1
            world.join(agent, incarnation=incarnations[agent])
        elif list(lane.owed_to(agent)):
            world.act(agent, lane.tick, incarnation=incarnations[agent])
        world.now += 1.1
        world.serve()
        for place in before.keys() & world.told.keys():
            assert encode(before[place]) == encode(world.told[place])


BASIC = {"influence": "basic", "leaders": 1, "influencee_reward": True}
TALK = {"influence": "communication", "symbols": SYMBOLS}
FLOATS = np.zeros((GAMES, 1, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("experiment", "agent", "changes", "wrong"),
    [
        (TALK, 0, {"symbol": None}, "symbol: wanted an array, found none"),
        (TALK, 0, {"symbol": np.full(GAMES, SYMBOLS, np.uint8)}, "symbol: wanted bytes below 5"),
        (TALK, 0, {"responses": None}, "responses: wanted an array, found none"),
        (TALK, 0, {"responses": FLOATS}, r"responses: wanted K\+0 = 3, found 1"),
        (TALK, 0, {"log_probs": FLOATS[:, 0, 0]}, "log_probs: wanted none, found an array"),
        (BASIC, 0, {"log_probs": None}, "log_probs: wanted an array, found none"),
        (BASIC, 0, {"responses": FLOATS}, "responses: wanted none, found an array"),
        (BASIC, 1, {"log_probs": FLOATS[:, 0, 0]}, "log_probs: wanted none, found an array"),
        (BASIC, 1, {"responses": FLOATS[..., :7]}, r"responses: wanted A\+0 = 8, found 7"),
        (BASIC, 1, {"responses": FLOATS[:, :, :7]}, r"responses: wanted C\+0 = 8, found 7"),
        (BASIC, 1, {"responses": FLOATS + np.inf}, "responses: wanted finite numbers"),
        ({}, 0, {"symbol": np.zeros(GAMES, np.uint8)}, "symbol: wanted none, found an array"),
        ({}, 0, {"responses": FLOATS}, "responses: wanted none, found an array"),
    ],
)
def test_an_act_whose_arrays_are_not_of_its_agents_part_is_refused_for_good(
    small_world, experiment, agent, changes, wrong
):
    world = small_world(lanes=1, games=GAMES, agents=AGENTS, **experiment).seated()
    if world.world.dims[agent].L:
        world.act(0, tick=0)
    act = replace(world.scripted(agent, 0), **changes)
    [(_, refused)] = world.hear(f"actor-{agent}-1".encode(), act)
    assert refused.fatal
    assert re.search(wrong, refused.reason)
    assert world.referee.counts.protocol_errors == 1
    assert list(world.referee.lanes[0].owed_to(agent))


@ALL
def test_a_stranger_is_asked_to_join_whatever_its_act_discloses(small_world, name):
    world = small_world(agents=AGENTS, lanes=1, games=GAMES)
    experiment, _ = EXPERIMENTS[name]
    other = small_world(agents=AGENTS, lanes=1, games=GAMES, **experiment)
    for agent in range(AGENTS):
        [(_, refused)] = world.hear(b"actor-0-9", other.scripted(agent, 0))
        assert not refused.fatal
        assert "join again" in refused.reason


@pytest.mark.parametrize("symbols", [0, SYMBOLS])
def test_the_seat_tells_how_many_symbols_there_are(small_world, symbols):
    [(_, seat), *_] = small_world(symbols=symbols).join(0)
    assert seat.symbols == symbols


def test_where_nothing_is_disclosed_timesteps_go_out_as_the_games_made_them(small_world):
    world = small_world(lanes=1, influence="moa").seated()
    [lane], [games] = world.referee.lanes, world.world.games
    made = games.timesteps()
    lane.turn(made)
    assert all(list(lane.owed_to(agent)) == [made[agent]] for agent in range(3))
