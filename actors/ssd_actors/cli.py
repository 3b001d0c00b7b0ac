"""`ssd-actor`: one agent in one arena, as a process."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import click
import numpy as np
import torch

from ssd_actors.actor import Actor
from ssd_actors.agent import Agent
from ssd_actors.env_client import EnvClient
from ssd_actors.lane import Lane
from ssd_actors.learner_client import LearnerClient
from ssd_actors.ledger import Ledger
from ssd_actors.metrics import ActorMetrics
from ssd_actors.outbox import Outbox
from ssd_actors.segment_builder import SegmentShape
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.networks.agent_network import network_class
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.errors import RunFileError
from ssd_wire.links import Dealer, Subscriber, Waiting
from ssd_wire.memory import keep_freed_memory
from ssd_wire.messages import Hello, Join
from ssd_wire.process import announce, log_as, process_options, reports_errors, serve_metrics
from ssd_wire.runfile import RunSettings, blaming, fingerprint, load_run_file, section
from ssd_wire.stop import Stop


class ZmqPoller:
    """Waits for ZeroMQ lines and for the word to stop."""

    def __init__(self, stop: Stop, *links: Dealer | Subscriber) -> None:
        self._stop = stop
        self._waiting = Waiting(stop, links)

    def wait(self, seconds: float) -> bool:
        """Return when something came or time is up; false when asked to stop."""
        self._waiting.wait(seconds)
        return not self._stop.requested


@click.command()
@process_options
@click.option("--agent", required=True, type=click.IntRange(0), help="Which agent to be.")
@click.option("--arena", required=True, type=click.IntRange(0), help="In which arena.")
@click.option("--world", "world_endpoint", required=True, help="Endpoint of the arena's ssd-env.")
@click.option("--learner", required=True, help="Endpoint of the agent's ssd-learner.")
@click.option("--weights", required=True, help="Endpoint where that learner publishes weights.")
@reports_errors
def main(
    run_file: Path,
    run_dir: Path | None,
    metrics: str,
    lifeline: int | None,
    agent: int,
    arena: int,
    world_endpoint: str,
    learner: str,
    weights: str,
) -> None:
    """Be one agent in one arena: act, reckon its influence, report to its learner."""
    stop = Stop(lifeline)
    role = f"actor-{arena}-{agent}"
    log = log_as(role)
    torch.set_num_threads(1)
    keep_freed_memory()
    sections = load_run_file(run_file)
    run = section(sections, "run", RunSettings)
    game = section(sections, "game", GameSettings)
    experiment = section(sections, "experiment", ExperimentSettings)
    network = section(sections, "network", NetworkSettings)
    spec = game_spec(game)
    if agent >= spec.num_agents:
        raise RunFileError(f"wanted an agent of 0 to {spec.num_agents - 1}, found {agent}")

    epoch = secrets.randbits(62)
    shape = AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)
    noise = torch.Generator()
    seed = np.random.SeedSequence((run.seed, arena, agent, epoch)).generate_state(1, np.uint64)
    noise.manual_seed(int(seed[0]))
    with blaming("network"):
        network_class(network)
    with blaming("experiment"):
        minds = [Agent(shape, network, experiment, run.games, noise) for _ in range(run.lanes)]
    segment = SegmentShape.of(run, spec, experiment, minds[0].network.state_size)
    sizes = {
        "T": run.segment,
        "B": run.games,
        "N": spec.num_agents,
        "W": spec.view,
        "P": len(spec.palette),
        "A": spec.num_actions,
        **minds[0].axes,
    }
    shapes = {name: tuple(w.shape) for name, w in minds[0].network.named_parameters()}

    mark = fingerprint(run, game, experiment, network)
    to_world = Dealer(world_endpoint)
    to_learner = Dealer(learner)
    news = Subscriber(weights)
    join = Join(agent, actor_incarnation=epoch, fingerprint=mark)
    hello = Hello(agent, arena, epoch, mark)
    outbox = Outbox(run.lanes, run.retained)
    ledger = run_dir / "ledgers" / f"{role}-{epoch:016x}.json" if run_dir else None
    actor = Actor(
        ZmqPoller(stop, to_world, to_learner, news),
        EnvClient(to_world, join, run.lanes, sizes, time.monotonic),
        LearnerClient(to_learner, news, hello, outbox, sizes, shapes, time.monotonic),
        [Lane(number, mind, segment) for number, mind in enumerate(minds)],
        Ledger(ledger, arena, agent, epoch),
    )
    lines = {"world": to_world, "learner": to_learner}
    address = serve_metrics(ActorMetrics(actor, lines), metrics, role)
    announce(run_dir, role, {"metrics": address})
    log.info("epoch %016x, metrics at %s", epoch, address)
    actor.live()
    log.info("stopped: %d segments made, %d durable", outbox.made, outbox.durable)


if __name__ == "__main__":
    main()
