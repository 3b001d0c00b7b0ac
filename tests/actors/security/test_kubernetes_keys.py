import base64
import stat

import pytest
import yaml
from click.testing import CliRunner

from ssd_wire.security.cli import main
from ssd_wire.security.keys import load_keys

AGENTS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("made") / "keys"
    result = CliRunner().invoke(main, [str(made), f"--agents={AGENTS}", "--kubernetes"])
    assert result.exit_code == 0, result.output
    return made


@pytest.fixture(scope="module")
def objects(folder):
    documents = yaml.safe_load_all((folder / "kubernetes.yaml").read_text())
    return {one["metadata"]["name"]: one for one in documents}


def test_each_kind_of_process_has_a_secret_with_its_own_keys_and_no_others(objects):
    files = {name: set(one["data"]) for name, one in objects.items()}
    assert files == {
        "keys-env": {"env.secret"},
        "keys-learner": {"learner-0.secret", "learner-1.secret"},
        "keys-actor": {"actor-0.secret", "actor-1.secret"},
        "keys-public": {"public.toml"},
    }


def test_public_keys_alone_are_not_secret(objects):
    kinds = {name: one["kind"] for name, one in objects.items()}
    assert kinds.pop("keys-public") == "ConfigMap"
    assert set(kinds.values()) == {"Secret"}


@pytest.mark.parametrize("identity", ["env", "learner-1", "actor-0"])
def test_a_process_whose_files_are_mounted_from_the_objects_has_its_keys(
    folder, objects, identity, tmp_path
):
    name = f"{identity}.secret"
    data = objects[f"keys-{identity.partition('-')[0]}"]["data"]
    (tmp_path / name).write_bytes(base64.b64decode(data[name]))
    (tmp_path / name).chmod(0o400)
    (tmp_path / "public.toml").write_text(objects["keys-public"]["data"]["public.toml"])
    assert load_keys(tmp_path, identity) == load_keys(folder, identity)


def test_only_its_owner_can_read_the_manifest(folder):
    assert stat.S_IMODE((folder / "kubernetes.yaml").stat().st_mode) == 0o600
