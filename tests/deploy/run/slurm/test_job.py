import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd_run.processes.programs import RunSize
from ssd_run.slurm.job import check_size, nodes_of_job, plan_steps


def nodes(count):
    return tuple(f"node{number}" for number in range(1, count + 1))


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 6))
def test_every_process_belongs_to_one_step_and_no_node_is_idle(num_nodes, agents, more):
    names = nodes(num_nodes)
    size = RunSize(agents, max(1, num_nodes - 1 + more), steps=None)
    check_size(names, size.arenas)
    plans = plan_steps(names, size)
    roles = [role for plan in plans for role in plan.roles(size)]
    assert sorted(roles) == sorted(all_roles(size))
    assert {plan.node for plan in plans} == set(names)
    assert len({plan.name for plan in plans}) == len(plans)


def all_roles(size):
    agents = range(size.agents)
    yield from (f"learner-{agent}" for agent in agents)
    for arena in range(size.arenas):
        yield f"env-{arena}"
        yield from (f"actor-{arena}-{agent}" for agent in agents)


@given(st.integers(1, 6), st.integers(1, 20))
def test_nodes_have_as_many_arenas_as_each_other_or_one_less(num_nodes, arenas):
    if arenas < num_nodes - 1:
        return
    plans = plan_steps(nodes(num_nodes), RunSize(2, arenas, steps=None))
    counts = [len(plan.arenas) for plan in plans if plan.arenas]
    counts += [0] * (num_nodes - len(counts))
    assert max(counts) - min(counts) <= 1


def test_learners_are_on_the_first_node_which_is_the_last_to_get_an_arena():
    learners, arenas = plan_steps(nodes(2), RunSize(3, 1, steps=None))
    assert (learners.node, learners.agents) == ("node1", (0, 1, 2))
    assert (arenas.node, arenas.arenas) == ("node2", (0,))


def test_an_environment_and_its_actors_are_in_one_step():
    size = RunSize(2, 1, steps=None)
    arenas = plan_steps(nodes(2), size)[1]
    assert set(arenas.roles(size)) == {"env-0", "actor-0-0", "actor-0-1"}


def test_a_job_with_nodes_that_would_be_idle_is_refused():
    with pytest.raises(click.UsageError, match="4 nodes: wanted at least 3 arenas, found 2"):
        check_size(nodes(4), 2)


def test_outside_of_a_job_slurm_is_refused():
    with pytest.raises(click.UsageError, match="wanted a Slurm job, found none"):
        nodes_of_job({})
