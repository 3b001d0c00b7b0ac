"""Fuzzes one target, guided by the code that its inputs reach, until libFuzzer ends the process.

Run by `python -m tests.fuzz`; or by hand, to run again an input that failed:
`python -m tests.fuzz.one_target TARGET FILE`.
"""

import logging
import resource
import sys
import time
from collections.abc import Callable

import atheris

INSTRUMENTED = (
    "ssd_wire",
    "ssd_actors.env_client",
    "ssd_actors.learner_client",
    "ssd_actors.outbox",
    "ssd_actors.retry",
    "ssd_env_server",
    "ssd_learner.checkpoints",
    "ssd_learner.learner",
    "ssd_learner.segments",
    "tests.fuzz.targets",
)
SLOW_SECONDS = 1.0  # of processor time for one input
HUNGRY_BYTES = 100 << 20  # by which one input makes the process grow

with atheris.instrument_imports(include=["ssd_envs.maps"]):
    import ssd_envs.maps.parser  # noqa: F401 - the kernels would import it

# Numba cannot compile instrumented code.
from ssd_envs.kernels import beams, moves, rng, spawn, views  # noqa: F401, E402

with atheris.instrument_imports(include=list(INSTRUMENTED)):
    from tests.fuzz.all_targets import TARGETS


def peak_bytes() -> int:
    """The most memory that this process has used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def checked(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target's function, which fails on slow and memory-hungry inputs too."""

    def run_checked(data: bytes) -> None:
        peak, began = peak_bytes(), time.process_time()
        run(bytes(data))
        spent, grown = time.process_time() - began, peak_bytes() - peak
        if spent > SLOW_SECONDS:
            raise RuntimeError(f"an input of {len(data)} bytes took {spent:.1f} s")
        if grown > HUNGRY_BYTES:
            raise RuntimeError(f"an input of {len(data)} bytes took {grown >> 20} MiB")

    return run_checked


def main() -> None:
    """Fuzz the target that the command line names, with libFuzzer's own arguments after it."""
    name, *arguments = sys.argv[1:]
    logging.disable()
    target = TARGETS[name]
    for seed in target.seeds():  # compile and import what they need, before anything is measured
        target.run(seed)
    atheris.Setup([sys.argv[0], *arguments], checked(target.run))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
