"""The actor's whole loop, in a world and with a learner that are played without sockets."""

import json
from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from ssd_actors.actor import FAREWELL, Actor
from ssd_actors.env_client import EnvClient
from ssd_actors.learner_client import LearnerClient
from ssd_actors.ledger import Ledger
from ssd_actors.metrics import ActorMetrics
from ssd_actors.outbox import Outbox
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.codec import encode
from ssd_wire.errors import RefusedError
from ssd_wire.fields import layout
from ssd_wire.messages import Act, Bye, Hello, Join, Refused, Seat, Segment, Timestep, Welcome
from ssd_wire.weights import encode_weights

STEPS, GAMES, LANES, WINDOW, EPOCH = 6, 5, 2, 2, 3
FINGERPRINT = "this run"


class Mailbox:
    """The receiving half of a line, filled with messages."""

    def __init__(self):
        self.dropped = 0
        self._here = deque()

    def put(self, *messages):
        for message in messages:
            self._here.append([bytes(frame) for frame in encode(message)])

    def receive(self):
        while self._here:
            yield self._here.popleft()


class PlayedWorld(Mailbox):
    """A world of two lanes, in which the other agents do as they like."""

    def __init__(self, make_scenery, read, number=7):
        super().__init__()
        self.read = read
        self.lanes = [make_scenery(seed=lane, world=number, lane=lane) for lane in range(LANES)]
        self.number = number
        self.stuck = set()  # lanes in which some other agent is missing
        self.repeats = 0  # of each timestep, before it is answered and after
        self.acts = []
        self.reason = None  # to refuse

    def send(self, frames):
        match self.read(frames):
            case _ if self.reason is not None:
                self.put(Refused(self.reason, fatal=True))
            case Join():
                palette = np.zeros((11, 3), np.uint8)
                self.put(Seat(self.number, 4, 7, 0, LANES, GAMES, 100, 9, palette))
                for lane in self.lanes:
                    self.put(lane.shown[-1] if lane.shown else lane.next())
            case Act() as act if act.env_incarnation != self.number:
                self.put(Refused("join again", fatal=False))
            case Act() as act:
                self.acts.append(act)
                lane = self.lanes[act.lane]
                if act.tick == len(lane.shown) - 1 and act.lane not in self.stuck:
                    lane.acts.append(act.action)
                    self.put(*[lane.shown[-1]] * self.repeats)
                    self.put(*[lane.next()] * (1 + self.repeats))
        return True


class PlayedLearner(Mailbox):
    """A learner that trains and saves when told to. Its rules are the real ones."""

    def __init__(self, person, read):
        super().__init__()
        self.person = person
        self.read = read
        self.intake = SegmentReceiver(1, 1, FINGERPRINT, 100)
        self.version = 0
        self.window = WINDOW
        self.trained = []
        self.byes = 0
        self.frame = None
        self.hears = lambda _segment: None

    def send(self, frames):
        message = self.read(frames)
        match message:
            case Hello():
                epoch = self.intake.hello(b"actor", message)
                weights = np.frombuffer(self.weights(), np.uint8)
                progress = (epoch.received, epoch.handled, epoch.durable)
                self.put(Welcome(EPOCH, 1, *progress, self.window, complete=False, weights=weights))
            case Segment():
                self.hears(message)
                self.put(self.answer(self.intake.segment(b"actor", message)))
            case Bye():
                self.byes += 1
                self.put(self.answer(self.intake.bye(b"actor", message)))
        return True

    def answer(self, outcome):
        return outcome if isinstance(outcome, Refused) else self.intake.ack(outcome, self.version)

    def weights(self):
        return encode_weights(self.person.weights(self.version))

    def newest(self):
        frame, self.frame = self.frame, None
        return frame

    def train(self):
        if taken := self.intake.take(100):
            self.trained += taken
            self.intake.trained()
            self.version += 1
            self.frame = self.weights()
            self.put(self.answer(self.intake.epochs[0]))

    def save(self):
        self.intake.made_durable([epoch.watermark() for epoch in self.intake.epochs])
        for epoch in self.intake.epochs:
            self.put(self.intake.ack(epoch, self.version))


class Stage:
    """An actor, its world and its learner. `play` lets time go by, a hundredth at a time."""

    def __init__(self, person, make_scenery, read, clock, ledger):
        self.clock = clock
        self.world = PlayedWorld(make_scenery, read)
        self.learner = PlayedLearner(person, read)
        self.trains = self.saves = True
        self.rounds = 0
        hello = Hello(1, 0, EPOCH, FINGERPRINT)
        outbox = Outbox(LANES, retained=100)
        sizes, shapes = person.axes, person.tensors
        self.actor = Actor(
            self,
            EnvClient(self.world, Join(1, EPOCH, FINGERPRINT), LANES, sizes, clock.read),
            LearnerClient(self.learner, self.learner, hello, outbox, sizes, shapes, clock.read),
            [person.lane(number, seed=number) for number in range(LANES)],
            Ledger(ledger, arena=0, agent=1, epoch=EPOCH),
            clock.read,
        )

    def wait(self, _seconds):
        self.clock.now += 0.01
        if self.trains:
            self.learner.train()
        if self.saves:
            self.learner.save()
        self.rounds -= 1
        return self.rounds >= 0

    def play(self, rounds=40):
        """So many rounds of the actor's loop, and its farewell."""
        self.rounds = rounds
        self.actor.live()

    def answered(self, lane):
        """How many ticks of a lane have been acted in."""
        return len({act.tick for act in self.world.acts if act.lane == lane})


@pytest.fixture
def stage(make_person, make_scenery, read, clock, tmp_path):
    return Stage(make_person(), make_scenery, read, clock, tmp_path / "ledgers" / "actor.json")


def of_lane(segments, lane):
    return [segment for segment in segments if segment.lane == lane]


@pytest.mark.parametrize("lane", range(LANES))
def test_what_the_learner_gets_is_what_the_world_showed(stage, lane):
    stage.play()
    segments, shown = of_lane(stage.learner.trained, lane), stage.world.lanes[lane].shown
    assert len(segments) >= 4
    for number, segment in enumerate(segments):
        views = shown[number * STEPS : (number + 1) * STEPS + 1]
        then = shown[number * STEPS + 1 : (number + 1) * STEPS + 1]
        after = shown[number * STEPS : (number + 1) * STEPS + 2]
        for name in ("pixels", "is_first", "visible"):
            wanted = np.stack([getattr(seen, name) for seen in views])
            assert (getattr(segment, name) == wanted).all(), name
        assert (segment.reward == np.stack([seen.reward for seen in then])).all()
        assert (segment.actions == np.stack([seen.actions for seen in after])).all()


def test_segments_are_numbered_over_all_lanes_and_come_once_and_in_order(stage):
    stage.play()
    assert [one.seq for one in stage.learner.trained] == list(
        range(1, len(stage.learner.trained) + 1)
    )
    assert stage.learner.intake.counts.duplicate == 0


def test_segments_are_acted_with_the_newest_weights_when_they_began(stage):
    stage.play()
    versions = [segment.weights_version for segment in of_lane(stage.learner.trained, 0)]
    # One begins before the one before it is finished, and so before that one is trained.
    assert versions == [0, 0, 1, 2, 3, 4]


class TestWeightsThatComeLaterThanTheAckOfThem:
    """The ack makes room, but nothing begins on weights that it tells are old."""

    @pytest.fixture
    def began(self, stage):
        """(version, newest acknowledged) of every segment, when it began."""
        began = []
        for lane in stage.actor.lanes:
            lane.begin_segment = self.noting(lane.begin_segment, stage.actor.teacher, began)
        return began

    @staticmethod
    def noting(begin, teacher, began):
        def noted(seen, weights):
            began.append((weights.version, teacher._newest))
            begin(seen, weights)

        return noted

    @pytest.mark.parametrize("late", [1, 5])
    def test_are_waited_for(self, stage, began, late):
        frames = deque([None] * late)

        def newest():
            frames.append(stage.learner.frame)
            stage.learner.frame = None
            return frames.popleft()

        stage.learner.newest = newest
        stage.play(rounds=100)
        assert len(began) >= 12
        assert all(version >= acknowledged for version, acknowledged in began)

    def test_are_asked_for_where_all_of_them_are_lost_and_it_goes_on(self, stage, began):
        stage.learner.newest = lambda: None
        stage.play(rounds=300)
        assert len(began) >= 12
        assert all(version >= acknowledged for version, acknowledged in began)
        assert stage.actor.waited["learner"] > 1.0


def test_an_actor_counts_its_agent_steps(stage):
    stage.play()
    assert stage.actor.agent_steps == GAMES * (stage.answered(0) + stage.answered(1))


def test_no_lane_waits_for_another(stage):
    stage.world.stuck.add(0)
    stage.play()
    assert stage.answered(0) == 1
    assert stage.answered(1) > 30


def test_repeated_timesteps_are_acted_in_once_and_answered_alike(stage):
    stage.world.repeats = 2
    stage.play()
    assert stage.actor.agent_steps == GAMES * (stage.answered(0) + stage.answered(1))
    by_tick = {}
    for act in stage.world.acts:
        by_tick.setdefault((act.lane, act.tick), set()).add(act.action.tobytes())
    assert len(stage.world.acts) > 2 * len(by_tick)
    assert all(len(answers) == 1 for answers in by_tick.values())


class TestWithoutRoom:
    """A learner that does not train is not run away from."""

    @pytest.fixture
    def stage(self, stage):
        stage.trains = False
        return stage

    def test_a_lane_is_held_where_it_would_begin_a_segment(self, stage):
        stage.play(rounds=60)
        assert stage.answered(0) % STEPS == 0
        assert stage.answered(1) % STEPS == 0

    def test_no_more_is_made_than_a_window_per_lane_and_what_was_begun(self, stage):
        stage.play(rounds=60)
        made = stage.actor.teacher.outbox.made
        assert WINDOW * LANES <= made < WINDOW * LANES + LANES
        assert stage.learner.intake.waiting == made

    def test_the_wait_is_for_the_learner(self, stage):
        stage.play(rounds=60)
        assert stage.actor.waited["learner"] > 0.1

    def test_it_goes_on_once_there_is_room_and_nothing_was_lost(self, stage):
        def train_late():
            stage.trains = stage.rounds < 40

        real_wait = stage.wait
        stage.actor.ears = stage
        stage.wait = lambda seconds: (train_late(), real_wait(seconds))[1]
        stage.play(rounds=80)
        assert stage.answered(0) > 35
        assert len(of_lane(stage.learner.trained, 0)) >= 5
        assert stage.learner.intake.counts.duplicate == 0


@pytest.mark.parametrize("steps", [1, 2, STEPS])
class TestTheWindow:
    """Is the same however long segments are."""

    @pytest.fixture
    def stage(self, steps, make_person, make_scenery, read, clock):
        person = make_person()
        person.segment, person.axes["T"] = replace(person.segment, steps=steps), steps
        return Stage(person, make_scenery, read, clock, None)

    def test_lets_one_segment_of_each_lane_begin_beyond_those_that_it_counts(self, stage):
        untrained = []
        for lane in stage.actor.lanes:
            lane.begin_segment = self.noting(lane.begin_segment, stage, untrained)
        stage.trains = False
        stage.play(rounds=60)
        assert max(untrained) < WINDOW * LANES
        assert len(untrained) == (WINDOW + 1) * LANES

    def test_of_one_segment_lets_an_actor_go_on(self, stage):
        stage.learner.window = 1
        stage.play(rounds=60)
        assert min(stage.answered(lane) for lane in range(LANES)) > 20
        assert stage.learner.intake.counts.duplicate == 0

    @staticmethod
    def noting(begin, stage, untrained):
        def noted(seen, weights):
            untrained.append(stage.actor.teacher.outbox.untrained)
            begin(seen, weights)

        return noted


class TestFarewell:
    """The last segments are made durable, in bounded time."""

    def test_ends_when_all_is_durable(self, stage):
        stage.play()
        outbox = stage.actor.teacher.outbox
        assert outbox.durable == outbox.made > 0
        assert stage.learner.byes == 1
        assert -5 < stage.rounds < 0

    def test_waits_for_durability(self, stage):
        stage.saves = False
        real_bye = stage.actor.teacher.say_bye

        def say_bye():
            stage.saves = stage.learner.byes >= 2  # two seconds later
            real_bye()

        stage.actor.teacher.say_bye = say_bye
        stage.play()
        outbox = stage.actor.teacher.outbox
        assert outbox.durable == outbox.made > 0

    def test_does_not_wait_for_ever(self, stage):
        stage.saves = False
        before = stage.clock.now
        stage.play()
        assert FAREWELL <= stage.clock.now - before - 40 * 0.01 < FAREWELL + 0.1
        assert stage.learner.byes > 5

    def test_of_one_who_was_never_welcome_is_short(self, stage):
        stage.play(rounds=0)
        assert stage.rounds == -1


class TestANewWorld:
    """Takes the place of the one before it, in the middle of segments."""

    @pytest.fixture
    def stage(self, stage, make_scenery):
        def renew():
            stage.clock.now += 1.1 if 20 < stage.rounds < 25 else 0.0  # nobody says anything
            if stage.rounds == 25:
                world = stage.world
                world.number = 8
                world.before = world.lanes
                world.lanes = [make_scenery(seed=9, world=8, lane=lane) for lane in range(LANES)]

        real_wait = stage.wait
        stage.wait = lambda seconds: (renew(), real_wait(seconds))[1]
        stage.play(rounds=60)
        return stage

    def test_makes_it_give_up_and_count_what_it_had_begun(self, stage):
        assert LANES <= stage.actor.discarded <= 2 * LANES

    def test_is_lived_in_from_its_first_tick_on(self, stage):
        acts = [(act.lane, act.tick) for act in stage.world.acts if act.env_incarnation == 8]
        assert acts[:2] == [(0, 0), (1, 0)]
        assert len(acts) > 20

    def test_shares_no_segment_with_the_old_one(self, stage):
        for lane in range(LANES):
            old, new = stage.world.before[lane].shown, stage.world.lanes[lane].shown
            for segment in of_lane(stage.learner.trained, lane):
                wholes = [
                    start
                    for shown in (old, new)
                    for start in range(len(shown) - STEPS)
                    if (segment.pixels[0] == shown[start].pixels).all()
                    and (segment.pixels[-1] == shown[start + STEPS].pixels).all()
                ]
                assert len(wholes) == 1


def test_the_world_s_refusal_ends_it(stage):
    stage.world.reason = "a newer process plays this agent"
    with pytest.raises(RefusedError, match="a newer process plays this agent"):
        stage.play()


def test_no_learner_ever_has_a_segment_that_the_ledger_knows_not_of(stage, tmp_path):
    path = tmp_path / "ledgers" / "actor.json"
    known = []
    stage.learner.hears = lambda segment: known.append(
        json.loads(path.read_text())["made"] >= segment.seq
    )
    stage.play()
    assert len(known) >= 8
    assert all(known)
    account = json.loads(path.read_text())
    assert account["made"] == stage.actor.teacher.outbox.made


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
def test_of_others_an_actor_is_told_and_tells_what_they_did_whom_it_saw_and_more_only_where_needed(
    message, always, where_needed
):
    others = {(axis, 0) for axis in "NLQJR"}
    about_others = [field for field in layout(message).arrays if others & set(field.axes)]
    assert {field.name for field in about_others if not field.where} == always
    assert {field.name for field in about_others if field.where} == where_needed


def test_metrics_read_the_actor_s_state(stage):
    stage.play()
    lines = {"world": stage.world, "learner": stage.learner}
    found = {
        metric.name: metric.samples[0].value
        for metric in ActorMetrics(stage.actor, lines).collect()
    }
    outbox = stage.actor.teacher.outbox
    assert found["ssd_actor_agent_steps"] == stage.actor.agent_steps
    assert found["ssd_actor_segments_made"] == outbox.made
    assert found["ssd_actor_segments_not_durable"] == 0
    assert found["ssd_actor_weights_version"] == stage.actor.teacher.weights.version > 0
    assert found["ssd_actor_influence_nats"] == stage.actor.influence > 0
