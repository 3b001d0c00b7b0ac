import tempfile
from pathlib import Path

import pytest

from ssd_run.processes.socket_directory import LONGEST_NAME, SHORT, socket_directory
from ssd_wire.endpoints import MAX_IPC_PATH_BYTES
from ssd_wire.errors import EndpointError


def test_sockets_are_where_tmpdir_says_and_private(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", SHORT)
    told = []
    with socket_directory(told.append) as folder:
        assert folder.parent == Path(SHORT)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    assert told == []


def test_a_tmpdir_too_long_for_sockets_is_left_for_a_short_directory_and_that_is_said(monkeypatch):
    long = "/" + "t" * (MAX_IPC_PATH_BYTES - len(LONGEST_NAME) - 1)
    monkeypatch.setattr(tempfile, "tempdir", long)
    told = []
    with socket_directory(told.append) as folder:
        assert folder.parent == Path(SHORT)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert told == [f"{long} is too long a path for sockets: they are in {SHORT}"]


def test_where_no_directory_can_be_made_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.setattr("ssd_run.processes.socket_directory.SHORT", str(tmp_path / "none"))
    with pytest.raises(EndpointError, match="no directory for sockets"), socket_directory(print):
        pass
