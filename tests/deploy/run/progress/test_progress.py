import pytest

from ssd_run.progress.episodes import outcome
from ssd_run.progress.progress import (
    METRIC_NAMES,
    AgentProgress,
    Progress,
    agents_of,
    phase_of,
    waiting_of,
)

NOTHING = outcome([])
NEW = (AgentProgress(), AgentProgress())


def served(updates=2, own_steps=1600, complete=0, **measures):
    return {
        "ssd_learner_weights_version": updates,
        "ssd_learner_own_steps": own_steps,
        "ssd_learner_complete": complete,
        **{f"ssd_learner_{name}": value for name, value in measures.items()},
    }


def agents(*own_steps, updates=1, complete=False):
    return [AgentProgress(own_steps=n, updates=updates, complete=complete) for n in own_steps]


def progress_of(agents):
    return Progress(0.0, tuple(agents), NOTHING, 0, None, {}, {})


def test_agents_are_in_order_and_have_the_own_steps_that_were_trained():
    latest = {
        "learner-1": served(own_steps=800),
        "learner-0": served(own_steps=1600),
    }
    found = agents_of(latest, NEW, NOTHING)
    assert [agent.own_steps for agent in found] == [1600, 800]
    assert progress_of(found).agent_steps == 2400


def test_a_learner_has_no_metrics_before_its_first_update():
    latest = {"learner-0": served(updates=0, moa_loss_nats=0.0)}
    assert agents_of(latest, NEW, NOTHING)[0].metrics == dict.fromkeys(METRIC_NAMES)


def test_a_metric_that_a_learner_does_not_serve_is_none_and_not_zero():
    latest = {"learner-0": served(policy_lag_updates=1.0)}
    found = agents_of(latest, NEW, NOTHING)[0]
    assert found.metrics["moa_loss_nats"] is None
    assert found.metrics["policy_lag_updates"] == 1.0


@pytest.mark.parametrize(
    "measure",
    [
        "kl_nats",
        "clipped_share",
        "explained_variance",
        "policy_information_nats",
        "policy_gradient_norm",
        "value_gradient_norm",
        "moa_gradient_norm",
        "moa_margin_nats",
        "entropy_weight",
        "passes",
    ],
)
def test_a_learners_metrics_of_an_update_are_kept(measure):
    found = agents_of({"learner-0": served(**{measure: 0.5})}, NEW, NOTHING)[0]
    assert found.metrics[measure] == 0.5


def test_there_is_no_metric_of_the_norm_of_the_whole_gradient():
    assert "gradient_norm" not in METRIC_NAMES


def test_a_learner_without_metrics_has_the_progress_of_its_ledger():
    before = (AgentProgress(own_steps=5000, updates=7), AgentProgress())
    found = agents_of({"learner-1": served(own_steps=10)}, before, NOTHING)
    assert [agent.own_steps for agent in found] == [5000, 10]


def test_agents_have_their_returns_of_the_last_episodes():
    last = outcome([{"returns": [1.0, 3.0], "collective_return": 4.0, "equality": None}])
    found = agents_of({}, NEW, last)
    assert [agent.episode_return for agent in found] == [1.0, 3.0]


def test_agents_have_their_counts_of_the_last_episodes():
    line = {"returns": [1.0, 3.0], "collective_return": 4.0, "equality": None}
    last = outcome(
        [line | {"counts": {"apples": [1, 3], "cleaned": [400, 0]}}], ("apples", "cleaned")
    )
    found = agents_of({}, NEW, last)
    assert [(a.counts["apples"], a.counts["cleaned"]) for a in found] == [(1.0, 400.0), (3.0, 0.0)]
    assert progress_of(found).total("apples") == 4.0
    assert found[0].counts["fires"] is None
    assert progress_of(found).total("fires") is None


def test_before_the_first_episode_has_ended_agents_have_no_counts():
    found = agents_of({}, NEW, outcome([], ("apples",)))
    assert found[0].counts["apples"] is None


def test_a_run_is_complete_when_every_learner_is():
    assert not progress_of(agents(1) + agents(1, complete=True)).complete
    assert progress_of(agents(1, 1, complete=True)).complete


def test_a_mean_leaves_out_agents_without_the_metric():
    latest = {"learner-0": served(beta=0.4)}
    run = progress_of(agents_of(latest, NEW, NOTHING))
    assert run.mean("beta") == 0.4
    assert run.mean("moa_loss_nats") is None


def test_waiting_times_are_summed_over_actors_by_reason():
    latest = {
        "actor-0-0": {"ssd_actor_waiting_seconds_total{for=env}": 1.0},
        "actor-0-1": {
            "ssd_actor_waiting_seconds_total{for=env}": 2.0,
            "ssd_actor_waiting_seconds_total{for=learner}": 5.0,
        },
    }
    assert waiting_of(latest) == {"env": 3.0, "learner": 5.0}


@pytest.mark.parametrize(
    ("running", "latest", "updates", "phase"),
    [
        ((), (), 7, "loading libraries; on the first run, compiling kernels"),
        (("env-0", "learner-0"), (), 7, "starting: 0 of 2 processes are up"),
        (("env-0", "learner-0"), ("env-0",), 7, "starting: 1 of 2 processes are up"),
        (("env-0", "learner-0"), ("env-0", "learner-0"), 7, "collecting the first batch"),
        (("env-0", "learner-0"), ("learner-0",), 8, ""),
    ],
)
def test_a_launch_has_a_phase_until_its_first_update(running, latest, updates, phase):
    before = agents(5000, updates=7)
    found = phase_of(running, latest, agents(5000, updates=updates), before)
    assert found.startswith(phase)
    assert bool(found) == bool(phase)
