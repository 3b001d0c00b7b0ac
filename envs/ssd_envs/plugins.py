"""What a run file names of one's own: `package.module:NAME`, imported when it is wanted."""

from __future__ import annotations

import importlib
import re
from typing import Any

_NAMED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_named(text: str) -> bool:
    """Whether this is a name of that form."""
    return _NAMED.fullmatch(text) is not None


def load(name: str) -> Any:
    """What has this name.

    Raises:
        ValueError: when it cannot be imported, whatever the reason, which is told.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as fault:
        raise ValueError(
            f"cannot import {name}: {fault}; is the folder that holds it on PYTHONPATH?"
        ) from fault
    except Exception as fault:
        raise ValueError(f"cannot import {name}: {type(fault).__name__}: {fault}") from fault
