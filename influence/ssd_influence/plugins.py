"""Classes of the user's own, loaded by the name that a run file gives."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

Base = TypeVar("Base")


def load_class(name: str, base: type[Base]) -> type[Base]:
    """Import the class that `package.module:Name` names.

    Args:
        name: module path and class name.
        base: the class that it must be derived from.

    Raises:
        ValueError: the module or the class does not exist, the import fails for any reason, or the
            class is no subclass of `base`.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(import_module(module), attribute)
    except Exception as error:  # the user's module may raise anything
        found = f"{type(error).__name__}: {error}"
        is_missing = isinstance(error, ModuleNotFoundError)
        hint = "; is the folder that holds it on PYTHONPATH?" if is_missing else ""
        raise ValueError(
            f"{name}: wanted a subclass of {base.__name__}, found {found}{hint}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(f"{name}: wanted a subclass of {base.__name__}, found {found!r}")
    return found
