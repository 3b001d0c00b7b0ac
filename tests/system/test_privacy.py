"""Processes started one by one: every byte that reaches an actor, on all of its connections."""

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


class Received:
    """Everything that reached one actor."""

    def __init__(self, env, learner, weights):
        self.relays = [env, learner, weights]
        self.timesteps, self.welcomes = [], []
        for message in (decode(m, (Seat, Timestep, Refused), {}) for m in env.messages()):
            if isinstance(message, Timestep):
                self.timesteps.append(message)
        for message in (decode(m, (Welcome, Ack, Refused), {}) for m in learner.messages()):
            if isinstance(message, Welcome):
                self.welcomes.append(message)
        published = [frame for (frame,) in weights.messages()]
        carried = [welcome.weights for welcome in self.welcomes]
        welcomed = [weights.tobytes() for weights in carried if weights is not None]
        self.weights = [_decoded(frame) for frame in (*welcomed, *published)]
        self.bytes = b"".join(bytes(stream) for relay in self.relays for stream in relay.received)


def _decoded(frame):
    """Decode weights with the shapes in their header."""
    size = int.from_bytes(frame[:4], "big")
    shapes = {name: tuple(shape) for name, shape in msgpack.unpackb(frame[4 : 4 + size])[3]}
    return decode_weights(frame, shapes)


def connected_to(pid):
    """Remote ports of a process's tcp connections."""
    links = (entry.readlink() for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink())
    inodes = {str(link)[8:-1] for link in links if str(link).startswith("socket:")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].partition(":")[2], 16) for row in rows if row[9] in inodes} - {0}


@dataclass(frozen=True)
class Run:
    """A manually started run that was stopped when all agents had trained.

    Attributes:
        preset: Its name.
        manual: Starts its processes.
        received: By agent, everything that reached its actor.
        relays, ports: By agent, the relays of its actor, and the ports it was connected to.
        codes: Exit codes of all processes.
        metrics: Of one process of each kind, when all had trained.
    """

    preset: str
    manual: object
    received: list
    relays: list
    ports: list
    codes: list
    metrics: dict


@pytest.fixture(scope="module")
def make_relay():
    """Makes a relay to an address, adds it to a list, and returns its address."""
    made = []

    def make(relays, target):
        relays.append(Relay(target))
        made.append(relays[-1])
        return relays[-1].endpoint

    yield make
    for relay in made:
        relay.close()


@pytest.fixture(scope="module", params=PRESETS)
def run(request, manual_run, make_relay):
    manual = manual_run(request.param, *PRESETS[request.param])
    env = manual.env()
    learners = [manual.learner(agent) for agent in range(AGENTS)]
    relays, actors = [], []
    for agent in range(AGENTS):
        relays.append([])
        actors.append(manual.actor(agent, partial(make_relay, relays[-1])))

    def have_trained():
        return all(manual.ledger(a).get("own_steps", 0) > OWN_STEPS for a in range(AGENTS))

    manual.wait("all to have trained", have_trained)
    ports = [connected_to(actor.pid) for actor in actors]
    metrics = served(manual.dir)
    codes = []
    for group in (actors, learners, [env]):
        for process in group:
            process.send_signal(signal.SIGTERM)
        codes += [process.wait(timeout=30) for process in group]
    received = [Received(*own) for own in relays]
    return Run(request.param, manual, received, relays, ports, codes, metrics)


def test_processes_started_by_hand_over_tcp_train_together_and_stop_cleanly(run):
    assert run.codes == [0] * (2 * AGENTS + 1)
    ledgers = run.manual.dir.glob("ledgers/actor-*.json")
    made = [json.loads(path.read_text())["made"] for path in ledgers]
    trained = [run.manual.ledger(agent)["segments"]["trained"] for agent in range(AGENTS)]
    assert sum(made) == sum(trained) > 0


def test_all_metrics_that_processes_serve_are_on_the_page_of_metrics(run):
    page = (Path(__file__).parents[2] / "deploy" / "METRICS.md").read_text().splitlines()
    for metrics in run.metrics.values():
        assert set(rows(metrics)) <= set(page)


def test_an_actor_receives_of_other_agents_only_what_its_experiment_requires(run):
    for k, (mine, own, there) in enumerate(zip(run.received, run.relays, run.ports, strict=True)):
        assert there == {relay.port for relay in own}, "it has no other connection"
        assert all(relay.commands() <= {b"READY", b"PING", b"PONG"} for relay in own)
        assert len(mine.timesteps) > 100
        for seen in mine.timesteps:
            assert seen.all_rewards is None
            assert seen.leader_log_probs is None
            assert (seen.responses is not None) == (run.preset == "harvest-basic" and k == 0)
            assert (seen.leader_actions is not None) == (run.preset == "harvest-basic" and k == 1)
            assert seen.symbols is None
    _check_rewards(run.received)
    _check_weights(run.received)


def _check_rewards(actors):
    """An actor receives only its own rewards."""
    by_tick = [{(s.lane, s.tick): s for s in one.timesteps} for one in actors]
    differ = 0
    for at in by_tick[0].keys() & by_tick[1].keys():
        mine, theirs = by_tick[0][at], by_tick[1][at]
        if theirs.reward.any() and (theirs.reward != mine.reward).any():
            differ += 1
            everything = [value for value in vars(mine).values() if isinstance(value, np.ndarray)]
            assert theirs.reward.tobytes() not in b"|".join(map(np.ndarray.tobytes, everything))
    assert differ > 10


def _check_weights(actors):
    """An actor receives weights of its own learner only."""
    learners = [{weights.learner_incarnation for weights in one.weights} for one in actors]
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
