"""`python -m ssd_run.check_account`: the account of segments of a run directory.

`ssd-train` prints it at the end of a run. This command is for a run whose processes were started by
something else, and whose files were collected in one folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from ssd_run.account import Account, LearnerLedger, read_ledgers, reconcile
from ssd_run.processes.history import History
from ssd_run.reporting.summary import account_lines
from ssd_run.run_directory import HISTORY, LEDGERS, read_config
from ssd_wire.process.command import reports_errors


def account_of(run_dir: Path) -> Account:
    """The account of a run directory, also if no launcher has made it.

    Args:
        run_dir: It has `run.toml` and the ledgers of all processes, and maybe a history.

    Raises:
        RunFileError: when it has no valid run file.
    """
    config = read_config(run_dir)
    ledgers = run_dir / LEDGERS
    actors, learners, unreadable = read_ledgers(ledgers)
    clean = History(run_dir / HISTORY, ledgers).clean_epochs
    account = reconcile(actors, learners, clean, config.segment_steps)
    missing = _missing(learners, config.game.agents)
    return replace(account, faults=(*account.faults, *unreadable, *missing))


def _missing(learners: tuple[LearnerLedger, ...], agents: int) -> Iterator[str]:
    found = {learner.agent for learner in learners}
    for agent in range(agents):
        if agent not in found:
            yield f"learner-{agent}: no ledger"


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@reports_errors
def main(run_dir: Path) -> None:
    """Print the account of segments in RUN_DIR; the exit code is 1 if it does not add up.

    Segments of actors that still run count as lost until their learners have written a checkpoint.
    """
    account = account_of(run_dir)
    for line in account_lines(account):
        click.echo(line)
    sys.exit(0 if account.adds_up else 1)


if __name__ == "__main__":
    main()
