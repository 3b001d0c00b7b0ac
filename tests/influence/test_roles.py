"""Who does what with whom: every rule for every agent of drawn populations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_influence.roles import Part, optional_axes, part_of
from ssd_influence.settings import ExperimentSettings

ACTIONS, SYMBOLS = 9, 7
INFLUENCES = ("off", "basic", "communication", "moa", "moa_communication", "mine:Own")
ROLES = st.sampled_from(["influencer", "influencee", "plain"])
MIXED = ("influencee", "influencer", "plain", "influencer", "influencee")

unhurried = settings(deadline=None)  # on a busy machine, any example may be slow


def parts(num_agents, **experiment) -> list[Part]:
    switches = ExperimentSettings.model_validate({"symbols": SYMBOLS, **experiment})
    return [part_of(switches, agent, num_agents) for agent in range(num_agents)]


def the(predicate, parts) -> list[int]:
    return [part.agent for part in parts if predicate(part)]


@st.composite
def populations(draw):
    """Parts of all agents in any experiment that can be."""
    influence, n = draw(st.sampled_from(INFLUENCES)), draw(st.integers(2, 12))
    rest = draw(st.lists(ROLES, min_size=n - 2, max_size=n - 2))
    cast = tuple(draw(st.permutations(["influencer", "influencee", *rest])))
    ways = [{"roles": cast}]
    if influence in ("off", "basic"):
        ways.append({"leaders": draw(st.integers(1, n - 1))})
    if influence != "basic":
        ways.append({})
    switches = {"influence": influence, **draw(st.sampled_from(ways))}
    switches["influencee_reward"] = influence == "basic" and draw(st.booleans())
    return switches, parts(n, **switches)


@unhurried
@given(populations())
def test_one_is_asked_by_those_it_answers_and_never_by_itself(population):
    _, everyone = population
    for a in everyone:
        assert a.agent not in (*a.asks, *a.answers, *a.follows)
        for b in everyone:
            assert (b.agent in a.asks) == (a.agent in b.answers)


@unhurried
@given(populations())
def test_who_leads_follows_nobody_and_whoever_follows_follows_all_who_lead(population):
    _, everyone = population
    leaders = the(lambda part: part.leads, everyone)
    for part in everyone:
        assert part.follows in ((), tuple(leaders))
        assert not (part.leads and part.follows)


@unhurried
@given(populations())
def test_only_those_whose_influence_is_disclosed_by_others_ask_and_only_if_rewarded(population):
    switches, everyone = population
    for part in everyone:
        if switches["influence"] not in ("basic", "communication"):
            assert part.asks == part.answers == ()
        if part.asks:
            assert part.rewarded


@unhurried
@given(populations())
def test_policies_are_told_by_leaders_to_those_who_follow_them_and_only_for_their_reward(
    population,
):
    switches, everyone = population
    for part in everyone:
        assert part.tells_policy == (part.leads and switches["influencee_reward"])
        assert part.is_told_policies == (bool(part.follows) and switches["influencee_reward"])


@unhurried
@given(populations())
def test_numbers_ascend(population):
    for part in population[1]:
        for numbers in (part.follows, part.asks, part.answers, part.others):
            assert list(numbers) == sorted(set(numbers))


@pytest.mark.parametrize("influence", ["off", "basic"])
@pytest.mark.parametrize("leaders", [1, 2, 3, 4])
def test_the_first_agents_lead_and_all_others_follow(influence, leaders):
    everyone = parts(5, influence=influence, leaders=leaders)
    assert the(lambda part: part.leads, everyone) == list(range(leaders))
    assert the(lambda part: part.follows, everyone) == list(range(leaders, 5))
    rewarded = the(lambda part: part.rewarded, everyone)
    assert rewarded == (list(range(leaders)) if influence == "basic" else [])


@pytest.mark.parametrize("leaders", [3, 4])
def test_somebody_must_be_left_to_follow(leaders):
    with pytest.raises(ValueError, match=f"wanted 1 to 2 of 3 agents, found {leaders}"):
        parts(3, influence="basic", leaders=leaders)


@pytest.mark.parametrize("count", [1, 4])
def test_there_is_a_role_for_each_agent(count):
    with pytest.raises(ValueError, match=f"wanted one for each of 3 agents, found {count}"):
        parts(3, roles=("plain",) * count)


@pytest.mark.parametrize("role", ["influencer", "influencee", "plain"])
@pytest.mark.parametrize("influence", ["off", "basic"])
def test_acting_in_turn_takes_both_who_lead_and_who_follow(influence, role):
    with pytest.raises(ValueError, match="at least one influencer and one influencee"):
        parts(3, influence=influence, roles=(role, "plain", role))


def test_roles_cast_leaders_and_followers_anywhere_and_plain_agents_take_no_part():
    everyone = parts(5, influence="basic", roles=MIXED)
    assert the(lambda part: part.leads, everyone) == [1, 3]
    assert the(lambda part: part.follows, everyone) == [0, 4]
    assert [part.answers for part in everyone] == [(1, 3), (), (), (), (1, 3)]
    assert [part.asks for part in everyone] == [(), (0, 4), (), (0, 4), ()]
    assert the(lambda part: part.rewarded, everyone) == [1, 3]


def test_of_symbols_influencers_are_influenced_too_and_plain_agents_neither():
    everyone = parts(5, influence="communication", roles=MIXED)
    assert [part.asks for part in everyone] == [(), (0, 3, 4), (), (0, 1, 4), ()]
    assert [part.answers for part in everyone] == [(1, 3), (3,), (), (1,), (1, 3)]
    assert not the(lambda part: part.leads or part.follows, everyone)


def test_without_roles_everybody_influences_everybody():
    everyone = parts(4, influence="communication")
    for part in everyone:
        assert part.asks == part.answers == part.others
        assert part.rewarded


@pytest.mark.parametrize("influence", ["moa", "moa_communication", "mine:Own"])
def test_where_nothing_is_disclosed_roles_say_who_is_rewarded(influence):
    everyone = parts(5, influence=influence, roles=MIXED)
    assert the(lambda part: part.rewarded, everyone) == [1, 3]


@pytest.mark.parametrize("influence", INFLUENCES)
def test_all_are_rewarded_where_nobody_says_otherwise_and_none_where_nothing_is(influence):
    everyone = parts(3, influence=influence, leaders=2 * (influence == "basic"))
    wanted = {"off": [], "basic": [0, 1]}.get(influence, [0, 1, 2])
    assert the(lambda part: part.rewarded, everyone) == wanted


@pytest.mark.parametrize(
    ("agent", "experiment", "wanted"),
    [
        (0, {"influence": "off", "symbols": 0}, {}),
        (0, {"influence": "moa", "symbols": 0}, {}),
        (0, {"influence": "moa", "symbols": 7}, {"V": 7}),
        (0, {"influence": "moa_communication", "symbols": 7}, {"V": 7}),
        (0, {"influence": "off", "leaders": 2}, {}),
        (4, {"influence": "off", "leaders": 2}, {"L": 2}),
        (0, {"influence": "basic", "leaders": 2}, {"J": 3, "C": 9}),
        (4, {"influence": "basic", "leaders": 2}, {"L": 2, "K": 2, "C": 9}),
        (1, {"influence": "basic", "leaders": 2, "influencee_reward": True}, {"J": 3, "D": 1}),
        (
            3,
            {"influence": "basic", "leaders": 2, "influencee_reward": True},
            {"L": 2, "Q": 2, "K": 2},
        ),
        (2, {"influence": "basic", "roles": MIXED, "influencee_reward": True}, {}),
        (2, {"influence": "communication", "symbols": 7}, {"V": 7, "J": 4, "K": 4, "C": 7}),
        (1, {"influence": "communication", "symbols": 7, "roles": MIXED}, {"J": 3, "K": 1}),
        (1, {"reward": "prosocial"}, {"R": 5}),
        (1, {"reward": "inequity_averse"}, {"R": 5}),
    ],
)
def test_messages_have_the_axes_that_the_part_has_a_use_for(agent, experiment, wanted):
    switches = ExperimentSettings.model_validate(experiment)
    alternatives = {"basic": ACTIONS, "communication": switches.symbols}
    none = dict.fromkeys("VLQDKJCR", 0)
    always = {"V": switches.symbols, "C": alternatives.get(switches.influence, 0)}
    found = optional_axes(part_of(switches, agent, 5), switches, ACTIONS)
    assert found == {**none, **always, **wanted}
