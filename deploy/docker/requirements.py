"""Prints the libraries that the image needs, one a line, as pyproject.toml names them."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
print(*project["dependencies"], *project["optional-dependencies"]["lab"], sep="\n")
