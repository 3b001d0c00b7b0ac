"""`make attacks`: attacks a training, and reports what that costs it.

A training of two agents runs over tcp. Attackers run one after the other, in processes of their own
at the lowest priority (nice 19), so that they get the processor time that the training leaves. The
speed under attack is compared with the speed just before and just after, while a process of the
same priority computes without sending anything. So what an attacker computes counts in both, and
what its messages cost the training counts in one. Two shares of the undisturbed speed are reported:
of agent-steps per second, which other work on the machine disturbs, and of agent-steps per second
of the run's own processor time, which shows what handling the messages costs. The promise is about
the first; one window of a few seconds scatters, so repeat an attack that fails.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from tests.attacks.attackers import ENCRYPTED, PLAIN
from tests.attacks.training import AGENTS, ROLES, Speed, Training, training

from ssd_learner.build import RunSections, build_trainer, learner_dims
from ssd_wire.codec import encode
from ssd_wire.fields import CONSTANT_AXES, layout
from ssd_wire.messages import Segment
from ssd_wire.security.keys import create_keys

MIN_SHARE = 0.8  # of the undisturbed speed
MAX_GROWTH = 1_200  # megabytes by which a process may grow
MAX_LOG = 500  # kilobytes that all logs may grow by
HEAD = "| attack | MB sent | steps/s | share | share per CPU s | memory before, most, after | log |"


@dataclass(frozen=True)
class Result:
    """What one attack cost.

    Attributes:
        sent: Megabytes.
        speed: Under attack.
        shares: Of the speeds before and after it, by time and by processor time.
        memory: Megabytes of the process that grew most: before, most and after.
        log: Kilobytes that all logs grew by.
    """

    name: str
    sent: float
    speed: float
    shares: tuple[float, float]
    memory: tuple[float, float, float]
    log: float

    def row(self) -> str:
        """A line of the table."""
        memory = ", ".join(f"{one:,.0f}" for one in self.memory)
        cells = (
            *(self.name, f"{self.sent:,.1f}", f"{self.speed:,.0f}"),
            *(f"{share:.2f}" for share in self.shares),
            *(f"{memory} MB", f"{self.log:,.0f} kB"),
        )
        return f"| {' | '.join(cells)} |"


@click.command()
@click.option("--keys", is_flag=True, help="Encrypt, and attack with keys that may not connect.")
@click.option("--seconds", default=10.0, show_default=True, help="Of each measurement.")
@click.option("--attackers", default=2, show_default=True, help="Processes of each attack.")
@click.option("--results", type=click.Path(path_type=Path), help="A file for the table.")
@click.argument("names", nargs=-1)
def main(
    keys: bool, seconds: float, attackers: int, results: Path | None, names: Sequence[str]
) -> None:
    """Run the attacks, all unless some are named; exits with 1 if one harmed the training."""
    chosen = names or tuple(ENCRYPTED if keys else PLAIN)
    lines = [HEAD, "|---|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as made:
        key_folder = Path(made) / "keys" if keys else None
        if key_folder is not None:
            create_keys(key_folder, len(AGENTS))
        with training(Path(made), key_folder) as attacked:
            faults = []
            for name in chosen:
                result = attack(attacked, name, seconds, attackers, key_folder)
                lines.append(result.row())
                click.echo(lines[-1])
                faults += faults_of(result, attacked)
            account = attacked.stop()
    lines.append(f"\nThe account: {account.made} segments made, {account.trained} trained, ")
    lines[-1] += f"{account.lost} lost, {account.missing} missing; adds up: {account.adds_up}"
    click.echo(lines[-1])
    faults += account.faults
    if results is not None:
        results.parent.mkdir(parents=True, exist_ok=True)
        results.write_text("\n".join(lines) + "\n")
    if faults:
        sys.exit("\n".join(faults))


def attack(
    attacked: Training, name: str, seconds: float, attackers: int, keys: Path | None
) -> Result:
    """Measure the training's speed and memory before, under and after an attack."""
    log, before = attacked.log_bytes(), attacked.memory()
    most = dict(before)

    def watch() -> None:
        for role, used in attacked.memory().items():
            most[role] = max(most[role], used)

    undisturbed = [control(attacked, seconds, attackers)]
    with running(attacked, name, seconds + 5, attackers, keys) as outputs:
        speed = attacked.speed(seconds, watch)
    undisturbed.append(control(attacked, seconds, attackers))
    after = attacked.memory()
    grown = max(ROLES, key=lambda role: most[role] - before[role])
    return Result(
        name,
        sum(one["sent"] for one in outputs) / 1e6,
        speed.by_time,
        (
            speed.by_time / float(np.mean([one.by_time for one in undisturbed])),
            speed.by_cpu / float(np.mean([one.by_cpu for one in undisturbed])),
        ),
        (before[grown], most[grown], after[grown]),
        (attacked.log_bytes() - log) / 1e3,
    )


def control(attacked: Training, seconds: float, attackers: int) -> Speed:
    """The speed beside processes that compute and send nothing."""
    with running(attacked, "spinning", seconds + 5, attackers, None):
        return attacked.speed(seconds)


@contextmanager
def running(
    attacked: Training, name: str, seconds: float, attackers: int, keys: Path | None
) -> Iterator[list[Mapping[str, float]]]:
    """Starts attackers, and waits 3 s before anything is measured.

    Yields a list, which has the outputs of the attackers after they have ended.
    """
    known = attacked.run.root / "attack.json"
    known.write_text(json.dumps(known_to_attackers(attacked, seconds)))
    given = [str(known)] if keys is None else [str(known), str(keys)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.attackers", name, str(number), *given],
            stdout=subprocess.PIPE,
        )
        for number in range(attackers)
    ]
    outputs: list[Mapping[str, float]] = []
    attacked.speed(3)
    try:
        yield outputs
        ends = (one.communicate(timeout=seconds + 30)[0] for one in started)
        outputs += [json.loads(end) for end in ends]
    finally:
        for one in started:
            one.kill()
            one.wait()


def known_to_attackers(attacked: Training, seconds: float) -> dict[str, object]:
    """The arguments of `tests.attacks.attackers.Attack`."""
    sections = RunSections.load(attacked.run.run_file)
    lengths = learner_dims(sections, build_trainer(sections, 0, torch.device("cpu"))).lengths
    arrays = {
        field.name: np.zeros(
            [(CONSTANT_AXES | lengths)[axis] + more for axis, more in field.axes], field.dtype
        )
        for field in layout(Segment).arrays
        if not field.present_if or lengths[field.present_if]
    }
    frames = encode(Segment(1, 1, 0, 1, 0, **arrays))
    metrics = [attacked.port(role, "metrics") for role in ROLES]
    return {
        "env": attacked.port("env-0", "env"),
        "segments": attacked.port("learner-0", "segments"),
        "weights": attacked.port("learner-0", "weights"),
        "metrics": metrics,
        "agent": 0,
        "fingerprint": sections.fingerprint(),
        "frames": [bytes(one).hex() for one in frames],
        "seconds": seconds,
    }


def faults_of(result: Result, attacked: Training) -> list[str]:
    """What an attack must not do."""
    return [
        text
        for holds, text in (
            (not attacked.dead, f"{result.name}: {attacked.dead} ended"),
            (result.shares[0] >= MIN_SHARE, f"{result.name}: {result.shares[0]:.2f} of the speed"),
            (
                max(result.memory) - result.memory[0] < MAX_GROWTH,
                f"{result.name}: {result.memory} MB",
            ),
            (result.log < MAX_LOG, f"{result.name}: {result.log:.0f} kB of logs"),
        )
        if not holds
    ]


if __name__ == "__main__":
    main()
