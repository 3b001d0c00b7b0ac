"""What all processes of a run share: options, log, metrics, entry in the run directory."""

from __future__ import annotations

import errno
import functools
import json
import logging
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from ssd_wire.errors import (
    EndpointError,
    KeyFileError,
    RefusedError,
    ReplacedError,
    RunFileError,
)
from ssd_wire.process.health import Health
from ssd_wire.process.log_handler import LimitedLogHandler
from ssd_wire.process.metrics_server import MetricsServer
from ssd_wire.run_file import RunSettings

# Exit codes other than 0 and 1. The launcher restarts a process that ended, except after
# CONFIGURATION_ERROR.
TEMPORARY_FAULT = 74  # the disk is full, read-only, failing or out of reach: it may work later
NOT_DRAINED = 75  # an actor stopped before all of its segments were durable
REPLACED = 76  # another process plays the same agent in the same arena
CONFIGURATION_ERROR = 78  # unusable options, run file or checkpoint, or a peer of another run

_TEMPORARY = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE),
    *(errno.ESTALE, errno.ETIMEDOUT),  # of network file systems
}

_ADDRESS = re.compile(r"(?P<host>[^:\[\]]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})")
_NUMBER = re.compile(r"\d[\d_]*(\.\d+)?([eE]\+?\d{1,2})?")


class WholeNumber(click.ParamType):  # type: ignore[type-arg]  # generic in new versions alone
    """The type of an option that is a positive integer, which may be written as 5e6."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        number = Decimal(value) if _NUMBER.fullmatch(str(value)) else Decimal(0)
        if number < 1 or number != number.to_integral_value():
            wanted = "a whole number from 1, as 5000000 or 5e6"
            self.fail(f"wanted {wanted}, found {value!r}", param, ctx)
        return int(number)


Command = TypeVar("Command", bound=Callable[..., None])


def version_option(command: Command) -> Command:
    """Add `--version` to a click command."""
    return click.version_option(package_name="ssd-influence")(command)


_OPTIONS = (
    version_option,
    click.option(
        "--run",
        "run_file",
        required=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="The run file (TOML).",
    ),
    click.option(
        "--run-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where this process writes its records; without it, it writes none.",
    ),
    click.option(
        "--metrics",
        default="127.0.0.1:0",
        show_default=True,
        help="Address and port of the Prometheus metrics; port 0 chooses a free one.",
    ),
    click.option(
        "--keys",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of CURVE keys made by ssd-keys; needed for addresses off this machine.",
    ),
    click.option(
        "--parent-pipe",
        type=int,
        help="File descriptor of a pipe; the process stops when the other end is closed.",
    ),
)


def start_number_option(command: Command) -> Command:
    """Add `--start-number` to a click command; see `choose_start_number`."""
    return click.option(
        "--start-number",
        type=click.IntRange(0, 2**63 - 1),
        help="Differs for each start of this process, so that nothing random is repeated; random "
        "by default.",
    )(command)


def choose_start_number(given: int | None, run: RunSettings) -> int:
    """The start number: as given, otherwise random, and 0 in a deterministic run."""
    if given is not None:
        return given
    return 0 if run.deterministic else secrets.randbelow(2**62)


def process_options(command: Command) -> Command:
    """Add the options that all processes have to a click command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def reports_errors(command: Command) -> Command:
    """Make a click command report errors of users, peers and disks in one line and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except ReplacedError as fault:
            click.echo(f"error: {fault}", err=True)
            sys.exit(REPLACED)
        except (RunFileError, EndpointError, RefusedError, KeyFileError) as fault:
            click.echo(f"error: {fault}", err=True)
            sys.exit(TEMPORARY_FAULT if _may_pass(fault.__cause__) else CONFIGURATION_ERROR)
        except OSError as fault:
            if not _may_pass(fault):
                raise
            click.echo(f"error: {fault}", err=True)
            sys.exit(TEMPORARY_FAULT)

    return run  # type: ignore[return-value]  # functools.wraps keeps the signature, not the type


def _may_pass(fault: BaseException | None) -> bool:
    """Whether it is a fault of the disk or of the system's limits, which may be over later."""
    return isinstance(fault, OSError) and fault.errno in _TEMPORARY


def configure_logging(role: str) -> logging.Logger:
    """Log to standard error, at a bounded rate; each line has the time and this process's role."""
    logging.basicConfig(
        level=logging.INFO,
        handlers=[LimitedLogHandler(sys.stderr)],
        format=f"%(asctime)s {role} %(levelname)s %(message)s",
        force=True,
    )
    return logging.getLogger(role)


def serve_metrics(
    collector: Collector, address: str, role: str, health: Health | None = None
) -> str:
    """Serve a collector's metrics, and this process's health, over HTTP in a separate thread.

    Adds standard process metrics, such as `process_cpu_seconds_total`, and `ssd_process_info`.

    Args:
        collector: Reads the metrics from the process's state when they are scraped.
        address: ``host:port``, an IPv6 host in brackets; port 0 chooses a free one.
        role: Of the process: ``env-0``, ``actor-0-3`` or ``learner-3``.
        health: Of the process.

    Returns:
        The actual ``host:port``.

    Raises:
        EndpointError: when the address is unusable.
    """
    host, port = _metrics_address(address)
    registry = CollectorRegistry()
    registry.register(collector)
    registry.register(ProcessInfo(role))
    ProcessCollector(registry=registry)
    try:
        server = MetricsServer(host.strip("[]"), port, registry, health)
    except OSError as fault:
        raise EndpointError(f"metrics address {address!r}: {fault}") from fault
    server.start()
    return f"{host}:{server.server_port}"


def _metrics_address(address: str) -> tuple[str, int]:
    parts = _ADDRESS.fullmatch(address)
    if parts is None or int(parts["port"]) > 65535:
        raise EndpointError(
            f"metrics address {address!r}: wanted address:port with a port of 0 to 65535, "
            "as 127.0.0.1:9100 or [::1]:9100"
        )
    return parts["host"], int(parts["port"])


class ProcessInfo(Collector):
    """The metric `ssd_process_info`, always 1, with the labels role, agent and arena.

    Args:
        role: ``env-0``, ``actor-0-3`` or ``learner-3``.
    """

    def __init__(self, role: str) -> None:
        self._labels = {"agent": "", "arena": "", **labels_of(role)}

    def collect(self) -> Iterator[Metric]:
        """The metric. A label is empty if the process does not belong to one agent or one arena."""
        yield InfoMetricFamily("ssd_process", "Which process of a run this is.", self._labels)


def labels_of(role: str) -> dict[str, str]:
    """The labels of a process: its kind as ``role``, and its ``agent`` and ``arena`` if it has one.

    Args:
        role: ``env-0``, ``actor-0-3`` or ``learner-3``.
    """
    kind, *numbers = role.split("-")
    names = {"env": ("arena",), "actor": ("arena", "agent"), "learner": ("agent",)}[kind]
    return {"role": kind, **dict(zip(names, numbers, strict=True))}


def write_process_entry(run_dir: Path | None, role: str, addresses: Mapping[str, str]) -> None:
    """Write `processes/<role>.json` into the run directory: pid and addresses of this process."""
    if run_dir is None:
        return
    entry = {"role": role, "pid": os.getpid(), **addresses}
    write_atomically(run_dir / "processes" / f"{role}.json", json.dumps(entry, indent=1) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Replace a file such that readers see the old or the new content, never a part.

    Raises:
        OSError: when it cannot be written; then the old content stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
