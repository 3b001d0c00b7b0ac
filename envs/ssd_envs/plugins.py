"""Loads a user's own games and rules, which are named by import path: `package.module:NAME`."""

from __future__ import annotations

import importlib
import re
from typing import Any

_IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_import_path(text: str) -> bool:
    """Whether the text has the form `package.module:NAME`."""
    return _IMPORT_PATH.fullmatch(text) is not None


def load_object(path: str) -> Any:
    """Import the module and return the object that the path names.

    Raises:
        ValueError: if the import fails for any reason; the message gives the reason.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"cannot import {path}: {error}; is the folder that holds it on PYTHONPATH?"
        ) from error
    except Exception as error:
        raise ValueError(f"cannot import {path}: {type(error).__name__}: {error}") from error
