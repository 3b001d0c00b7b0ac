import tempfile
from pathlib import Path

import pytest

from ssd_run.processes.socket_directory import LONGEST_NAME, SHORT, socket_directory
from ssd_wire.endpoints import MAX_IPC_PATH_BYTES
from ssd_wire.errors import EndpointError


def test_sockets_are_in_a_private_directory_in_tmpdir(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", SHORT)
    messages = []
    with socket_directory(messages.append) as folder:
        assert folder.parent == Path(SHORT)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    assert messages == []


def test_a_tmpdir_too_long_for_sockets_is_replaced_by_a_short_directory_with_a_message(monkeypatch):
    long = "/" + "t" * (MAX_IPC_PATH_BYTES - len(LONGEST_NAME) - 1)
    monkeypatch.setattr(tempfile, "tempdir", long)
    messages = []
    with socket_directory(messages.append) as folder:
        assert folder.parent == Path(SHORT)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert messages == [f"the path {long} is too long for sockets: they are in {SHORT}"]


def test_a_directory_that_cannot_be_created_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.setattr("ssd_run.processes.socket_directory.SHORT", str(tmp_path / "none"))
    with (
        pytest.raises(EndpointError, match="cannot create a directory for sockets"),
        socket_directory(print),
    ):
        pass
