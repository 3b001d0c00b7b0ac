import shutil

import pytest
import yaml
from click.testing import CliRunner
from tests.deploy.kubernetes.manifests import KUSTOMIZATIONS, WITH_PODS, render

from ssd_wire.security.cli import main as ssd_keys

AGENTS = 5


@pytest.fixture(scope="session")
def kubectl():
    """Renders one kustomization."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl, of the Debian package kubernetes-client")
    return render


@pytest.fixture(params=KUSTOMIZATIONS)
def rendered(request, kubectl):
    """All objects of one kustomization."""
    return kubectl(request.param)


@pytest.fixture(params=WITH_PODS)
def run(request, kubectl):
    """All objects of one kustomization that has pods."""
    return kubectl(request.param)


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """The Secrets and the ConfigMap that the documented command makes."""
    folder = tmp_path_factory.mktemp("made") / "keys"
    result = CliRunner().invoke(ssd_keys, [str(folder), f"--agents={AGENTS}", "--kubernetes"])
    assert result.exit_code == 0, result.output
    return tuple(yaml.safe_load_all((folder / "kubernetes.yaml").read_text()))
