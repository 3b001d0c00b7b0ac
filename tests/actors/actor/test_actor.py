"""The actor's whole loop, with a fake environment and a fake learner."""

import json

import numpy as np
import pytest
from tests.actors.actor.fakes.agent_setup import GAMES, STEPS, AgentSetup
from tests.actors.actor.fakes.simulation import LANES, Simulation, of_lane

from ssd_actors.actor import DRAIN_SECONDS
from ssd_actors.metrics import ActorMetrics
from ssd_wire.errors import RefusedError
from ssd_wire.fields import layout
from ssd_wire.messages import Segment, Timestep


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "ledgers" / "actor.json"


@pytest.fixture
def simulation(clock, ledger):
    return Simulation(AgentSetup(), clock, ledger)


@pytest.mark.parametrize("lane", range(LANES))
def test_the_learner_receives_what_the_environment_sent(simulation, lane):
    simulation.run()
    segments = of_lane(simulation.learner.trained, lane)
    timesteps = simulation.env.lanes[lane].timesteps
    assert len(segments) >= 4
    for number, segment in enumerate(segments):
        start = number * STEPS
        views = timesteps[start : start + STEPS + 1]
        rewards = timesteps[start + 1 : start + STEPS + 1]
        actions = timesteps[start : start + STEPS + 2]
        for name in ("pixels", "is_first", "visible"):
            wanted = np.stack([getattr(timestep, name) for timestep in views])
            assert (getattr(segment, name) == wanted).all(), name
        assert (segment.reward == np.stack([timestep.reward for timestep in rewards])).all()
        assert (segment.actions == np.stack([timestep.actions for timestep in actions])).all()


def test_segments_are_numbered_over_all_lanes_and_arrive_once_and_in_order(simulation):
    simulation.run()
    trained = simulation.learner.trained
    assert [segment.seq for segment in trained] == list(range(1, len(trained) + 1))
    assert simulation.learner.receiver.counts.duplicate == 0


def test_segments_are_acted_with_the_newest_weights_at_their_start(simulation):
    simulation.run()
    segments = of_lane(simulation.learner.trained, 0)
    # A segment begins before the one before it is complete, and so before that one is trained.
    assert [segment.weights_version for segment in segments] == [0, 0, 1, 2, 3, 4]


def test_an_actor_says_in_its_acts_when_its_learner_is_complete(simulation):
    def finish(rounds_left):
        if rounds_left == 20:
            simulation.learner.receiver.mark_complete()

    simulation.on_round = finish
    simulation.run()
    said = [act.learner_complete for act in simulation.env.acts]
    assert (said[0], said[-1]) == (False, True)
    assert said == sorted(said)


def test_an_actor_counts_its_agent_steps(simulation):
    simulation.run()
    answered = simulation.answered(0) + simulation.answered(1)
    assert simulation.actor.agent_steps == GAMES * answered


def test_no_lane_waits_for_another(simulation):
    simulation.env.stuck.add(0)
    simulation.run()
    assert simulation.answered(0) == 1
    assert simulation.answered(1) > 30


def test_repeated_timesteps_are_acted_in_once_and_get_the_same_answer(simulation):
    simulation.env.repeats = 2
    simulation.run()
    acts, answers = simulation.env.acts, {}
    for act in acts:
        answers.setdefault((act.lane, act.tick), set()).add(act.action.tobytes())
    assert simulation.actor.agent_steps == GAMES * len(answers)
    assert len(acts) > 2 * len(answers)
    assert all(len(different) == 1 for different in answers.values())


class TestDraining:
    """When an actor stops, its last segments are made durable, in bounded time."""

    def test_ends_when_all_segments_are_durable(self, simulation):
        simulation.run()
        assert simulation.outbox.durable == simulation.outbox.made > 0
        assert simulation.learner.byes == 1
        assert -5 < simulation.rounds < 0

    def test_waits_until_all_segments_are_durable(self, simulation):
        simulation.checkpoints = False

        def checkpoint_late(_rounds):
            simulation.checkpoints = simulation.learner.byes >= 3  # two seconds later

        simulation.on_round = checkpoint_late
        assert simulation.run()
        assert simulation.outbox.durable == simulation.outbox.made > 0

    def test_has_a_time_limit(self, simulation):
        simulation.checkpoints = False
        start = simulation.clock.now
        assert not simulation.run(rounds=40)
        seconds = simulation.clock.now - start - 40 * 0.01
        assert DRAIN_SECONDS <= seconds < DRAIN_SECONDS + 0.1
        assert simulation.learner.byes > 5

    def test_reads_what_the_environment_still_sends(self, simulation):
        simulation.checkpoints = False
        env = simulation.env

        def send_again(_rounds):
            env.reply(*(timestep for lane in env.lanes for timestep in lane.timesteps[-1:]))

        simulation.on_round = send_again
        simulation.run()
        assert len(list(env.receive())) <= LANES  # otherwise they would end every wait at once

    def test_is_short_before_any_welcome(self, simulation):
        simulation.run(rounds=0)
        assert simulation.rounds == -1


class TestARestartedEnvironment:
    """Takes the place of the incarnation before it, in the middle of segments."""

    @pytest.fixture
    def simulation(self, simulation):
        def restart(rounds):
            simulation.clock.now += 1.1 if 20 < rounds < 25 else 0.0  # without any message
            if rounds == 25:
                simulation.old_lanes = simulation.env.restart(incarnation=8, first_seed=9)

        simulation.on_round = restart
        simulation.run(rounds=60)
        return simulation

    def test_makes_the_actor_discard_and_count_unfinished_segments(self, simulation):
        assert LANES <= simulation.actor.discarded_segments <= 2 * LANES

    def test_is_acted_in_from_its_first_tick_on(self, simulation):
        new = [act for act in simulation.env.acts if act.env_incarnation == 8]
        assert [(act.lane, act.tick) for act in new[:2]] == [(0, 0), (1, 0)]
        assert len(new) > 20

    def test_shares_no_segment_with_the_old_one(self, simulation):
        for lane in range(LANES):
            lives = [
                lanes[lane].timesteps for lanes in (simulation.old_lanes, simulation.env.lanes)
            ]
            for segment in of_lane(simulation.learner.trained, lane):
                matches = [
                    start
                    for timesteps in lives
                    for start in range(len(timesteps) - STEPS)
                    if (segment.pixels[0] == timesteps[start].pixels).all()
                    and (segment.pixels[-1] == timesteps[start + STEPS].pixels).all()
                ]
                assert len(matches) == 1


@pytest.mark.parametrize("checkpoints", [True, False])
def test_the_ledger_says_at_the_end_whether_all_segments_are_durable(
    simulation, ledger, checkpoints
):
    simulation.checkpoints = checkpoints
    assert simulation.run(rounds=40) == checkpoints
    assert json.loads(ledger.read_text())["drained"] == checkpoints


def test_the_ledger_of_an_actor_that_goes_on_does_not_say_that_it_has_ended(simulation, ledger):
    said = []
    simulation.on_round = lambda _: said.append(json.loads(ledger.read_text())["drained"])
    simulation.run()
    assert set(said) == {False}


def test_a_fatal_refusal_by_the_environment_ends_the_actor(simulation):
    simulation.env.refusal = "a newer process plays this agent"
    with pytest.raises(RefusedError, match="a newer process plays this agent"):
        simulation.run()


def test_the_ledger_counts_every_segment_before_the_learner_receives_it(simulation, ledger):
    counted = []

    def check(segment):
        counted.append(json.loads(ledger.read_text())["made"] >= segment.seq)

    simulation.learner.on_segment = check
    simulation.run()
    assert len(counted) >= 8
    assert all(counted)
    assert json.loads(ledger.read_text())["made"] == simulation.outbox.made


@pytest.mark.parametrize(
    ("message", "always", "where_needed"),
    [
        (
            Timestep,
            {"actions", "visible"},
            {"symbols", "leader_actions", "leader_log_probs", "responses", "all_rewards"},
        ),
        (Segment, {"actions", "visible"}, {"symbols"}),
    ],
)
def test_about_others_messages_carry_actions_and_visibility_and_more_only_where_needed(
    message, always, where_needed
):
    others = {(axis, 0) for axis in "NLQJR"}
    about_others = [field for field in layout(message).arrays if others & set(field.axes)]
    assert {field.name for field in about_others if not field.present_if} == always
    assert {field.name for field in about_others if field.present_if} == where_needed


def test_metrics_are_read_from_the_actor_s_state(simulation):
    simulation.run()
    actor = simulation.actor
    metrics = ActorMetrics(actor, [simulation.env, simulation.learner]).collect()
    found = {metric.name: metric.samples[0].value for metric in metrics}
    assert found["ssd_actor_agent_steps"] == actor.agent_steps
    assert found["ssd_actor_segments_made"] == simulation.outbox.made
    assert found["ssd_actor_segments_not_durable"] == 0
    assert found["ssd_actor_weights_version"] == actor.learner.weights.version > 0
    assert found["ssd_actor_influence_nats"] == actor.mean_influence > 0
