"""What agents learn of each other: all that the experiment is about, and nothing else."""

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

AGENTS, GAMES, TICKS = 4, 2, 16  # some of which begin an episode
SYMBOLS = 5
ROLES = ("influencee", "influencer", "plain", "influencer")
ALWAYS = {"pixels", "is_first", "reward", "actions", "visible"}

# Each experiment, and by agent the optional arrays that it receives.
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


def play(make_env, experiment, ticks=TICKS):
    """An environment of 4 agents after so many ticks; all its timesteps are in `received`."""
    env = make_env(agents=AGENTS, lanes=1, games=GAMES, **experiment).with_all_joined()
    for tick in range(ticks):
        env.everyone_acts(tick)
    return env


def arrays_of(step):
    named = ((field.name, getattr(step, field.name)) for field in layout(Timestep).arrays)
    return {name: array for name, array in named if array is not None}


@ALL
def test_each_agent_receives_the_arrays_of_its_experiment_and_no_others(make_env, name):
    experiment, wanted = EXPERIMENTS[name]
    received = play(make_env, experiment).received
    assert {agent for agent, _, _ in received} == set(range(AGENTS))
    for (agent, _, tick), step in received.items():
        assert set(arrays_of(step)) == ALWAYS | wanted[agent], (agent, tick)


class Marks:
    """Unique numbers, by which the origin of any number in a timestep can be found."""

    def __init__(self):
        self.unused = count(2**19)  # larger than any number of a game
        self.of = {}

    def draw(self, shape, what, sender, about):
        numbers = np.array([next(self.unused) for _ in range(np.prod(shape))], np.float32)
        self.of |= dict.fromkeys(numbers.tolist(), (what, sender, about))
        return numbers.reshape(shape)

    def found_in(self, step):
        """The origins of all marks in a timestep: what, from whom, about whom."""
        floats = [array for array in arrays_of(step).values() if array.dtype == np.float32]
        numbers = {number for array in floats for number in array.flat}
        return {self.of[number] for number in numbers if number in self.of}


def marked_act(act, agent, roles_of, marks):
    if act.log_probs is not None:
        act = replace(act, log_probs=marks.draw(act.log_probs.shape, "log_probs", agent, agent))
    if act.responses is not None:
        b, _, c, a = act.responses.shape
        rows = [
            marks.draw((b, c, a), "response", agent, to) for to in roles_of[agent]["discloses_to"]
        ]
        act = replace(act, responses=np.stack(rows, axis=1))
    return act


def roles_in(experiment):
    """By agent, to whom it discloses and who leads it: a second formulation of the rules."""
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
            "discloses_to": [to for to in influencers if to != agent] if agent in answering else [],
            "leaders": influencers if agent in answering else [],
        }
        for agent in range(AGENTS)
    ]


@ALL
def test_no_response_reward_or_log_prob_reaches_an_agent_that_may_not_know_it(make_env, name):
    experiment, _ = EXPERIMENTS[name]
    marks, roles_of = Marks(), roles_in(experiment)
    env = make_env(agents=AGENTS, lanes=1, games=GAMES, **experiment).with_all_joined()
    batch, plain = env.server.lane_games[0]._batch, env.server.lane_games[0].timesteps

    def timesteps():
        for agent in range(AGENTS):
            batch.reward[agent] = marks.draw(GAMES, "reward", agent, agent)
        return plain()

    env.server.lane_games[0].timesteps = timesteps
    for tick in range(TICKS):
        for agent in sorted(range(AGENTS), key=lambda agent: env.server.dims[agent].L > 0):
            act = marked_act(env.scripted(agent, tick), agent, roles_of, marks)
            env.send(f"actor-{agent}-1".encode(), act)
    for (agent, _, tick), step in env.received.items():
        social = "reward" in experiment
        wanted = {("reward", of, of) for of in range(AGENTS) if of == agent or social}
        if experiment.get("influence") in ("basic", "communication"):
            wanted |= {
                ("response", of, agent)
                for of in range(AGENTS)
                if agent in roles_of[of]["discloses_to"]
            }
        if experiment.get("influencee_reward"):
            now = {("log_probs", of, of) for of in roles_of[agent]["leaders"]}
            assert marks.found_in(step) & now == now  # also at tick 0
            wanted |= now
        found = marks.found_in(step)
        assert found <= wanted, (agent, tick)
        assert found == wanted or tick == 0, (agent, tick)


@ALL
def test_an_agent_receives_no_action_of_the_same_step_except_its_leaders(make_env, name):
    """All agents take the same action, another one at each of four ticks."""
    experiment, wanted = EXPERIMENTS[name]
    env = make_env(agents=AGENTS, lanes=1, games=GAMES, **experiment).with_all_joined()
    for tick in range(TICKS):
        env.everyone_acts(tick, actions=[1 + tick % 4] * AGENTS)
    for (agent, _, tick), step in env.received.items():
        here = {
            name
            for name, array in arrays_of(step).items()
            if name in ("actions", "leader_actions") and (array == 1 + tick % 4).any()
        }
        assert here == wanted[agent] & {"leader_actions"}, (agent, tick)


def test_all_agents_receive_all_symbols_of_the_step_before(make_env):
    env = play(make_env, {"symbols": SYMBOLS})
    for (_, lane, tick), step in env.received.items():
        for agent in range(AGENTS if tick else 0):
            said = env.scripted(agent, tick - 1, lane).symbol
            assert (step.symbols[:, agent] == said).all()


@pytest.mark.parametrize(
    "name", [name for name in EXPERIMENTS if "response" in str(EXPERIMENTS[name])]
)
def test_responses_are_those_disclosed_to_the_agent_in_the_step_before_in_order(make_env, name):
    experiment, wanted = EXPERIMENTS[name]
    env, roles_of = play(make_env, experiment), roles_in(experiment)
    for (agent, lane, tick), step in env.received.items():
        if "responses" not in wanted[agent] or tick == 0:
            continue
        asked = [of for of in range(AGENTS) if agent in roles_of[of]["discloses_to"]]
        assert step.responses.shape[1] == len(asked)
        for place, of in enumerate(asked):
            disclosed = env.scripted(of, tick - 1, lane).responses
            about = disclosed[:, roles_of[of]["discloses_to"].index(agent)]
            assert (step.responses[:, place] == about).all()


def test_responses_have_a_row_for_each_action_or_each_symbol(make_env):
    for name, alternatives in (("basic", 8), ("communication", SYMBOLS)):
        experiment, _ = EXPERIMENTS[name]
        step = play(make_env, experiment, 1).received[0, 0, 1]
        assert step.responses.shape[2:] == (alternatives, 8)


def test_at_tick_0_symbols_and_rewards_are_0_and_responses_are_uniform(make_env):
    for name in ("basic", "communication", "basic, prosocial", "communication baseline"):
        experiment, _ = EXPERIMENTS[name]
        env = make_env(agents=AGENTS, lanes=2, **experiment).with_all_joined()
        steps = [step for (_, _, tick), step in env.received.items() if tick == 0]
        assert len(steps) >= 2
        for step in steps:
            if step.responses is not None:
                assert np.exp(step.responses) == pytest.approx(1 / 8)
            assert step.symbols is None or not step.symbols.any()
            assert step.all_rewards is None or not step.all_rewards.any()


def test_in_social_reward_schemes_all_agents_receive_all_rewards(make_env):
    env = make_env(agents=AGENTS, lanes=1, reward="prosocial").with_all_joined()
    random = np.random.default_rng(2)
    for tick in range(TICKS):
        env.everyone_acts(tick, actions=random.integers(8, size=AGENTS))
    earned = 0
    for (_, lane, tick), step in env.received.items():
        for of in range(AGENTS):
            own = env.received[of, lane, tick].reward
            assert (step.all_rewards[:, of] == own).all()
            earned += np.abs(own).sum()
    assert earned > 0


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(EXPERIMENTS)),
    st.lists(st.tuples(st.integers(0, AGENTS - 1), st.booleans()), max_size=30),
)
def test_a_timestep_sent_again_is_unchanged_by_what_was_disclosed_in_between(make_env, name, moves):
    experiment, _ = EXPERIMENTS[name]
    env = play(make_env, experiment, 2)
    incarnations = [1] * AGENTS
    for agent, restarts in moves:
        before = dict(env.received)
        lane = env.coordinator.lanes[0]
        if restarts:
            incarnations[agent] += 1
            env.join(agent, incarnation=incarnations[agent])
        elif list(lane.unanswered(agent)):
            env.act(agent, lane.tick, incarnation=incarnations[agent])
        env.now += 1.1
        env.serve()
        for place in before.keys() & env.received.keys():
            assert encode(before[place]) == encode(env.received[place])


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
def test_an_act_whose_arrays_do_not_fit_the_agents_role_is_refused_fatally(
    make_env, experiment, agent, changes, wrong
):
    env = make_env(lanes=1, games=GAMES, agents=AGENTS, **experiment).with_all_joined()
    if env.server.dims[agent].L:
        env.act(0, tick=0)
    act = replace(env.scripted(agent, 0), **changes)
    [(_, refused)] = env.send(f"actor-{agent}-1".encode(), act)
    assert refused.fatal
    assert re.search(wrong, refused.reason)
    assert env.coordinator.counts.protocol_errors == 1
    assert list(env.coordinator.lanes[0].unanswered(agent))


@ALL
def test_an_actor_without_a_seat_is_asked_to_join_whatever_arrays_its_act_has(make_env, name):
    env = make_env(agents=AGENTS, lanes=1, games=GAMES)
    experiment, _ = EXPERIMENTS[name]
    other = make_env(agents=AGENTS, lanes=1, games=GAMES, **experiment)
    for agent in range(AGENTS):
        [(_, refused)] = env.send(b"actor-0-9", other.scripted(agent, 0))
        assert not refused.fatal
        assert "join again" in refused.reason


@pytest.mark.parametrize("symbols", [0, SYMBOLS])
def test_the_seat_message_has_the_number_of_symbols(make_env, symbols):
    [(_, seat), *_] = make_env(symbols=symbols).join(0)
    assert seat.symbols == symbols


def test_where_nothing_is_disclosed_the_timesteps_of_the_games_are_sent_unchanged(make_env):
    env = make_env(lanes=1, influence="moa").with_all_joined()
    [lane], [games] = env.coordinator.lanes, env.server.lane_games
    made = games.timesteps()
    lane.advance(made, now=0.0)
    assert all(list(lane.unanswered(agent)) == [made[agent]] for agent in range(3))
