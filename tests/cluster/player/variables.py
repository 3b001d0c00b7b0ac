"""Environment variables of containers, and `$(NAME)` in their arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.cluster.player.objects import Objects
from tests.cluster.player.pods import Pod

_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[A-Za-z_][A-Za-z0-9_]*)\)")
_LABEL = re.compile(r"metadata\.labels\['(?P<name>[^']+)'\]")


def variables(container: Mapping[str, Any], pod: Pod, objects: Objects) -> dict[str, str]:
    """The variables that the manifest gives a container."""
    found: dict[str, str] = {}
    for each in container.get("env", ()):
        if "value" in each:
            found[each["name"]] = expand(each["value"], found)
        else:
            found[each["name"]] = _value_from(each["valueFrom"], pod, objects)
    return found


def _value_from(source: Mapping[str, Any], pod: Pod, objects: Objects) -> str:
    ((kind, reference),) = source.items()
    if kind == "configMapKeyRef":
        return str(objects.get("ConfigMap", reference["name"])["data"][reference["key"]])
    if kind == "fieldRef":
        if reference["fieldPath"] == "metadata.name":
            return pod.name
        if label := _LABEL.fullmatch(reference["fieldPath"]):
            return pod.labels[label["name"]]
    raise ValueError(f"the player does not know the variable source {source}")


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; an unknown name stays as it is, and `$$` is one dollar."""

    def replacement(match: re.Match[str]) -> str:
        name = match["name"]
        return "$" if name is None else values.get(name, match[0])

    return _REFERENCE.sub(replacement, text)
