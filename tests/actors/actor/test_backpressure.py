"""When an actor may begin a segment: only with the newest weights, and only within the window."""

from collections import deque
from dataclasses import replace

import pytest
from tests.actors.actor.fakes.agent_setup import STEPS, AgentSetup
from tests.actors.actor.fakes.simulation import LANES, WINDOW, Simulation, of_lane


@pytest.fixture
def simulation(clock):
    return Simulation(AgentSetup(), clock)


def on_begin_segment(simulation, call):
    """Call this with the weights of every segment, when it begins."""

    def wrap(begin_segment):
        def wrapped(timestep, weights):
            call(weights)
            begin_segment(timestep, weights)

        return wrapped

    for lane in simulation.actor.lanes:
        lane.begin_segment = wrap(lane.begin_segment)


class TestWeightsThatArriveAfterTheAckThatAnnouncesThem:
    """The Ack makes room, but no segment begins with weights that it says are stale."""

    @pytest.fixture
    def began(self, simulation):
        """(version, newest version announced) of every segment, when it began."""
        began, learner = [], simulation.actor.learner
        note = lambda weights: began.append((weights.version, learner._newest_version))  # noqa: E731
        on_begin_segment(simulation, note)
        return began

    @pytest.mark.parametrize("late", [1, 5])
    def test_are_waited_for(self, simulation, began, late):
        frames = deque([None] * late)
        newest = simulation.learner.newest

        def newest_late():
            frames.append(newest())
            return frames.popleft()

        simulation.learner.newest = newest_late
        simulation.run(rounds=100)
        assert len(began) >= 12
        assert all(version >= announced for version, announced in began)

    def test_are_requested_if_all_of_them_are_lost_and_the_actor_goes_on(self, simulation, began):
        simulation.learner.newest = lambda: None
        simulation.run(rounds=300)
        assert len(began) >= 12
        assert all(version >= announced for version, announced in began)
        assert simulation.actor.waiting_seconds["learner"] > 1.0


class TestALearnerThatDoesNotTrain:
    """Makes the actor wait."""

    @pytest.fixture
    def simulation(self, simulation):
        simulation.trains = False
        return simulation

    def test_stops_each_lane_where_it_would_begin_a_segment(self, simulation):
        simulation.run(rounds=60)
        assert simulation.answered(0) % STEPS == 0
        assert simulation.answered(1) % STEPS == 0

    def test_receives_no_more_than_a_window_per_lane_and_what_was_begun(self, simulation):
        simulation.run(rounds=60)
        made = simulation.outbox.made
        assert WINDOW * LANES <= made < WINDOW * LANES + LANES
        assert simulation.learner.receiver.queued == made

    def test_is_what_the_actor_waits_for(self, simulation):
        simulation.run(rounds=60)
        assert simulation.actor.waiting_seconds["learner"] > 0.1

    def test_loses_nothing_when_it_trains_again(self, simulation):
        def train_late(rounds):
            simulation.trains = rounds < 40

        simulation.on_round = train_late
        simulation.run(rounds=80)
        assert simulation.answered(0) > 35
        assert len(of_lane(simulation.learner.trained, 0)) >= 5
        assert simulation.learner.receiver.counts.duplicate == 0


@pytest.mark.parametrize("steps", [1, 2, STEPS])
class TestTheWindow:
    """Is the same for segments of any length."""

    @pytest.fixture
    def simulation(self, steps, clock):
        setup = AgentSetup()
        setup.dims = replace(setup.dims, T=steps)
        return Simulation(setup, clock)

    def test_lets_one_segment_of_each_lane_begin_beyond_those_that_it_counts(self, simulation):
        untrained = []
        on_begin_segment(simulation, lambda _: untrained.append(simulation.outbox.untrained))
        simulation.trains = False
        simulation.run(rounds=60)
        assert max(untrained) < WINDOW * LANES
        assert len(untrained) == (WINDOW + 1) * LANES

    def test_of_one_segment_lets_an_actor_go_on(self, simulation):
        simulation.learner.window = 1
        simulation.run(rounds=60)
        assert min(simulation.answered(lane) for lane in range(LANES)) > 20
        assert simulation.learner.receiver.counts.duplicate == 0
