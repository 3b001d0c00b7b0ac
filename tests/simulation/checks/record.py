"""What happens in a history, and the rules that are checked as it happens."""

from collections import Counter, defaultdict
from itertools import count

import msgpack
from tests.simulation.checks.checkpoints import CheckpointChain
from tests.simulation.checks.learner_epochs import LearnerEpochs
from tests.simulation.checks.rules import require
from tests.simulation.checks.segments import Step, Tick, check_segment
from tests.simulation.world.trainer import WEIGHT_SHAPES

from ssd_wire.messages import Ack, Welcome
from ssd_wire.weights import decode_weights


class Record:
    """Everything that the processes did and that others could notice.

    Args:
        settings: Of the history.
        scheduler: Has the clock.

    Attributes:
        log: (time, name, what, details) of each event.
        messages: Number of messages that processes sent.
        environments: Environment incarnations by the number of their process.
        ticks: By environment incarnation and lane: what was played.
        decisions: By epoch, environment incarnation and lane: the steps of an actor.
        steps: Played in all, by arena and lane.
        views: By epoch: what that actor knows.
        view_of: The same by process.
        trained: Segments that any learner was trained on, killed ones too.
        chains: By agent: its newest checkpoint.
        faults: How many of each kind happened.
    """

    def __init__(self, settings, scheduler):
        self.settings = settings
        self.log = []
        self.messages = 0
        self.environments = {}
        self.ticks = {}
        self.decisions = {}
        self.steps = Counter()
        self.views = {}
        self.view_of = {}
        self.trained = []
        self.chains = {a: CheckpointChain(settings, self.trained) for a in range(settings.agents)}
        self.faults = Counter()
        self._scheduler = scheduler
        self._answers = {}  # by environment incarnation, lane, tick and agent: actions
        self._epochs = defaultdict(LearnerEpochs)  # by process
        self._decision_numbers = count(1)
        self._reward_numbers = count(1)

    def add(self, name, what, *details):
        """Log an event."""
        self.log.append((self._scheduler.now, name, what, details))

    def on_fault(self, kind, *details):
        """A fault happens."""
        self.faults[kind] += 1
        self.add("fault", kind, *details)

    def on_actor(self, view):
        """An actor has started."""
        self.views[view.epoch] = self.view_of[view.process] = view

    # Games and agents.

    def new_rewards(self, games):
        """Rewards that never occurred before: the first of consecutive numbers."""
        first = next(self._reward_numbers)
        for _ in range(games - 1):
            next(self._reward_numbers)
        return first

    def on_tick(self, env_incarnation, lane, actions, is_first, seen):
        """A lane has reached its next tick."""
        ticks = self.ticks.setdefault((env_incarnation, lane), [])
        ticks.append(Tick(actions, is_first, seen))

    def on_acts(self, env_incarnation, place, tick, actions):
        """A lane is stepped with these [B, N] actions."""
        _, arena, lane = place
        self.steps[arena, lane] += 1
        for agent in range(self.settings.agents):
            drawn = self._answers.get((env_incarnation, lane, tick, agent), ())
            action = actions[:, agent].tobytes()
            require(action in drawn, "the environment plays what an agent chose at this tick")

    def on_decision(self, view, agent, timestep):
        """An actor is about to choose; returns the number of the decision."""
        key = (view.epoch, timestep.env_incarnation, timestep.lane)
        steps = self.decisions.setdefault(key, [])
        is_next = not steps or timestep.tick == steps[-1].tick + 1
        require(is_next, "an actor decides once at each tick, and skips none", timestep.tick)
        weights = (agent.learner_incarnation, agent.weights_version)
        if len(steps) % self.settings.segment == 0:
            view.check_room(weights)
        leaders = timestep.leader_actions
        led_by = None if leaders is None else leaders.tobytes()
        steps.append(Step(timestep.tick, next(self._decision_numbers), weights, led_by))
        return steps[-1].number

    def on_choice(self, view, timestep, action, symbol):
        """An actor has chosen."""
        place = (timestep.env_incarnation, timestep.lane)
        step = self.decisions[view.epoch, *place][-1]
        step.action = action.tobytes()
        step.symbol = None if symbol is None else symbol.tobytes()
        self._answers.setdefault((*place, timestep.tick, view.agent), []).append(step.action)

    # Messages.

    def on_client_sends(self, process, server, frames, is_sent):
        """An actor sends a message."""
        self.messages += 1
        self.add(process.name, "sends" if is_sent else "cannot send", server, frames)
        kind, _, scalars, _ = msgpack.unpackb(frames[0])
        if kind == "segment":
            self.view_of[process].on_sent(scalars[1], is_sent, self._scheduler.now)
        elif kind == "hello":
            self.view_of[process].check_hello(learner_incarnation=scalars[4])

    def on_client_receives(self, process, server, message):
        """An actor receives a message."""
        self.add(process.name, "receives", server, message)
        view = self.view_of.get(process)
        if view is not None:
            view.on_message(message, self._scheduler.now)

    def on_server_sends(self, process, peer, message, is_sent):
        """An environment or a learner sends a message."""
        self.messages += 1
        self.add(process.name, "sends" if is_sent else "cannot send", peer, message)
        if isinstance(message, (Ack, Welcome)):
            self._check_progress(process, message)

    def on_publish(self, process, frame):
        """A learner publishes weights; returns them."""
        self.messages += 1
        weights = decode_weights(frame, WEIGHT_SHAPES)
        self._epochs[process].publish(weights.version)
        self.add(process.name, "publishes", f"version {weights.version}")
        return weights

    def on_learner_waits(self, process):
        """A learner is about to wait for messages."""
        self._epochs[process].wait()

    def on_weights(self, process, weights):
        """An actor receives published weights."""
        self.add(process.name, "receives weights of", f"version {weights.version}")
        view = self.view_of.get(process)
        if view is not None:
            view.on_weights(weights)

    def _check_progress(self, process, message):
        settings, view = self.settings, self.views[message.epoch]
        on_disk = self.chains[view.agent].consumed.get(message.epoch, 0)
        require(message.durable <= on_disk, "what is acknowledged as durable is on disk", message)
        ordered = message.durable <= message.trained <= message.received
        require(ordered, "durable <= trained <= received", message)
        # A learner that restarts may have trained on less, but not have less that is durable.
        limit = max(settings.window * settings.lanes, settings.retained) + 2 * settings.lanes
        queued = message.received - message.trained
        require(queued < limit, "a learner's queue is bounded", queued, limit)
        self._epochs[process].add(view, message)
        if isinstance(message, Ack):
            newest = self._epochs[process].published
            require(message.newest_version == newest, "acknowledged weights are published", newest)

    # Learners and their disks.

    def on_trained(self, agent, segment):
        """A learner is trained on a segment; returns the number of the segment."""
        self.trained.append(check_segment(self, agent, segment))
        self.add(f"learner-{agent}", "trains", segment)
        return len(self.trained) - 1

    def on_rename(self, process, name, content):
        """A file has got its final name."""
        self.add(process.name, "writes", name)
        if name.endswith(".safetensors"):
            agent = int(process.role.partition("-")[2])
            self.chains[agent].add(content)

    def check_counts(self, learner, in_training=0):
        """The counts of a learner's receiver agree with one another and with its trainer."""
        receiver, trainer = learner.receiver, learner.trainer
        counts = receiver.counts
        consumed, given_up = counts.trained + counts.surplus, counts.given_up
        received_of = sum(epoch.received for epoch in receiver.epochs)
        consumed_of = sum(epoch.consumed for epoch in receiver.epochs)
        for name, found, wanted in (
            ("received", counts.received, consumed + in_training + receiver.queued),
            ("received by epoch", counts.received + given_up, received_of),
            ("consumed by epoch", consumed + given_up, consumed_of),
            ("trained", counts.trained + in_training, len(trainer.trained)),
        ):
            require(found == wanted, f"the learner's counts add up: {name}", found, wanted)
