"""Something of the user's own in the place of ours: a class, by its name in a run file."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

Own = TypeVar("Own")


def own_class(name: str, wanted: type[Own]) -> type[Own]:
    """The class that `package.module:Name` names.

    Args:
        name: where Python finds it.
        wanted: what it must be a subclass of.

    Raises:
        ValueError: there is no such module or class, it cannot be imported, for whatever reason,
            or it is not of the wanted kind.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(import_module(module), attribute)
    except Exception as fault:  # the user's module may raise anything
        found = f"{type(fault).__name__}: {fault}"
        lost = isinstance(fault, ModuleNotFoundError)
        hint = "; is the folder that holds it on PYTHONPATH?" if lost else ""
        raise ValueError(
            f"{name}: wanted a subclass of {wanted.__name__}, found {found}{hint}"
        ) from fault
    if not (isinstance(found, type) and issubclass(found, wanted)):
        raise ValueError(f"{name}: wanted a subclass of {wanted.__name__}, found {found!r}")
    return found
