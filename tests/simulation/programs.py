"""The programs of the three kinds of processes: the real loops, over the simulated world.

What is real: the loops, the clients and servers of the protocol, the codec, the code for files.
What is simulated: sockets, clocks, disks, the games, the agents' networks and their training.
"""

from dataclasses import replace
from random import Random

import numpy as np
from tests.simulation.checks.actor_view import ActorView
from tests.simulation.checks.rules import require
from tests.simulation.settings import ACTIONS, COLOURS, EXPERIMENTS, FINGERPRINT, VIEW
from tests.simulation.world.agent import SimulatedAgent
from tests.simulation.world.games import SimulatedGames
from tests.simulation.world.sockets import Dealer, Publisher, Router, Subscriber
from tests.simulation.world.trainer import WEIGHT_SHAPES, RecordingTrainer, Training

from ssd_actors.actor import Actor
from ssd_actors.env_client import EnvClient
from ssd_actors.lane import Lane as ActorLane
from ssd_actors.learner_client import LearnerClient
from ssd_actors.ledger import Ledger
from ssd_actors.outbox import Outbox
from ssd_env_server.coordinator import Coordinator
from ssd_env_server.disclosure import Disclosure
from ssd_env_server.episode_statistics import EpisodeStatistics
from ssd_env_server.episodes import EpisodeLog
from ssd_env_server.lane import Lane as EnvLane
from ssd_env_server.server import EnvServer
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.checkpoints.restore import restore
from ssd_learner.learner import Learner
from ssd_learner.segments.epochs import SegmentCounts
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.messages import Hello, Join, Seat

PALETTE = np.zeros((COLOURS, 3), np.uint8)


class Programs:
    """Makes the program of each process.

    Args:
        settings: Of the history.
        network, disk: What the processes share.
        record: Is told what happens.
        rng: Draws actions, incarnations and the time that training takes.
    """

    def __init__(self, settings, network, disk, record, rng):
        self.settings = settings
        self.network = network
        self.disk = disk
        self.record = record
        self.rng = rng

    def run(self, process):
        """Run the program of a process's role until it ends; returns what its loop does."""
        kind, *numbers = process.role.split("-")
        program = {"env": self._run_env, "actor": self._run_actor, "learner": self._run_learner}
        return program[kind](process, *map(int, numbers))

    def _run_env(self, process, arena):
        settings, number = self.settings, len(self.record.environments)
        incarnation = self.rng.getrandbits(62)
        self.record.environments[number] = incarnation
        games = [
            SimulatedGames(settings, self.record, arena, number, incarnation, lane)
            for lane in range(settings.lanes)
        ]
        agents = range(settings.agents)
        roles = [settings.role(agent) for agent in agents]
        dims = [replace(settings.dims(agent), T=0, S=0) for agent in agents]
        lanes = [EnvLane(one.timesteps(), settings.games, Disclosure(roles, dims)) for one in games]
        coordinator = Coordinator(self._seat(incarnation), FINGERPRINT, lanes)
        router = Router(self.network, process, self.record)
        process.sources = (router,)
        clock = process.scheduler.read
        log = EpisodeLog(None, arena, incarnation)
        statistics = EpisodeStatistics(settings.agents, settings.horizon, ())
        server = EnvServer(router, coordinator, games, log, statistics, dims, clock)
        server.serve(process, process)
        invalid = coordinator.counts.protocol_errors
        require(not invalid, "no message is invalid", invalid)

    def _seat(self, incarnation):
        settings = self.settings
        symbols = EXPERIMENTS[settings.experiment].symbols
        sizes = (settings.agents, ACTIONS, symbols, settings.lanes, settings.games)
        return Seat(incarnation, *sizes, settings.horizon, VIEW, PALETTE)

    def _run_actor(self, process, arena, agent):
        settings, record, clock = self.settings, self.record, process.scheduler.read
        epoch, dims = self.rng.getrandbits(62), settings.dims(agent)
        view = ActorView(settings, process, arena, agent, epoch)
        to_env = Dealer(self.network, process, f"env-{arena}", record)
        to_learner = Dealer(self.network, process, f"learner-{agent}", record)
        subscription = Subscriber(self.network, process, f"learner-{agent}", record)
        process.sources = (to_env, to_learner, subscription)
        outbox = ObservedOutbox(settings, view, clock)
        rngs = [self._rng_of_lane(arena, agent, lane) for lane in range(settings.lanes)]
        ledger = self.disk.path(process, "ledgers", f"{process.role}-{epoch:016x}.json")
        agents = [SimulatedAgent(settings, record, view, rng) for rng in rngs]
        join = Join(agent, epoch, FINGERPRINT)
        hello = Hello(agent, arena, epoch, FINGERPRINT)
        link = (to_learner, subscription)
        actor = Actor(
            process,
            EnvClient(to_env, join, settings.lanes, dims, clock),
            LearnerClient(*link, hello, outbox, dims, WEIGHT_SHAPES, clock),
            [ActorLane(index, each, dims) for index, each in enumerate(agents)],
            Ledger(ledger, arena, agent, epoch),
            clock,
        )
        record.on_actor(view)  # its ledger exists
        view.is_drained = actor.run()
        invalid = actor.env.protocol_errors + actor.learner.protocol_errors
        require(not invalid, "no message is invalid", invalid)
        return view.is_drained

    def _rng_of_lane(self, arena, agent, lane):
        if not self.settings.deterministic:
            return self.rng
        return Random(f"{arena} {agent} {lane}")  # noqa: S311 - for a simulation

    def _run_learner(self, process, agent):
        settings, clock = self.settings, process.scheduler.read
        trainer = RecordingTrainer(settings, agent)
        checkpoints = self.disk.path(process, "checkpoints", process.role)
        ledger = self.disk.path(process, "ledgers", f"{process.role}.json")
        progress = restore(checkpoints, trainer, FINGERPRINT, ledger)
        receiver = SegmentReceiver(
            agent,
            self.rng.getrandbits(62),
            FINGERPRINT,
            settings.retained,
            progress.watermarks if progress else (),
            progress.counts if progress else SegmentCounts(),
            deterministic=settings.deterministic,
        )
        training = Training(settings, self.record, process, self.rng)
        learner = Learner(
            Links(self.network, process, self.record),
            trainer,
            receiver,
            Checkpointer(checkpoints, ledger, settings.checkpoint_seconds, 2, clock),
            settings.dims(agent),
            settings.window,
            settings.batch_threshold,
            settings.budget * settings.segment_steps,
            settings.deterministic,
            settings.wait_for_arenas,
            clock,
            train=training,
        )
        training.learner = learner
        learner.run()
        self.record.check_counts(learner)
        if not settings.deterministic:
            require(not receiver.queued, "a learner that stops trains on all that it received")
        require(not receiver.has_uncommitted, "a learner that stops makes all of it durable")
        require(not learner.protocol_errors, "no message is invalid", learner.protocol_errors)


class ObservedOutbox(Outbox):
    """An Outbox whose segments are counted apart from it."""

    def __init__(self, settings, view, clock):
        limits = (settings.lanes, settings.retained)
        super().__init__(*limits, deterministic=settings.deterministic)
        self._view = view
        self._clock = clock

    def add(self, frames):
        """Keep the next segment."""
        super().add(frames)
        self._view.on_made(self._clock())


class Links:
    """A learner's links to its actors."""

    def __init__(self, network, process, record):
        self._router = Router(network, process, record)
        self._publisher = Publisher(network, process, record)
        process.sources = (self._router,)
        self._process = process
        self._record = record
        self.receive = self._router.receive
        self.send = self._router.send
        self.publish = self._publisher.publish

    def wait(self, seconds):
        """Wait for messages; false when asked to stop."""
        self._record.on_learner_waits(self._process)
        return self._process.wait(seconds)
