"""`ssd-keys`: creates the CURVE keys of a run."""

from __future__ import annotations

from pathlib import Path

import click

from ssd_wire.process.command import reports_errors, version_option
from ssd_wire.security.keys import PUBLIC, SECRET_SUFFIX, create_keys
from ssd_wire.security.kubernetes import MANIFEST, write_manifest


@click.command()
@version_option
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--agents",
    required=True,
    type=click.IntRange(1, 1000),
    help="Number of agents, as `agents` in [game].",
)
@click.option(
    "--kubernetes",
    is_flag=True,
    help=f"Also write {MANIFEST}, the same keys as Secrets for `kubectl create -f`.",
)
@reports_errors
def main(folder: Path, agents: int, kubernetes: bool) -> None:
    """Create keys for every process of a run in FOLDER.

    Give each process --keys FOLDER. A machine needs public.toml and the .secret files of the
    processes that run on it, and no others. Keep secrets out of version control.
    """
    names = create_keys(folder, agents)
    if kubernetes:
        click.echo(f"{write_manifest(folder, names)}: all keys, for a namespace of Kubernetes")
    click.echo(f"{folder / PUBLIC}: {len(names)} public keys, for every machine")
    for name in names:
        click.echo(f"{folder / (name + SECRET_SUFFIX)}: for the machines that run {_command(name)}")


def _command(identity: str) -> str:
    kind, _, agent = identity.partition("-")
    return f"ssd-{kind}" + (f" --agent {agent}" if agent else "")


if __name__ == "__main__":
    main()
