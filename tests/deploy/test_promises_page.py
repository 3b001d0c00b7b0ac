"""The page of promises names tests that exist."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "deploy" / "PROMISES.md").read_text()
TESTS = re.findall(r"\]\(\.\./(tests/[\w/]+\.py)\) `(\w+)`", PAGE)
TARGETS = re.findall(r"`make ([\w-]+)", PAGE)


def test_every_promise_names_a_test_or_a_command():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 3]
    promises = [row for row in rows if not row.startswith(("| promise", "| command", "| `make"))]
    assert len(promises) >= 30
    assert [row for row in promises if "](../tests/" not in row and "`make " not in row] == []


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_a_named_test_exists(file, name):
    content = (REPOSITORY / file).read_text()
    assert re.search(rf"^(    )?(def|class) {name}\b", content, re.MULTILINE), f"{file}: {name}"


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_a_named_make_target_exists(target):
    assert f"\n{target}:" in (REPOSITORY / "Makefile").read_text()
