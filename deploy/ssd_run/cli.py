"""`ssd-train`: a whole run on one machine."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path

import click

from ssd_run import run_directory
from ssd_run.launch import COMPLETE, STOPPED, Launch, prepare, run
from ssd_run.presets import listing, load_config, load_preset
from ssd_run.processes import precheck
from ssd_run.processes.history import History
from ssd_run.processes.programs import RunSize
from ssd_run.processes.socket_directory import socket_directory
from ssd_run.progress.episodes import counts_of
from ssd_run.reporting.screen import RunInfo, screen
from ssd_run.reporting.terminal import Terminal
from ssd_run.run_config import RunConfig, check_agrees, check_deterministic
from ssd_run.run_directory import RunDir
from ssd_run.slurm.job import check_size, nodes_of_job
from ssd_wire.process.command import WholeNumber, reports_errors, version_option, write_atomically


@click.command()
@version_option
@click.argument("preset", required=False)
@click.option("--list", "lists", is_flag=True, help="List all presets, and those in PRESET.")
@click.option("--print", "prints", is_flag=True, help="Print the complete run file and exit.")
@click.option(
    "--steps", type=WholeNumber(), help="Agent-steps of all agents together, such as 5e6."
)
@click.option("--seed", type=click.IntRange(min=0), help="The same as --set run.seed=N.")
@click.option(
    "--arenas",
    type=click.IntRange(min=1),
    help="Environment servers, each with its own actors. Default: as before, at first 1; with "
    "--slurm one for each node.",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Directory for the run's files. Default: runs/PRESET-TIME.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --run-dir.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change one value of the run file; may be repeated.",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="The same seed gives the same weights, bit for bit, on one machine. The same as "
    "--set run.deterministic=true.",
)
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="Device of the learners: cpu, cuda or cuda:INDEX; or a list a,b,… that they take in turn.",
)
@click.option(
    "--prometheus",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SSD_PROMETHEUS",
    show_envvar=True,
    help="Folder in which Prometheus looks for runs. The addresses of this run's metrics are also "
    "written there, as NAME-OF-RUN-DIR.json.",
)
@click.option(
    "--slurm",
    is_flag=True,
    help="Spread the processes over the nodes of the Slurm job that this command runs in. The run "
    "directory must be on a file system that they share. See deploy/slurm.",
)
@click.option(
    "--stop-seconds",
    default=30.0,
    show_default=True,
    help="Seconds that processes have to stop; then they are killed.",
)
@reports_errors
def main(
    preset: str | None,
    lists: bool,
    prints: bool,
    steps: int | None,
    seed: int | None,
    arenas: int | None,
    run_dir: Path | None,
    resume: bool,
    assignments: tuple[str, ...],
    deterministic: bool,
    device: str,
    prometheus: Path | None,
    slurm: bool,
    stop_seconds: float,
) -> None:
    """Train PRESET on this machine, with a process for each environment, actor and learner.

    PRESET is a name from --list, or the path of your own .toml file with the same sections; with
    --list it may also be a folder of such files. Without --steps it trains until Ctrl-C.
    """
    if lists:
        for line in listing.lines(own=listing.own_presets(preset)):
            click.echo(line)
        return
    if not stop_seconds >= 0:
        raise click.UsageError(f"--stop-seconds: wanted at least 0, found {stop_seconds:g}")
    if seed is not None:
        assignments = (*assignments, f"run.seed={seed}")
    if deterministic:
        assignments = (*assignments, "run.deterministic=true")
    if prints:
        click.echo(_load(preset, assignments).toml(), nl=False)
        return
    devices = _devices(device)
    config = _resumed(preset, run_dir, assignments) if resume else _load(preset, assignments)
    if resume and run_dir is not None and (done := _all_done(run_dir, config, steps)):
        click.echo(f"nothing to do: {done:,} of {steps:,} agent-steps are trained in {run_dir}")
        return
    nodes = nodes_of_job() if slurm else ()
    if nodes:
        arenas = arenas or len(nodes)
        check_size(nodes, arenas)
    check_deterministic(config.run, arenas, devices, len(nodes))
    precheck.check(config, devices)
    with socket_directory(_log) as sockets, _open(run_dir, config, resume, stop_seconds) as opened:
        opened.note_sockets(sockets)
        history = History(opened.history, opened.ledgers)
        size = RunSize(config.game.agents, arenas or history.arenas, steps, devices)
        counts = counts_of(config.game.events)
        info = RunInfo(config.preset.name, str(opened.root), steps, config.experiment, counts)
        shown = screen(Terminal(), info)
        launch = prepare(config, opened, size, history, shown, sockets, prometheus, nodes)
        sys.exit(_launch(launch, stop_seconds))


def _launch(launch: Launch, stop_seconds: float) -> int:
    """Run until the end, print the summary, and return the exit code."""
    run_dir = launch.run_dir
    with launch.screen:
        ended = run(launch)
        killed = launch.close(ended, stop_seconds)
    summary = launch.summary(ended, killed)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in summary.lines(width):
        click.echo(line)
    write_atomically(run_dir.summary, json.dumps(summary.content(), indent=1) + "\n")
    if launch.log_tail:
        click.echo(f"{ended}; the end of its log in {run_dir.logs}:\n{launch.log_tail}", err=True)
    clean = ended in (COMPLETE, STOPPED) and not killed and summary.account.adds_up
    return 0 if clean else launch.failure_code


def _load(preset: str | None, assignments: tuple[str, ...]) -> RunConfig:
    if preset is None:
        raise click.UsageError("which PRESET? --list shows them")
    return load_config(preset, assignments)


def _resumed(preset: str | None, root: Path | None, assignments: tuple[str, ...]) -> RunConfig:
    """The configuration of the run to resume, if it agrees with what is given now."""
    if root is None:
        raise click.UsageError("--resume needs the --run-dir of the run to continue")
    History(root / run_directory.HISTORY, root / run_directory.LEDGERS).check_protocol()
    config = run_directory.read_config(root)
    run_directory.check_unedited(root, config)
    check_agrees(config, {} if preset is None else load_preset(preset), assignments)
    return config


def _all_done(root: Path, config: RunConfig, steps: int | None) -> int:
    """Agent-steps trained so far, where each agent has trained its share of the steps; else 0.

    Known from the summary of a run that has ended; without one, 0.
    """
    budget = RunSize(config.game.agents, 1, steps).own_steps
    try:
        own_steps = json.loads((root / "summary.json").read_text())["own_steps"]
        return sum(own_steps) if budget is not None and min(own_steps) >= budget else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _open(root: Path | None, config: RunConfig, resume: bool, patience: float) -> RunDir:
    if root is not None and resume:
        return run_directory.resume(root, patience, _log)
    named = Path("runs") / f"{config.preset.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return run_directory.create(root or named, config)


def _devices(text: str) -> tuple[str, ...]:
    devices = tuple(text.split(","))
    for device in devices:
        if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
            raise click.UsageError(f"--device: wanted cpu, cuda or cuda:INDEX, found {device!r}")
    return devices


def _log(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
