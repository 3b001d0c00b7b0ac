"""The page about Kubernetes names what there is."""

import re
import shlex
import shutil
import subprocess
import tomllib
from importlib import import_module

import pytest
from tests.deploy.kubernetes.manifests import FOLDER, KUSTOMIZATIONS, containers

PAGE = (FOLDER / "README.md").read_text()
REPOSITORY = FOLDER.parents[1]
SCRIPTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
BLOCKS = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line.strip() for block in BLOCKS for line in block.splitlines()]
OWN = [line for line in COMMANDS if line.startswith("ssd-")]
MIB = {"Mi": 1, "Gi": 1024}


def test_every_path_that_the_page_links_to_exists():
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", PAGE)
    assert targets
    assert [path for path in targets if not (FOLDER / path).exists()] == []


def test_every_kustomization_has_its_place_on_the_page():
    assert [name for name in KUSTOMIZATIONS if f"]({name})" not in PAGE] == []


def test_every_kustomization_that_a_command_names_exists():
    named = re.findall(r"-k deploy/kubernetes/(\S+)", PAGE)
    assert set(named) <= set(KUSTOMIZATIONS)
    assert named


@pytest.mark.parametrize("line", OWN)
def test_a_command_of_this_project_is_understood(line):
    name, *arguments = shlex.split(line.partition(">")[0], comments=True)
    module, _, function = SCRIPTS[name].partition(":")
    getattr(import_module(module), function).make_context(name, arguments)


@pytest.mark.parametrize("module", re.findall(r"^python -m (\S+)", "\n".join(COMMANDS), re.M))
def test_a_module_that_is_run_exists(module):
    assert import_module(module).main


def test_git_ignores_the_keys_that_the_page_makes():
    folders = re.findall(r"ssd-keys (\S+)", PAGE)
    assert folders
    if not (REPOSITORY / ".git").exists():
        pytest.skip("needs a checkout by git")
    files = [f"{folder}/{name}" for folder in folders for name in ("env.secret", "kubernetes.yaml")]
    command = ["git", "-C", REPOSITORY, "check-ignore", *files]
    assert subprocess.check_output(command, text=True).split() == files


def test_the_sizes_are_the_sums_of_the_requests(kubectl):
    cpus = memory = 0
    for workload, container in containers(kubectl("overlays/cpu")):
        requests = container["resources"]["requests"]
        cpus += workload.count * float(requests["cpu"].removesuffix("m")) / 1000
        memory += workload.count * int(requests["memory"][:-2]) * MIB[requests["memory"][-2:]]
    assert f"needs {cpus:g} CPUs and {memory / 1024:g} GiB by its requests" in PAGE


def test_monitoring_and_a_run_fit_into_one_kustomization(kubectl, tmp_path):
    (block,) = re.findall(r"^```yaml\n(namespace: .*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    folder = tmp_path / "kubernetes" / "mine"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(block)
    kinds = {one["kind"] for one in kubectl(folder)}
    assert kinds >= {"StatefulSet", "PodMonitor", "PrometheusRule"}
