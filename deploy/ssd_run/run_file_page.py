"""The page of all run-file keys, made from the settings: `python -m ssd_run.run_file_page`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ssd_run.run_config import SETTINGS

HEAD = """# Run file

Every key of a run file, by its section. `ssd-train PRESET --print` shows a whole one, and
`--set section.key=value` changes one value. A key that is left out has its default. This page is
written by `python -m ssd_run.run_file_page > deploy/RUN_FILE.md`.
"""
BASE = (
    "| `base` | text | – | A preset, or the path of another run file, whose values replace the"
    " defaults. `ssd-train` resolves it, so a run's `run.toml` has none. |"
)
_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)
_BOUNDS = (
    ("minimum", "≥"),
    ("exclusiveMinimum", ">"),
    ("maximum", "≤"),
    ("exclusiveMaximum", "<"),
)


def page() -> str:
    """The page in Markdown."""
    sections = (_section(name, settings) for name, settings in SETTINGS.items())
    return HEAD + "".join(f"\n{section}" for section in sections)


def _section(name: str, settings: type[BaseModel]) -> str:
    meaning_of = meanings(settings)
    lines = [f"## [{name}]", "", "| key | values | default | meaning |", "|---|---|---|---|"]
    for key, schema in settings.model_json_schema()["properties"].items():
        default = settings.model_fields[key].get_default(call_default_factory=True)
        lines.append(f"| `{key}` | {_values(schema)} | {_default(default)} | {meaning_of[key]} |")
    lines += [BASE] if name == "preset" else []
    return "\n".join(lines) + "\n"


def meanings(settings: type[BaseModel]) -> dict[str, str]:
    """Key → its meaning, from the docstring of a section's settings."""
    doc = inspect.cleandoc(settings.__doc__ or "")
    return {
        name: _sentence(text) for names, text in _ENTRY.findall(doc) for name in names.split(", ")
    }


def _sentence(text: str) -> str:
    words = " ".join(text.split()).replace("|", "\\|").removesuffix(".")
    is_word = re.match("[a-z]{2}|a ", words) is not None  # not a symbol of a formula
    return (words[0].upper() + words[1:] if is_word else words) + "."


def _values(schema: Mapping[str, Any]) -> str:
    """The values that a key takes, from its JSON schema."""
    several = [_values(one) for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if several:
        return " or ".join(several)
    if "enum" in schema:
        return ", ".join(f'`"{value}"`' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_values(schema['items'])}"
    kind = {"integer": "integer", "number": "number", "boolean": "true, false", "string": "text"}
    words = kind.get(str(schema.get("type")), "table")
    return ", ".join([words, *_bounds(schema)])


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, sign in _BOUNDS:
        if name in schema:
            yield f"{sign} {_number(schema[name])}"


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value) if abs(value) < 1e15 else f"2^{value.bit_length() - 1}"
    return f"{value:g}"


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, dict):
        return "{}"
    return f'`"{value}"`' if isinstance(value, str) else _number(value)


if __name__ == "__main__":
    click.echo(page(), nl=False)
