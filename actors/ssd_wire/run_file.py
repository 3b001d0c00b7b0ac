"""Run files: TOML sections, each validated by the package that owns it, and their fingerprint."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ssd_wire.codec import PROTOCOL_VERSION
from ssd_wire.errors import RunFileError
from ssd_wire.messages import MAX_LANES

Sections = Mapping[str, Mapping[str, Any]]
Settings = TypeVar("Settings", bound=BaseModel)


class RunSettings(BaseModel):
    """The `[run]` section of a run file: what all processes of a run must agree on.

    Args:
        seed: Seed of the games and of the initial weights.
        lanes: Lanes per arena. The environment steps one lane while actors work on another.
        games: B, games per lane.
        segment: T, steps per segment.
        window: How many batches an actor may be ahead of training. A batch has one segment per lane
            with V-trace, and with PPO as many as fit `[learning] horizon`.
        retained: How many segments that are not durable an actor keeps before it waits.
        deterministic: Whether the seed alone determines the final weights, on one machine. Each
            batch then has the same segments, made with the same weights, and training waits for
            them; `window` has no effect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=1, ge=0, lt=2**63)
    lanes: int = Field(default=1, ge=1, le=MAX_LANES)
    games: int = Field(default=48, ge=1, le=4096)
    segment: int = Field(default=50, ge=1, le=1000)
    window: int = Field(default=1, ge=1, le=100)
    retained: int = Field(default=256, ge=1, le=100_000)
    deterministic: bool = False


def load_run_file(path: Path) -> Sections:
    """The sections of a run file, not yet validated.

    Raises:
        RunFileError: when it cannot be read, is not TOML, or has keys outside all sections.
    """
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as fault:
        raise RunFileError(f"{path}: cannot be read: {fault}") from fault
    except tomllib.TOMLDecodeError as fault:
        raise RunFileError(f"{path}: is not TOML: {fault}") from fault
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise RunFileError(f"{path}: wanted [sections] only, found the key {name!r} outside")
    return sections


SECTIONS = ("preset", "run", "game", "experiment", "network", "learning")


def load_complete_run_file(path: Path) -> Sections:
    """The sections of a run file that a process reads: every value is in the file, or a default.

    Raises:
        RunFileError: when it cannot be read, has an unknown section, or names a `base`, which only
            ssd-train resolves.
    """
    sections = load_run_file(path)
    for name in sections:
        if name not in SECTIONS:
            raise RunFileError(f"{path}: unknown section [{name}]: {did_you_mean(name, SECTIONS)}")
    if "base" in sections.get("preset", {}):
        raise RunFileError(
            f"{path}: [preset] base: wanted a complete run file, as ssd-train {path} --print shows"
        )
    return sections


def override(sections: Sections, assignments: Iterable[str]) -> Sections:
    """The sections with ``section.key=value`` assignments applied, in order.

    A value is parsed as TOML. If that fails, it is taken as text, so quotes are optional.

    Raises:
        RunFileError: when an assignment has another form.
    """
    changed = {name: dict(section) for name, section in sections.items()}
    for assignment in assignments:
        target, equals, text = assignment.partition("=")
        section, dot, key = target.strip().partition(".")
        if not (equals and dot and section and key):
            raise RunFileError(f"wanted section.key=value, found {assignment!r}")
        changed.setdefault(section, {})[key] = _value(text.strip())
    return changed


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def section(
    sections: Sections,
    name: str,
    settings: type[Settings],
    check: Callable[[Settings], object] | None = None,
) -> Settings:
    """One section, validated by the model that owns it; defaults where it is absent.

    Args:
        sections: Of the run file.
        name: Of the section.
        settings: Its model.
        check: Raises ValueError for valid settings that are unusable here.

    Raises:
        RunFileError: naming the section, the key, what was wanted and what was found.
    """
    try:
        valid = settings.model_validate(dict(sections.get(name, {})))
    except ValidationError as fault:
        lines = [f"[{name}] {_error_message(error, settings)}" for error in fault.errors()]
        raise RunFileError("\n".join(lines)) from fault
    if check is not None:
        with errors_in_section(name):
            check(valid)
    return valid


def _error_message(error: ErrorDetails, settings: type[BaseModel]) -> str:
    """What is wrong with a key. Pydantic's own messages name its classes and input types."""
    place = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{place}: no such key: {did_you_mean(place, settings.model_fields)}"
    if error["type"] == "missing":
        return f"{place}: wanted a value, found none"
    if error["type"] == "value_error":
        wrong = str(error["ctx"]["error"])
    else:
        wrong = re.sub(r"^\w+ should (be|have) ", "wanted ", error["msg"])
        wrong = re.sub(r"(,| after validation,) (unable|got|not) .*", "", wrong)
    return f"{place}: {wrong}, found {error['input']!r:.200}" if place else wrong


def did_you_mean(mistyped: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the known name most like it, or else all of them."""
    names = list(known)
    near = difflib.get_close_matches(mistyped, names, n=1)
    return f"did you mean {near[0]}?" if near else f"wanted {', '.join(names)}"


@contextmanager
def errors_in_section(name: str) -> Iterator[None]:
    """Report every ValueError raised inside as an error in this section of the run file.

    Raises:
        RunFileError: when something inside raises ValueError.
    """
    try:
        yield
    except ValueError as fault:
        raise RunFileError(f"[{name}] {fault}") from fault


def fingerprint(run: RunSettings, *others: BaseModel) -> str:
    """Identifies a run: processes with different fingerprints refuse each other.

    Args:
        run: The run's own section.
        others: The other sections that all processes must agree on: game, experiment, network,
            in this order.

    Returns:
        16 hexadecimal digits, a hash of every value, defaults included, and the protocol version.
    """
    content = [PROTOCOL_VERSION, *(settings.model_dump(mode="json") for settings in (run, *others))]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
