import os
import stat
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from ssd_wire.errors import KeyFileError
from ssd_wire.security.cli import main
from ssd_wire.security.keys import create_keys, load_keys

AGENTS = 2
IDENTITIES = ("env", "learner-0", "actor-0", "learner-1", "actor-1")


@pytest.fixture
def folder(tmp_path):
    create_keys(tmp_path / "keys", AGENTS)
    return tmp_path / "keys"


def test_every_process_of_a_run_has_a_pair_of_its_own_and_knows_all_public_keys(folder):
    loaded = [load_keys(folder, name) for name in IDENTITIES]

    assert len({keys.secret for keys in loaded}) == len(IDENTITIES)
    assert all(set(keys.known) == set(IDENTITIES) for keys in loaded)
    assert all(keys.public_key_of(keys.identity) == keys.public for keys in loaded)


def test_only_their_owner_can_read_secrets_and_the_folder_of_secrets(folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.secret")}
    assert modes == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620], ids=oct)
def test_a_secret_that_others_can_read_or_write_is_refused(folder, mode):
    (folder / "actor-1.secret").chmod(mode)
    with pytest.raises(KeyFileError, match=rf"actor-1\.secret: wanted .*0600.*, found 0{mode:o}"):
        load_keys(folder, "actor-1")


@pytest.mark.skipif(os.geteuid() != 0, reason="the file has to be root's")
@pytest.mark.parametrize(("mode", "accepted"), [(0o440, True), (0o640, True), (0o444, False)])
def test_roots_secret_may_be_readable_by_the_group_of_another_user(
    folder, monkeypatch, mode, accepted
):
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    (folder / "env.secret").chmod(mode)
    with nullcontext() if accepted else pytest.raises(KeyFileError, match=r"wanted .*0600"):
        load_keys(folder, "env")


def test_a_machine_needs_only_its_own_secrets(folder):
    for path in folder.glob("*.secret"):
        if path.name != "env.secret":
            path.unlink()

    assert load_keys(folder, "env").identity == "env"
    with pytest.raises(KeyFileError, match=r"learner-0\.secret: cannot be read"):
        load_keys(folder, "learner-0")


def test_keys_are_never_overwritten(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeyFileError, match="a key is here already"):
        create_keys(folder, AGENTS)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("env = 5\n", "wanted a key of 40 characters for env"),
        ("env = 'short'\n", "wanted a key of 40 characters for env"),
        (f"env = '{'~' * 40}'\n", "wanted a key of 40 characters for env"),
        (f"env = '{'#' * 40}'\n", "wanted a key of 40 characters for env"),
        (f"learner = '{'1' * 40}'\n", "wanted env, learner-K or actor-K, found 'learner'"),
        (f"actor-01 = '{'1' * 40}'\n", "wanted env, learner-K or actor-K, found 'actor-01'"),
        (f"env = '{'1' * 40}'\nactor-0 = '{'1' * 40}'\n", "found one twice"),
        ("env\n", "wanted lines of IDENTITY"),
    ],
    ids=["number", "short", "no Z85", "too large for Z85", "unknown", "zero", "twice", "no TOML"],
)
def test_an_allow_list_that_is_none_is_refused(folder, content, fault):
    (folder / "public.toml").write_text(content)
    with pytest.raises(KeyFileError, match=fault):
        load_keys(folder, "env")


def test_a_secret_of_another_identity_is_refused(folder):
    (folder / "actor-0.secret").write_bytes((folder / "actor-1.secret").read_bytes())
    with pytest.raises(KeyFileError, match="does not match the public key of actor-0"):
        load_keys(folder, "actor-0")


def test_a_peer_without_a_public_key_is_named(folder):
    keys = load_keys(folder, "env")
    with pytest.raises(KeyFileError, match="wanted a public key of learner-7, found none"):
        keys.public_key_of("learner-7")


def test_ssd_keys_says_which_file_goes_where(tmp_path):
    result = CliRunner().invoke(main, [str(tmp_path / "keys"), "--agents", "2"])

    assert result.exit_code == 0
    assert "keys/public.toml: 5 public keys, for every machine" in result.output
    assert "keys/actor-1.secret: for the machines that run ssd-actor --agent 1" in result.output
    assert load_keys(tmp_path / "keys", "learner-1").identity == "learner-1"
