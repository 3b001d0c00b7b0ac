"""The image's files agree with the project."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
DOCKERFILE = (REPOSITORY / "deploy/docker/Dockerfile").read_text()
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def is_in_context(path):
    """Whether .dockerignore lets a path through: the last pattern that matches it decides."""
    included = True
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        prefixes = ["/".join(path.split("/")[: n + 1]) for n in range(path.count("/") + 1)]
        if line and not line.startswith("#") and any(fnmatch(one, pattern) for one in prefixes):
            included = line.startswith("!")
    return included


def test_the_label_of_the_image_has_the_version_of_the_project():
    assert re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.M) == [PROJECT["project"]["version"]]


@pytest.mark.parametrize("path", [*PACKAGES, "pyproject.toml", "constraints.txt", "README.md"])
def test_what_the_image_is_made_of_is_in_the_build_context(path):
    assert (REPOSITORY / path).exists()
    assert is_in_context(path)


@pytest.mark.parametrize("path", [".git", ".venv", "tests", "deploy/results", "keys", "runs"])
def test_nothing_else_is_in_the_build_context(path):
    assert not is_in_context(path)


def test_the_image_runs_as_a_numeric_user_that_is_not_root():
    user = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.M)
    assert user == [("10001", "10001")]
