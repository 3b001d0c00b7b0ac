"""`ssd-env`: the command line of the environment server."""

from __future__ import annotations

import secrets
from pathlib import Path

import click
import numpy as np

from ssd_env_server.disclosed import Disclosed
from ssd_env_server.episodes import Arena, EpisodeLog
from ssd_env_server.games import LaneGames
from ssd_env_server.lane import Lane
from ssd_env_server.metrics import WorldMetrics
from ssd_env_server.referee import Referee
from ssd_env_server.server import Door, World
from ssd_envs.batch import GameBatch
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.roles import Role, optional_axes, role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.dims import Dims
from ssd_wire.messages import Seat
from ssd_wire.process import (
    configure_logging,
    process_options,
    reports_errors,
    serve_metrics,
    write_process_entry,
)
from ssd_wire.run_file import RunSettings, errors_in_section, fingerprint, load_run_file, section
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.sockets import Poller, Router
from ssd_wire.stop import Stop

ANY_INCARNATION = 2**62  # random numbers are drawn below it


@click.command()
@process_options
@click.option("--arena", required=True, type=click.IntRange(0, 2**31), help="This arena's number.")
@click.option("--bind", "endpoint", required=True, help="Where actors join, ipc:// or tcp://.")
@click.option(
    "--incarnation",
    type=click.IntRange(0, 2**63 - 1),
    help="What sets this server's episodes apart from those of earlier ones; random by default.",
)
@reports_errors
def main(
    run_file: Path,
    run_dir: Path | None,
    metrics: str,
    keys: Path | None,
    parent_pipe: int | None,
    arena: int,
    endpoint: str,
    incarnation: int | None,
) -> None:
    """Play the games of one arena, and referee between its actors."""
    stop = Stop(parent_pipe)
    role = f"env-{arena}"
    log = configure_logging(role)
    run, game, experiment, run_fingerprint = load_settings(run_file)
    if incarnation is None:
        incarnation = secrets.randbelow(ANY_INCARNATION)

    security = SocketSecurity.load(keys, "env")
    actors = [f"actor-{agent}" for agent in range(game.agents)]
    door = Router(endpoint, security, actors)
    place = Arena(run.seed, arena, incarnation)
    record = run_dir / "episodes" / f"arena-{arena}.jsonl" if run_dir else None
    world = make_world(door, run, game, experiment, run_fingerprint, place, record)
    address = serve_metrics(WorldMetrics(world), metrics, role)
    write_process_entry(run_dir, role, {"metrics": address, "world": door.endpoint})
    log.info("%d lanes of %d games of %s at %s", run.lanes, run.games, game.name, door.endpoint)

    world.serve(stop, Poller(stop, [door]))
    log.info("stops after %d ticks", sum(lane.tick for lane in world.games))
    world.episodes.close()
    door.close()
    security.close()


def load_settings(run_file: Path) -> tuple[RunSettings, GameSettings, ExperimentSettings, str]:
    """What this process needs of the run file, and the fingerprint of all that must agree.

    Raises:
        RunFileError: when the file or one of these sections is unusable, or the experiment is none
            for the game's agents.
    """
    sections = load_run_file(run_file)
    run = section(sections, "run", RunSettings)
    game = section(sections, "game", GameSettings)
    experiment = section(sections, "experiment", ExperimentSettings)
    network = section(sections, "network", NetworkSettings)
    cast_of(experiment, game)
    return run, game, experiment, fingerprint(run, game, experiment, network)


def cast_of(experiment: ExperimentSettings, game: GameSettings) -> list[Role]:
    """[N] the role of each agent.

    Raises:
        RunFileError: when the experiment's leaders or roles are not for so many agents.
    """
    agents = game_spec(game).num_agents
    with errors_in_section("experiment"):
        return [role_of(experiment, agent, agents) for agent in range(agents)]


def make_world(
    door: Door,
    run: RunSettings,
    game: GameSettings,
    experiment: ExperimentSettings,
    run_fingerprint: str,
    arena: Arena,
    record: Path | None,
) -> World:
    """A world at its first tick, with its kernels compiled and nobody in it yet.

    Args:
        door: To the actors.
        run: The run's settings.
        game: The game's.
        experiment: The experiment's: who acts before whom, and what is disclosed to whom.
        run_fingerprint: What actors must show to be let in.
        arena: What the episodes' seeds follow from.
        record: The file of ended episodes, or None.
    """
    compile_kernels(game)
    incarnation = secrets.randbelow(ANY_INCARNATION)
    games = [
        LaneGames(GameBatch(game, run.games), lane, arena, incarnation, run.segment)
        for lane in range(run.lanes)
    ]
    roles = cast_of(experiment, game)
    seat = seat_of(run, game, experiment, incarnation)
    spec = game_spec(game)
    dims = [
        Dims.of(spec, run.games, **optional_axes(role, experiment, spec.num_actions))
        for role in roles
    ]
    lanes = [Lane(one.timesteps(), run.games, Disclosed(roles, dims)) for one in games]
    referee = Referee(seat, run_fingerprint, lanes)
    return World(door, referee, games, EpisodeLog(record, arena, incarnation), dims)


def seat_of(
    run: RunSettings, game: GameSettings, experiment: ExperimentSettings, incarnation: int
) -> Seat:
    """What the world tells of itself to whoever takes a seat in it."""
    spec = game_spec(game)
    return Seat(
        env_incarnation=incarnation,
        agents=spec.num_agents,
        actions=spec.num_actions,
        symbols=experiment.symbols,
        lanes=run.lanes,
        games=run.games,
        horizon=spec.horizon,
        view=spec.view,
        palette=spec.palette,
    )


def compile_kernels(game: GameSettings) -> None:
    """Have every kernel ready before actors wait for one: load it, or compile it once."""
    with errors_in_section("game"):
        batch = GameBatch(game, 1)
    batch.reset(np.zeros(1, np.uint64))
    batch.step(np.zeros((1, game.agents), np.uint8))
    batch.observe()


if __name__ == "__main__":
    main()
