"""Files: a file is valid, or raises the one error that names it."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from tests.fuzz.target import Target

from ssd_envs.games import GAMES
from ssd_envs.maps.parser import parse_map
from ssd_envs.spec import GameSettings
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.checkpoints import checkpoint_file
from ssd_learner.checkpoints.checkpoint_file import (
    CheckpointError,
    TrainingProgress,
    read_checkpoint,
    write_checkpoint,
)
from ssd_learner.segments.epochs import SegmentCounts, Watermark
from ssd_learner.settings import LearningSettings
from ssd_run.presets import load_config, preset_names
from ssd_wire.errors import KeyFileError, RunFileError
from ssd_wire.run_file import RunSettings, fingerprint, load_complete_run_file, section
from ssd_wire.security.keys import PUBLIC, create_keys, load_keys

GAME_SYMBOLS = sorted({game.symbols for game in GAMES.values()})


@cache
def temporary_directory() -> tempfile.TemporaryDirectory[str]:
    """In memory where there is such; deleted when the process ends."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    parent = memory if memory.is_dir() else None
    return tempfile.TemporaryDirectory(prefix="fuzz-", dir=parent)


def folder() -> Path:
    """A folder for the file that is read."""
    return Path(temporary_directory().name)


def written(name: str, data: bytes) -> Path:
    path = folder() / name
    path.write_bytes(data)
    return path


def run_checkpoint(data: bytes) -> None:
    """Half of the inputs get a digest that fits, or hardly any would be read further."""
    is_repaired, raw = data[:1] > b"\x7f", data[1:]
    if is_repaired:
        with suppress(ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
            old = checkpoint_file._metadata(raw)["digest"]
            blank = checkpoint_file._with_digest(raw, checkpoint_file._NO_DIGEST, old)
            raw = checkpoint_file._with_digest(blank, checkpoint_file._digest(blank))
    path = written("update-1.safetensors", raw)
    try:
        progress, tensors = read_checkpoint(path)
    except CheckpointError:
        return
    assert progress.own_steps >= 0
    assert all(tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point())


def seeds_of_checkpoint() -> Iterator[bytes]:
    counts, marks = SegmentCounts(7, 6, 1, 4), (Watermark(0, 2**62 - 1, 4, 1, False),)
    progress = TrainingProgress(1, "this run", 640, 3, counts, marks)
    with tempfile.TemporaryDirectory() as made:
        tensors = {"weights/a": torch.ones(2, 3), "adam/a/step": torch.tensor(3.0)}
        raw = write_checkpoint(Path(made), progress, tensors, keep=1).read_bytes()
    yield b"\x00" + raw
    yield b"\xff" + raw


def run_run_file(data: bytes) -> None:
    path = written("run.toml", data)
    try:
        sections = load_complete_run_file(path)
        run = section(sections, "run", RunSettings)
        others = [
            section(sections, name, settings)
            for name, settings in (
                ("game", GameSettings),
                ("experiment", ExperimentSettings),
                ("network", NetworkSettings),
            )
        ]
        section(sections, "learning", LearningSettings)
    except RunFileError:
        return
    assert len(fingerprint(run, *others)) == 16


def seeds_of_run_file() -> Iterator[bytes]:
    for preset in preset_names():
        yield load_config(preset).toml().encode()
    yield b'[game]\nname = "harvest"\nmap = """\n####\n#++#\n####\n"""\nagents = 2\n'
    yield b'[run]\nseed = 1\n[network]\nkind = "paper"\n'


def run_map(data: bytes) -> None:
    symbols = GAME_SYMBOLS[(data[0] if data else 0) % len(GAME_SYMBOLS)]
    agents = data[1] % 8 if len(data) > 1 else 2
    with suppress(ValueError):
        parse_map(data[2:].decode(errors="replace"), symbols, agents)


def seeds_of_map() -> Iterator[bytes]:
    for game in GAMES.values():
        yield bytes([GAME_SYMBOLS.index(game.symbols), 2]) + game.map.encode()
        yield bytes([GAME_SYMBOLS.index(game.symbols), 5]) + game.map.encode()


@cache
def key_folder() -> Path:
    create_keys(folder() / "keys", 1)
    return folder() / "keys"


def run_keys(data: bytes) -> None:
    """The allow-list, or the secret of one identity."""
    keys = key_folder()
    name = PUBLIC if data[:1] < b"\x80" else "env.secret"
    before = (keys / name).read_bytes()
    try:
        (keys / name).write_bytes(data[1:])
        load_keys(keys, "env")
    except KeyFileError:
        pass
    finally:
        (keys / name).write_bytes(before)


def seeds_of_keys() -> Iterator[bytes]:
    yield b"\x00" + (key_folder() / PUBLIC).read_bytes()
    yield b"\xff" + (key_folder() / "env.secret").read_bytes()


TARGETS = (
    Target("checkpoint", run_checkpoint, seeds_of_checkpoint),
    Target("run-file", run_run_file, seeds_of_run_file),
    Target("map", run_map, seeds_of_map),
    Target("keys", run_keys, seeds_of_keys),
)
