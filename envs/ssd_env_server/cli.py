"""`ssd-env`: the command line of the environment server."""

from __future__ import annotations

import secrets
from pathlib import Path

import click
import numpy as np

from ssd_env_server.coordinator import Coordinator
from ssd_env_server.disclosure import Disclosure
from ssd_env_server.episode_statistics import EpisodeStatistics
from ssd_env_server.episodes import Arena, EpisodeLog
from ssd_env_server.lane import Lane
from ssd_env_server.lane_games import LaneGames
from ssd_env_server.metrics import EnvMetrics
from ssd_env_server.server import EnvServer, ServerSocket
from ssd_envs.batch import GameBatch
from ssd_envs.spec import GameSettings, game_spec
from ssd_influence.roles import Role, optional_axes, role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire.codec import largest_frame
from ssd_wire.dims import Dims
from ssd_wire.guard.memory_watch import MemoryWatch
from ssd_wire.messages import Act, Seat
from ssd_wire.process.command import (
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
from ssd_wire.run_file import (
    RunSettings,
    errors_in_section,
    fingerprint,
    load_complete_run_file,
    section,
)
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.sockets import Poller, Router

MAX_GROWTH = 512 << 20  # bytes; all that the games need is there from the start
RANDOM_BELOW = 2**62  # bound of random incarnations


@click.command()
@process_options
@click.option("--arena", required=True, type=click.IntRange(0, 2**31), help="Index of the arena.")
@click.option("--bind", "endpoint", required=True, help="Endpoint for actors, ipc:// or tcp://.")
@start_number_option
@reports_errors
def main(
    run_file: Path,
    run_dir: Path | None,
    metrics: str,
    keys: Path | None,
    parent_pipe: int | None,
    arena: int,
    endpoint: str,
    start_number: int | None,
) -> None:
    """Step the games of one arena and exchange messages with its actors."""
    stop = Stop(parent_pipe)
    role = f"env-{arena}"
    log = configure_logging(role)
    run, game, experiment, run_fingerprint = load_settings(run_file)

    security = SocketSecurity.load(keys, "env")
    allowed = [f"actor-{agent}" for agent in range(game.agents)]
    dims = dims_of_agents(run, game, experiment)
    largest = max(largest_frame((Act,), each.lengths) for each in dims)
    router = Router(endpoint, security, allowed, largest)
    server = make_server(
        router,
        run,
        game,
        experiment,
        run_fingerprint,
        Arena(run.seed, arena, choose_start_number(start_number, run)),
        run_dir / "episodes" / f"arena-{arena}.jsonl" if run_dir else None,
    )
    poller = Poller(stop, [router], memory=MemoryWatch(MAX_GROWTH))
    health = Health(lambda: poller.waited_at, lambda: server.ticks)
    address = serve_metrics(EnvMetrics(server, security, [router.guard]), metrics, role, health)
    write_process_entry(run_dir, role, {"metrics": address, "env": router.endpoint})
    log.info("%s: %d lanes of %d games at %s", game.name, run.lanes, run.games, router.endpoint)

    server.serve(stop, poller)
    log.info("stopped after %d ticks", server.ticks)
    server.episode_log.close()
    router.close()
    security.close()


def load_settings(run_file: Path) -> tuple[RunSettings, GameSettings, ExperimentSettings, str]:
    """The sections of the run file that this process needs, and the run's fingerprint.

    Raises:
        RunFileError: when the file or a section is unusable, or the experiment does not fit the
            game's number of agents.
    """
    sections = load_complete_run_file(run_file)
    run = section(sections, "run", RunSettings)
    game = section(sections, "game", GameSettings)
    experiment = section(sections, "experiment", ExperimentSettings)
    network = section(sections, "network", NetworkSettings)
    roles_of(experiment, game)
    return run, game, experiment, fingerprint(run, game, experiment, network)


def roles_of(experiment: ExperimentSettings, game: GameSettings) -> list[Role]:
    """[N] the role of each agent.

    Raises:
        RunFileError: when the experiment does not fit the game's number of agents.
    """
    agents = game_spec(game).num_agents
    with errors_in_section("experiment"):
        return [role_of(experiment, agent, agents) for agent in range(agents)]


def dims_of_agents(
    run: RunSettings, game: GameSettings, experiment: ExperimentSettings
) -> list[Dims]:
    """[N] the dims of each agent's messages."""
    spec = game_spec(game)
    return [
        Dims.of(spec, run.games, **optional_axes(role, experiment, spec.num_actions))
        for role in roles_of(experiment, game)
    ]


def make_server(
    socket: ServerSocket,
    run: RunSettings,
    game: GameSettings,
    experiment: ExperimentSettings,
    run_fingerprint: str,
    arena: Arena,
    episodes_path: Path | None,
) -> EnvServer:
    """A server at tick 0 of every lane, with compiled kernels and no actors.

    Args:
        socket: To the actors.
        run: Section of the run file.
        game: Section of the run file.
        experiment: Section of the run file.
        run_fingerprint: Actors with another one are refused.
        arena: Determines the seeds of all episodes.
        episodes_path: The file for finished episodes, or None.
    """
    compile_kernels(game)
    env_incarnation = secrets.randbelow(RANDOM_BELOW)
    lane_games = [
        LaneGames(GameBatch(game, run.games), lane, arena, env_incarnation, run.segment)
        for lane in range(run.lanes)
    ]
    roles, dims = roles_of(experiment, game), dims_of_agents(run, game, experiment)
    lanes = [Lane(one.timesteps(), run.games, Disclosure(roles, dims)) for one in lane_games]
    coordinator = Coordinator(
        seat_message(run, game, experiment, env_incarnation), run_fingerprint, lanes
    )
    episode_log = EpisodeLog(episodes_path, arena, env_incarnation)
    statistics = EpisodeStatistics(game.agents, game.horizon, game.events)
    return EnvServer(socket, coordinator, lane_games, episode_log, statistics, dims)


def seat_message(
    run: RunSettings, game: GameSettings, experiment: ExperimentSettings, env_incarnation: int
) -> Seat:
    """The answer to every accepted Join."""
    spec = game_spec(game)
    return Seat(
        env_incarnation=env_incarnation,
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
    """Compile every kernel of the game, or load it from the cache, before actors wait for it."""
    with errors_in_section("game"):
        batch = GameBatch(game, 1)
    batch.reset(np.zeros(1, np.uint64))
    batch.step(np.zeros((1, game.agents), np.uint8))
    batch.observe()


if __name__ == "__main__":
    main()
