"""`make fuzz`: fuzzes all targets one after the other, and says how many inputs each was given."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from tests.fuzz.all_targets import TARGETS

_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERED = re.compile(r"cov: (\d+)")
LONGEST_INPUT = 4096  # bytes; valid inputs are shorter


@click.command()
@click.option("--seconds", default=600, show_default=True, help="For all targets together.")
@click.option("--failures", default=Path("fuzz-failures"), type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, type=click.Choice(list(TARGETS)))
def main(seconds: int, failures: Path, names: tuple[str, ...]) -> None:
    """Fuzz targets, all unless some are named; exits with 1 if an input made one fail."""
    chosen = names or tuple(TARGETS)
    failures.mkdir(exist_ok=True)
    total, failed = 0, []
    for name in chosen:
        code, output = fuzz(name, max(1, seconds // len(chosen)), failures)
        executed = int(next(iter(_EXECUTED.findall(output)), 0))
        covered = next(reversed(_COVERED.findall(output)), "0")
        total += executed
        click.echo(f"{name:16}{executed:>12,} executions{covered:>8} places reached")
        if code:
            failed.append(name)
            click.echo(output[-6000:])
    click.echo(f"{'total':16}{total:>12,} executions")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; the inputs are in {failures}")
    failures.rmdir()


def fuzz(name: str, seconds: int, failures: Path) -> tuple[int, str]:
    """Fuzz one target in a process of its own; its exit code and output."""
    with tempfile.TemporaryDirectory(prefix="corpus-") as corpus:
        for number, seed in enumerate(TARGETS[name].seeds()):
            (Path(corpus) / str(number)).write_bytes(seed)
        words = [
            *(sys.executable, "-m", "tests.fuzz.one_target", name, corpus),
            *(f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-timeout=10"),
            *("-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=1"),
            f"-artifact_prefix={failures}/{name}-",
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    return done.returncode, done.stdout.decode(errors="replace")


if __name__ == "__main__":
    main()
