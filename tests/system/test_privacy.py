"""Processes started one by one; what reaches an actor: every byte on each of its connections."""

import json
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgpack
import numpy as np
import pytest
from tests.system.relay import Relay

from ssd_run.metrics_page import rows, served
from ssd_wire.codec import decode
from ssd_wire.messages import Ack, Refused, Seat, Timestep, Welcome
from ssd_wire.weights import decode_weights

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine

AGENTS = 2
OWN_STEPS = 800  # 200 timesteps of 4 games
PRESETS = {"harvest-moa": [], "harvest-basic": ["experiment.leaders=1"]}


class Overheard:
    """All that reached one actor."""

    def __init__(self, world, learner, weights):
        self.relays = [world, learner, weights]
        self.timesteps, self.welcomes = [], []
        for message in (decode(m, (Seat, Timestep, Refused), {}) for m in world.messages()):
            if isinstance(message, Timestep):
                self.timesteps.append(message)
        for message in (decode(m, (Welcome, Ack, Refused), {}) for m in learner.messages()):
            if isinstance(message, Welcome):
                self.welcomes.append(message)
        published = [frame for (frame,) in weights.messages()]
        carried = [welcome.weights for welcome in self.welcomes]
        welcomed = [weights.tobytes() for weights in carried if weights is not None]
        self.weights = [_decoded(frame) for frame in (*welcomed, *published)]
        self.bytes = b"".join(bytes(stream) for relay in self.relays for stream in relay.heard)


def _decoded(frame):
    """Weights, whatever the shapes that their header tells."""
    size = int.from_bytes(frame[:4], "big")
    shapes = {name: tuple(shape) for name, shape in msgpack.unpackb(frame[4 : 4 + size])[3]}
    return decode_weights(frame, shapes)


def connected_to(pid):
    """Ports at the other ends of a process's tcp connections."""
    links = (entry.readlink() for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink())
    inodes = {str(link)[8:-1] for link in links if str(link).startswith("socket:")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].partition(":")[2], 16) for row in rows if row[9] in inodes} - {0}


@dataclass(frozen=True)
class Run:
    """A run by hand that was stopped when all agents had learned.

    Attributes:
        preset: Its name.
        hand: Who started its processes.
        overheard: By agent, all that reached its actor.
        relays, ports: By agent, where its actor was to connect, and what it was connected to.
        codes: Exit codes of all processes.
        metrics: What one process of each kind served, when all had learned.
    """

    preset: str
    hand: object
    overheard: list
    relays: list
    ports: list
    codes: list
    metrics: dict


@pytest.fixture(scope="module")
def make_relay():
    """Makes a relay to an address, adds it to a list, and tells where it listens."""
    made = []

    def make(relays, target):
        relays.append(Relay(target))
        made.append(relays[-1])
        return relays[-1].endpoint

    yield make
    for relay in made:
        relay.close()


@pytest.fixture(scope="module", params=PRESETS)
def run(request, by_hand, make_relay):
    hand = by_hand(request.param, *PRESETS[request.param])
    world = hand.world()
    learners = [hand.learner(agent) for agent in range(AGENTS)]
    relays, actors = [], []
    for agent in range(AGENTS):
        relays.append([])
        actors.append(hand.actor(agent, partial(make_relay, relays[-1])))

    def have_learned():
        return all(hand.ledger(a).get("own_steps", 0) > OWN_STEPS for a in range(AGENTS))

    hand.wait("all to have learned", have_learned)
    ports = [connected_to(actor.pid) for actor in actors]
    metrics = served(hand.dir)
    codes = []
    for group in (actors, learners, [world]):
        for process in group:
            process.send_signal(signal.SIGTERM)
        codes += [process.wait(timeout=30) for process in group]
    overheard = [Overheard(*own) for own in relays]
    return Run(request.param, hand, overheard, relays, ports, codes, metrics)


def test_processes_started_by_hand_over_tcp_train_together_and_stop_cleanly(run):
    assert run.codes == [0] * (2 * AGENTS + 1)
    ledgers = run.hand.dir.glob("ledgers/actor-*.json")
    made = [json.loads(path.read_text())["made"] for path in ledgers]
    trained = [run.hand.ledger(agent)["segments"]["trained"] for agent in range(AGENTS)]
    assert sum(made) == sum(trained) > 0


def test_all_that_a_process_serves_to_prometheus_is_on_the_page_of_metrics(run):
    page = (Path(__file__).parents[2] / "deploy" / "METRICS.md").read_text().splitlines()
    for metrics in run.metrics.values():
        assert set(rows(metrics)) <= set(page)


def test_an_actor_is_told_of_others_what_its_experiment_says_and_nothing_else(run):
    for k, (mine, own, there) in enumerate(zip(run.overheard, run.relays, run.ports, strict=True)):
        assert there == {relay.port for relay in own}, "it talks to nobody else"
        assert all(relay.commands() <= {b"READY", b"PING", b"PONG"} for relay in own)
        assert len(mine.timesteps) > 100
        for seen in mine.timesteps:
            assert seen.all_rewards is None
            assert seen.leader_log_probs is None
            assert (seen.responses is not None) == (run.preset == "harvest-basic" and k == 0)
            assert (seen.leader_actions is not None) == (run.preset == "harvest-basic" and k == 1)
            assert seen.symbols is None
    _check_rewards(run.overheard)
    _check_weights(run.overheard)


def _check_rewards(actors):
    """Nobody's but its own."""
    told = [{(s.lane, s.tick): s for s in one.timesteps} for one in actors]
    differ = 0
    for at in told[0].keys() & told[1].keys():
        mine, theirs = told[0][at], told[1][at]
        if theirs.reward.any() and (theirs.reward != mine.reward).any():
            differ += 1
            everything = [value for value in vars(mine).values() if isinstance(value, np.ndarray)]
            assert theirs.reward.tobytes() not in b"|".join(map(np.ndarray.tobytes, everything))
    assert differ > 10


def _check_weights(actors):
    """Each has weights of one learner, its own, and not a part of anybody else's."""
    learners = [{weights.learner for weights in one.weights} for one in actors]
    assert [len(of_one) for of_one in learners] == [1] * AGENTS
    assert len(set().union(*learners)) == AGENTS
    for one in actors:
        assert max(weights.version for weights in one.weights) > 0
        for other in actors:
            parts = [t.tobytes()[:64] for weights in other.weights for t in _matrices(weights)]
            assert len(parts) > 20
            assert all((part in one.bytes) == (one is other) for part in parts)


def _matrices(weights):
    return [tensor for tensor in weights.tensors.values() if tensor.ndim > 1]
