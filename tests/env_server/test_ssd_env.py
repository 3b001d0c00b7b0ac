"""The `ssd-env` process over real sockets, with minimal actors."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from ssd_env_server.cli import load_settings
from ssd_envs.spec import game_spec
from ssd_influence.roles import optional_axes, role_of
from ssd_wire.codec import decode, encode
from ssd_wire.dims import Dims
from ssd_wire.messages import Act, Join, Refused, Seat, Timestep
from ssd_wire.sockets import Dealer

RUN_FILE = '''
[run]
lanes = 2
games = 2
segment = 4
[game]
name = "harvest"
agents = 2
horizon = 12
map = """
######
#+oo+#
#.oo.#
######
"""
'''


class MinimalActor:
    """Plays one agent at random, and repeats itself when nothing arrives."""

    def __init__(self, arena, agent, incarnation, script):
        self.agent, self.script = agent, script
        self.dealer = Dealer(arena.endpoint)
        run, game, experiment, fingerprint = load_settings(arena.run_file)
        self.join = Join(agent, incarnation, fingerprint)
        spec, role = game_spec(game), role_of(experiment, agent, game.agents)
        optional = optional_axes(role, experiment, spec.num_actions)
        self.lengths = Dims.of(spec, run.games, **optional).lengths
        self.seat = None
        self.timesteps = {}
        self.refusals = []
        self.sent_at = 0.0
        self.last = [self.join]

    def update(self):
        for frames in self.dealer.receive():
            self.receive(decode(frames, (Seat, Timestep, Refused), self.lengths))
        if time.monotonic() - self.sent_at > 0.3:
            for message in self.last:
                self.send(message)

    def send(self, message):
        self.sent_at = time.monotonic()
        self.dealer.send(encode(message))

    def receive(self, message):
        if isinstance(message, Seat):
            self.seat, self.timesteps, self.last = message, {}, []
        elif isinstance(message, Refused):
            self.refusals.append(message)
            self.last = [] if message.fatal else [self.join]
        elif message.tick > self.tick(message.lane):
            self.timesteps[message.lane] = message
            place = (message.env_incarnation, message.lane, message.tick)
            self.send(self.script(*place, self.agent, self.lengths))

    def tick(self, lane):
        return self.timesteps[lane].tick if lane in self.timesteps else -1


class ArenaProcess:
    """A real `ssd-env` process in its own directory, and its actors."""

    def __init__(self, folder, script=None, text=RUN_FILE):
        self.folder, self.script = folder, script
        self.run_file = folder / "run.toml"
        self.run_file.write_text(text)
        self.run_dir = folder / "run"
        self.endpoint = f"ipc://{folder}/env"
        self.log = folder / f"log-{id(self)}"
        self.process = None
        self.actors = []

    def start(self, *flags, **options):
        command = [sys.executable, "-m", "ssd_env_server.cli", "--run", str(self.run_file)]
        command += ["--run-dir", str(self.run_dir), "--arena", "0", "--bind", self.endpoint]
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*command, *flags], stderr=log, **options)
        return self

    def enter(self, agent, incarnation):
        self.actors.append(MinimalActor(self, agent, incarnation, self.script))
        return self.actors[-1]

    def leave(self, actor):
        actor.dealer.close()
        self.actors.remove(actor)

    def play_until(self, condition, seconds=30.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "nothing happens"
            select.select([actor.dealer.zmq_socket.FD for actor in self.actors], [], [], 0.001)
            for actor in self.actors:
                actor.update()

    def episodes(self):
        path = self.run_dir / "episodes" / "arena-0.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.ended()

    def ended(self):
        """Its exit code and log, after it has ended."""
        return self.process.wait(timeout=30), self.log.read_text()


@pytest.fixture
def arena(script):
    with tempfile.TemporaryDirectory(prefix="ssd-") as folder:  # short, as ipc paths must be
        made = ArenaProcess(Path(folder), script)
        yield made
        for actor in made.actors:
            actor.dealer.close()
        if made.process and made.process.poll() is None:
            made.process.kill()
            made.process.wait()


def test_actors_play_two_episodes_and_the_server_stops_cleanly(arena):
    arena.start()
    actors = [arena.enter(agent, 1) for agent in range(2)]
    arena.play_until(lambda: min(actor.tick(lane) for actor in actors for lane in (0, 1)) >= 24)
    assert actors[0].seat.agents == 2
    code, log = arena.end()
    assert code == 0, log
    assert "Traceback" not in log
    whole = [line for line in arena.episodes() if line["length"] == 12]
    assert {(line["lane"], line["game"]) for line in whole} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(line["collective_return"] == sum(line["returns"]) for line in whole)


@pytest.mark.parametrize(
    "experiment",
    [
        'influence = "basic"\nleaders = 1\ninfluencee_reward = true',
        'influence = "communication"\nsymbols = 4\nreward = "prosocial"',
    ],
    ids=["basic", "communication"],
)
def test_actors_play_with_disclosure_and_leaders(arena, experiment):
    arena.run_file.write_text(f"{RUN_FILE}\n[experiment]\n{experiment}\n")
    arena.start()
    actors = [arena.enter(agent, 1) for agent in range(2)]
    arena.play_until(lambda: min(actor.tick(lane) for actor in actors for lane in (0, 1)) >= 24)
    assert not any(actor.refusals for actor in actors)


def test_the_successor_of_a_killed_actor_enters_at_the_first_unanswered_tick(arena):
    arena.start()
    first, stays = arena.enter(0, 1), arena.enter(1, 1)
    arena.play_until(lambda: stays.tick(0) >= 5)
    arena.leave(first)
    arena.play_until(lambda: time.monotonic() - stays.sent_at > 0.1)
    stuck = {lane: stays.tick(lane) for lane in (0, 1)}
    second = arena.enter(0, 2)
    arena.play_until(lambda: len(second.timesteps) == 2 and stays.tick(0) > stuck[0] + 5)
    assert not stays.refusals
    assert not second.refusals


def test_two_processes_for_one_agent_do_not_share_its_seat(arena):
    arena.start()
    old, other = arena.enter(0, 1), arena.enter(1, 1)
    arena.play_until(lambda: other.tick(0) >= 3)
    new = arena.enter(0, 2)
    arena.play_until(lambda: new.tick(0) > 5 and old.refusals)
    assert old.refusals[0].fatal
    assert not new.refusals


def test_actors_join_the_successor_of_a_killed_server_as_a_new_incarnation(arena):
    arena.start()
    actors = [arena.enter(agent, 1) for agent in range(2)]
    arena.play_until(lambda: actors[0].tick(0) >= 13)
    before = actors[0].seat.env_incarnation
    arena.end(signal.SIGKILL)
    for actor in actors:
        actor.last = [
            Act(before, lane, step.tick, False, np.zeros(2, np.uint8))
            for lane, step in actor.timesteps.items()
        ]
    arena.start()
    arena.play_until(
        lambda: all(a.seat.env_incarnation != before and a.tick(0) >= 13 for a in actors)
    )
    assert not any(refused.fatal for actor in actors for refused in actor.refusals)
    incarnations = {line["env_incarnation"] for line in arena.episodes()}
    assert len(incarnations) == 2
    seeds = [line["seed"] for line in arena.episodes()]
    assert len(set(seeds)) == len(seeds)


def test_it_writes_its_addresses_into_the_run_directory(arena):
    arena.start()
    actor = arena.enter(0, 1)
    arena.play_until(lambda: actor.seat)
    entry = json.loads((arena.run_dir / "processes" / "env-0.json").read_text())
    assert entry["env"] == arena.endpoint
    assert entry["pid"] == arena.process.pid
    host, port = entry["metrics"].split(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


def test_it_stops_when_its_launcher_ends(arena):
    read, write = os.pipe()
    arena.start("--parent-pipe", str(read), pass_fds=(read,))
    actor = arena.enter(0, 1)
    arena.play_until(lambda: actor.seat)
    os.close(write)
    os.close(read)
    code, log = arena.ended()
    assert code == 0, log


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("horizon = 12", "horizon = 0"), "[game] horizon"),
        (('name = "harvest"', 'name = "chess"'), "[game] name"),
        (("games = 2", "gmaes = 2"), "[run] gmaes"),
        (("#+oo+#", "#+oo.#"), "[game] the map has 1 spawn cells"),
        (("[game]", "[experiment]\nsymbols = 1\n[game]"), "[experiment] symbols = 1"),
        (("[game]", "[experiment]\nleaders = 2\n[game]"), "[experiment] leaders: wanted 1 to 1"),
        (("[game]", "[network]\nlstm = 0\n[game]"), "[network] lstm"),
    ],
    ids=[
        "bad horizon",
        "unknown game",
        "misspelled key",
        "too few spawn cells",
        "one symbol",
        "only leaders",
        "no LSTM cells",
    ],
)
def test_an_error_in_the_run_file_is_one_line_and_exit_code_78(arena, change, message):
    arena.run_file.write_text(RUN_FILE.replace(*change))
    code, log = arena.start().ended()
    assert code == 78
    [line] = log.splitlines()
    assert message in line


def test_a_second_server_at_the_same_endpoint_is_refused(arena):
    arena.start()
    actor = arena.enter(0, 1)
    arena.play_until(lambda: actor.seat)
    code, log = ArenaProcess(arena.folder).start().ended()
    assert code == 78
    assert "in use by another process" in log


def test_it_starts_without_torch():
    loaded = "import sys, ssd_env_server.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0
