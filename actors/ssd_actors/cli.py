"""`ssd-actor`: the command that runs one agent in one arena."""

from __future__ import annotations

import secrets
import sys
import time
from dataclasses import dataclass, replace
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
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.networks.agent_network import network_class
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.codec import largest_frame
from ssd_wire.errors import RunFileError
from ssd_wire.messages import Hello, Join, Seat, Timestep
from ssd_wire.process.allocator import keep_freed_memory
from ssd_wire.process.command import (
    NOT_DRAINED,
    choose_start_number,
    configure_logging,
    process_options,
    reports_errors,
    serve_metrics,
    start_number_option,
    write_process_entry,
)
from ssd_wire.process.health import Health
from ssd_wire.process.stop import Stop
from ssd_wire.pub_sub import Subscriber
from ssd_wire.run_file import (
    RunSettings,
    errors_in_section,
    fingerprint,
    load_complete_run_file,
    section,
)
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.sockets import Dealer, Poller
from ssd_wire.weights import encoded_size


@click.command()
@process_options
@click.option("--agent", required=True, type=click.IntRange(0), help="Number of the agent.")
@click.option("--arena", required=True, type=click.IntRange(0), help="Number of the arena.")
@click.option("--env", "env_endpoint", required=True, help="Endpoint of the arena's ssd-env.")
@click.option(
    "--learner", "learner_endpoint", required=True, help="Endpoint of the agent's ssd-learner."
)
@click.option(
    "--weights",
    "weights_endpoint",
    required=True,
    help="Endpoint where that learner publishes weights.",
)
@start_number_option
@reports_errors
def main(
    run_file: Path,
    run_dir: Path | None,
    metrics: str,
    keys: Path | None,
    parent_pipe: int | None,
    agent: int,
    arena: int,
    env_endpoint: str,
    learner_endpoint: str,
    weights_endpoint: str,
    start_number: int | None,
) -> None:
    """Run one agent in one arena: act, and send what happened to the agent's learner."""
    stop = Stop(parent_pipe)
    role = f"actor-{arena}-{agent}"
    log = configure_logging(role)
    torch.set_num_threads(1)
    keep_freed_memory()
    settings = _Settings.load(run_file)
    run, epoch = settings.run, secrets.randbits(62)
    agents = _make_agents(settings, arena, agent, choose_start_number(start_number, run))
    dims = replace(agents[0].dims, T=run.segment)
    tensor_shapes = {name: tuple(w.shape) for name, w in agents[0].network.named_parameters()}

    security = SocketSecurity.load(keys, f"actor-{agent}")
    of_learner = security.client_options(f"learner-{agent}")
    from_env = largest_frame((Seat, Timestep), dims.lengths)
    to_env = Dealer(env_endpoint, security.client_options("env"), from_env)
    to_learner = Dealer(learner_endpoint, of_learner, encoded_size(tensor_shapes))
    subscription = Subscriber(weights_endpoint, of_learner, encoded_size(tensor_shapes))
    join = Join(agent, epoch, settings.fingerprint)
    hello = Hello(agent, arena, epoch, settings.fingerprint)
    outbox = Outbox(run.lanes, run.retained, deterministic=run.deterministic)
    ledger = run_dir / "ledgers" / f"{role}-{epoch:016x}.json" if run_dir else None
    poller = Poller(stop, [to_env, to_learner, subscription])
    actor = Actor(
        poller,
        EnvClient(to_env, join, run.lanes, dims, time.monotonic),
        LearnerClient(to_learner, subscription, hello, outbox, dims, tensor_shapes, time.monotonic),
        [Lane(index, each, dims) for index, each in enumerate(agents)],
        Ledger(ledger, arena, agent, epoch),
    )
    health = Health(lambda: poller.waited_at, lambda: actor.agent_steps)
    address = serve_metrics(ActorMetrics(actor, [to_env, to_learner]), metrics, role, health)
    write_process_entry(run_dir, role, {"metrics": address})
    log.info("epoch %016x, metrics at %s", epoch, address)
    is_drained = actor.run()
    log.info("stopped: %d segments made, %d durable", outbox.made, outbox.durable)
    if not is_drained:
        log.error("the learner did not make all segments durable in time")
        sys.exit(NOT_DRAINED)


@dataclass(frozen=True)
class _Settings:
    """The sections of the run file that an actor uses."""

    run: RunSettings
    game: GameSettings
    experiment: ExperimentSettings
    network: NetworkSettings

    @classmethod
    def load(cls, run_file: Path) -> _Settings:
        sections = load_complete_run_file(run_file)
        return cls(
            section(sections, "run", RunSettings),
            section(sections, "game", GameSettings),
            section(sections, "experiment", ExperimentSettings),
            section(sections, "network", NetworkSettings, network_class),
        )

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.run, self.game, self.experiment, self.network)


def _make_agents(settings: _Settings, arena: int, agent: int, start_number: int) -> list[Agent]:
    """This agent, once for each lane, with a random generator of its own.

    Raises:
        RunFileError: the run file is unusable, or the game has no such agent.
    """
    spec = game_spec(settings.game)
    if agent >= spec.num_agents:
        raise RunFileError(f"wanted an agent of 0 to {spec.num_agents - 1}, found {agent}")
    shape = AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette)
    sections = settings.network, settings.experiment
    with errors_in_section("experiment"):
        return [
            Agent(
                shape,
                *sections,
                settings.run.games,
                _make_rng(settings.run.seed, arena, agent, start_number, lane),
            )
            for lane in range(settings.run.lanes)
        ]


def _make_rng(*key: int) -> torch.Generator:
    """A random generator whose seed is derived from the key."""
    words = np.random.SeedSequence(key).generate_state(1, np.uint64)
    rng = torch.Generator()
    rng.manual_seed(int(words[0]))
    return rng


if __name__ == "__main__":
    main()
