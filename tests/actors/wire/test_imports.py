"""Modules that no package may use, and those that ssd_wire does without."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ssd_wire

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    path
    for folder in ("actors", "deploy", "envs", "influence", "learner")
    for path in (ROOT / folder).rglob("*.py")
)
PICKLES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
PICKLING_CALLS = {"recv_pyobj", "send_pyobj", "torch.load", "torch.save", "np.save", "np.load"}
PICKLING_OPTIONS = {"allow_pickle"}

IMPORT_ALL = """
import importlib, pkgutil, sys, ssd_wire
for module in pkgutil.walk_packages(ssd_wire.__path__, "ssd_wire."):
    importlib.import_module(module.name)
    print(module.name)
assert not {"torch", "numba"} & set(sys.modules), "the wire is heavy"
"""


def names_in(tree):
    """All that a module imports, calls, or names as an option."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name.partition(".")[0] for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module.partition(".")[0]
            case ast.Call():
                yield ast.unparse(node.func)
                yield ast.unparse(node.func).rpartition(".")[2]
            case ast.keyword(arg=str(option)):
                yield option


def test_source_files_are_found():
    assert Path(ssd_wire.__file__) in SOURCES


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_no_module_uses_pickle(path):
    names = set(names_in(ast.parse(path.read_text(encoding="utf-8"))))
    assert not names & (PICKLES | PICKLING_CALLS | PICKLING_OPTIONS)


def test_ssd_wire_imports_neither_torch_nor_numba():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], check=True, capture_output=True, text=True
    )
    assert {"ssd_wire.codec", "ssd_wire.process.command"} <= set(done.stdout.split())
