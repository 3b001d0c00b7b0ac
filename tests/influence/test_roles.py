"""Roles: each rule holds for every agent of random populations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_influence.roles import Role, optional_axes, role_of
from ssd_influence.settings import ExperimentSettings

ACTIONS, SYMBOLS = 9, 7
INFLUENCES = ("off", "basic", "communication", "moa", "moa_communication", "mine:Custom")
ROLES = st.sampled_from(["influencer", "influencee", "plain"])
MIXED = ("influencee", "influencer", "plain", "influencer", "influencee")

without_deadline = settings(deadline=None)  # a busy machine may be slow


def roles_of(num_agents, **switches) -> list[Role]:
    experiment = ExperimentSettings.model_validate({"symbols": SYMBOLS, **switches})
    return [role_of(experiment, agent, num_agents) for agent in range(num_agents)]


def agents_where(predicate, roles) -> list[int]:
    return [role.agent for role in roles if predicate(role)]


@st.composite
def populations(draw):
    """The roles of all agents in any valid experiment."""
    influence, n = draw(st.sampled_from(INFLUENCES)), draw(st.integers(2, 12))
    rest = draw(st.lists(ROLES, min_size=n - 2, max_size=n - 2))
    names = tuple(draw(st.permutations(["influencer", "influencee", *rest])))
    variants = [{"roles": names}]
    if influence in ("off", "basic"):
        variants.append({"leaders": draw(st.integers(1, n - 1))})
    if influence != "basic":
        variants.append({})
    experiment = {"influence": influence, **draw(st.sampled_from(variants))}
    experiment["influencee_reward"] = influence == "basic" and draw(st.booleans())
    return experiment, roles_of(n, **experiment)


@without_deadline
@given(populations())
def test_an_agent_receives_disclosures_from_those_that_disclose_to_it_never_itself(population):
    _, everyone = population
    for a in everyone:
        assert a.agent not in (*a.disclosed_by, *a.discloses_to, *a.leaders)
        for b in everyone:
            assert (b.agent in a.disclosed_by) == (a.agent in b.discloses_to)


@without_deadline
@given(populations())
def test_a_leader_has_no_leaders_and_a_follower_follows_all_leaders(population):
    _, everyone = population
    leaders = agents_where(lambda role: role.is_leader, everyone)
    for role in everyone:
        assert role.leaders in ((), tuple(leaders))
        assert not (role.is_leader and role.leaders)


@without_deadline
@given(populations())
def test_agents_disclose_only_if_influence_needs_it_and_only_to_rewarded_agents(population):
    experiment, everyone = population
    for role in everyone:
        if experiment["influence"] not in ("basic", "communication"):
            assert role.disclosed_by == role.discloses_to == ()
        if role.disclosed_by:
            assert role.is_rewarded


@without_deadline
@given(populations())
def test_log_probs_go_from_leaders_to_followers_only_for_the_influencee_reward(
    population,
):
    experiment, everyone = population
    for role in everyone:
        assert role.sends_log_probs == (role.is_leader and experiment["influencee_reward"])
        assert role.receives_log_probs == (bool(role.leaders) and experiment["influencee_reward"])


@without_deadline
@given(populations())
def test_agent_numbers_ascend(population):
    for role in population[1]:
        for numbers in (role.leaders, role.disclosed_by, role.discloses_to, role.others):
            assert list(numbers) == sorted(set(numbers))


@pytest.mark.parametrize("influence", ["off", "basic"])
@pytest.mark.parametrize("leaders", [1, 2, 3, 4])
def test_the_first_agents_lead_and_all_others_follow(influence, leaders):
    everyone = roles_of(5, influence=influence, leaders=leaders)
    assert agents_where(lambda role: role.is_leader, everyone) == list(range(leaders))
    assert agents_where(lambda role: role.leaders, everyone) == list(range(leaders, 5))
    rewarded = agents_where(lambda role: role.is_rewarded, everyone)
    assert rewarded == (list(range(leaders)) if influence == "basic" else [])


@pytest.mark.parametrize("leaders", [3, 4])
def test_leaders_need_at_least_one_follower(leaders):
    with pytest.raises(ValueError, match=f"wanted 1 to 2 of 3 agents, found {leaders}"):
        roles_of(3, influence="basic", leaders=leaders)


@pytest.mark.parametrize("count", [1, 4])
def test_roles_of_another_number_of_agents_are_refused(count):
    with pytest.raises(ValueError, match=f"wanted one for each of 3 agents, found {count}"):
        roles_of(3, roles=("plain",) * count)


@pytest.mark.parametrize("role", ["influencer", "influencee", "plain"])
@pytest.mark.parametrize("influence", ["off", "basic"])
def test_acting_in_turn_needs_an_influencer_and_an_influencee(influence, role):
    with pytest.raises(ValueError, match="at least one influencer and one influencee"):
        roles_of(3, influence=influence, roles=(role, "plain", role))


@pytest.mark.parametrize("roles", [("plain",) * 3, ("influencee", "plain", "influencee")], ids=str)
@pytest.mark.parametrize("influence", sorted({*INFLUENCES} - {"off", "basic"}))
def test_influence_needs_an_influencer(influence, roles):
    found = f'at least one influencer with influence = "{influence}", found {", ".join(roles)}'
    with pytest.raises(ValueError, match=f"roles: wanted {found}"):
        roles_of(3, influence=influence, roles=roles)


def test_disclosed_symbols_need_another_agent_that_is_not_plain():
    found = 'with influence = "communication", found plain, influencer, plain'
    with pytest.raises(ValueError, match=f"wanted another influencer or an influencee {found}"):
        roles_of(3, influence="communication", roles=("plain", "influencer", "plain"))


@pytest.mark.parametrize("influence", ["moa", "moa_communication", "mine:Custom"])
def test_one_influencer_among_plain_agents_is_enough_if_nobody_discloses_anything(influence):
    everyone = roles_of(3, influence=influence, roles=("plain", "influencer", "plain"))
    assert agents_where(lambda role: role.is_rewarded, everyone) == [1]


def test_roles_can_make_any_agent_a_leader_and_plain_agents_neither_lead_nor_follow():
    everyone = roles_of(5, influence="basic", roles=MIXED)
    assert agents_where(lambda role: role.is_leader, everyone) == [1, 3]
    assert agents_where(lambda role: role.leaders, everyone) == [0, 4]
    assert [role.discloses_to for role in everyone] == [(1, 3), (), (), (), (1, 3)]
    assert [role.disclosed_by for role in everyone] == [(), (0, 4), (), (0, 4), ()]
    assert agents_where(lambda role: role.is_rewarded, everyone) == [1, 3]


def test_with_communication_influencers_are_influenced_too_and_plain_agents_are_not():
    everyone = roles_of(5, influence="communication", roles=MIXED)
    assert [role.disclosed_by for role in everyone] == [(), (0, 3, 4), (), (0, 1, 4), ()]
    assert [role.discloses_to for role in everyone] == [(1, 3), (3,), (), (1,), (1, 3)]
    assert not agents_where(lambda role: role.is_leader or role.leaders, everyone)


def test_without_roles_all_agents_influence_each_other():
    everyone = roles_of(4, influence="communication")
    for role in everyone:
        assert role.disclosed_by == role.discloses_to == role.others
        assert role.is_rewarded


@pytest.mark.parametrize("influence", ["moa", "moa_communication", "mine:Custom"])
def test_with_a_moa_roles_decide_who_is_rewarded(influence):
    everyone = roles_of(5, influence=influence, roles=MIXED)
    assert agents_where(lambda role: role.is_rewarded, everyone) == [1, 3]


@pytest.mark.parametrize("influence", INFLUENCES)
def test_without_roles_all_influencers_are_rewarded_and_none_if_influence_is_off(influence):
    everyone = roles_of(3, influence=influence, leaders=2 * (influence == "basic"))
    wanted = {"off": [], "basic": [0, 1]}.get(influence, [0, 1, 2])
    assert agents_where(lambda role: role.is_rewarded, everyone) == wanted


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
def test_messages_have_only_the_axes_that_the_role_needs(agent, experiment, wanted):
    experiment = ExperimentSettings.model_validate(experiment)
    alternatives = {"basic": ACTIONS, "communication": experiment.symbols}
    none = dict.fromkeys("VLQDKJCR", 0)
    always = {"V": experiment.symbols, "C": alternatives.get(experiment.influence, 0)}
    found = optional_axes(role_of(experiment, agent, 5), experiment, ACTIONS)
    assert found == {**none, **always, **wanted}
