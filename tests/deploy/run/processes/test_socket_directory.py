import tempfile
from pathlib import Path

import pytest

from ssd_run.processes.socket_directory import LONGEST_NAME, SHORT, socket_directory
from ssd_wire.endpoints import MAX_IPC_PATH_BYTES
from ssd_wire.errors import EndpointError


def test_sockets_are_where_tmpdir_says_and_private(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", SHORT)
    said = []
    with socket_directory(said.append) as folder:
        assert folder.parent == Path(SHORT)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    assert said == []


def test_a_tmpdir_too_long_for_sockets_is_left_for_a_short_directory_and_that_is_said(monkeypatch):
    long = "/" + "t" * (MAX_IPC_PATH_BYTES - len(LONGEST_NAME) - 1)
    monkeypatch.setattr(tempfile, "tempdir", long)
    said = []
    with socket_directory(said.append) as folder:
        assert folder.parent == Path(SHORT)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert said == [f"the path {long} is too long for sockets: they are in {SHORT}"]


def test_a_directory_that_cannot_be_created_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.setattr("ssd_run.processes.socket_directory.SHORT", str(tmp_path / "none"))
    with (
        pytest.raises(EndpointError, match="cannot create a directory for sockets"),
        socket_directory(print),
    ):
        pass
