import errno
import json
import os

import pytest

from ssd_wire.process import json_lines
from ssd_wire.process.json_lines import JsonLinesFile


class Disk:
    """Has room for so many bytes; then it writes what fits, and refuses the rest."""

    def __init__(self, monkeypatch):
        self.room = 10**9
        self._write = os.write
        monkeypatch.setattr(json_lines.os, "write", self.write)

    def write(self, file, data):
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(file, data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "episodes" / "lines.jsonl"


def numbers(path):
    """The lines that are JSON, and the number of those that are not."""
    lines = path.read_bytes().splitlines()
    found, torn = [], 0
    for line in lines:
        try:
            found.append(json.loads(line)["number"])
        except ValueError:
            torn += bool(line)
    return found, torn


def records(*several):
    return [{"number": number} for number in several]


def test_lines_are_appended_to_what_is_there(path):
    for number in (1, 2):
        file = JsonLinesFile(path)
        file.append(records(number))
        file.close()
    assert numbers(path) == ([1, 2], 0)


def test_a_file_is_made_only_when_there_is_a_line_for_it(path):
    JsonLinesFile(path).close()
    assert not path.exists()


@pytest.mark.parametrize("room", range(45))
def test_wherever_the_disk_is_full_each_line_is_there_once_and_whole_in_the_end(path, disk, room):
    file = JsonLinesFile(path)
    disk.room = room  # two lines take 28 bytes
    file.append(records(1, 2))
    assert (file.fault is None) == (room >= 28)
    file.append(records(3))
    disk.room = 10**9
    file.append(records(4))
    assert numbers(path) == ([1, 2, 3, 4], 0)
    assert (file.fault, file.waiting) == (None, 0)


def test_a_line_that_a_killed_writer_left_unfinished_is_not_joined_to_the_next(path):
    path.parent.mkdir()
    path.write_bytes(b'{"number": 1}\n{"numb')
    JsonLinesFile(path).append(records(2))
    assert path.read_bytes() == b'{"number": 1}\n{"numb\n{"number": 2}\n'


def test_memory_for_lines_that_wait_is_bounded_and_the_oldest_are_dropped(path, disk, monkeypatch):
    monkeypatch.setattr(json_lines, "MAX_WAITING", 3)
    file = JsonLinesFile(path)
    disk.room = 0
    for number in range(5):
        file.append(records(number))
    assert (file.waiting, file.dropped) == (3, 2)
    disk.room = 10**9
    file.close()
    assert numbers(path) == ([2, 3, 4], 0)


def test_a_line_that_is_given_up_half_written_is_not_joined_to_the_next(path, disk, monkeypatch):
    monkeypatch.setattr(json_lines, "MAX_WAITING", 1)
    file = JsonLinesFile(path)
    disk.room = 5
    file.append(records(1))
    file.append(records(2))
    disk.room = 10**9
    file.close()
    assert numbers(path) == ([2], 1)


def test_a_folder_that_cannot_be_made_is_a_fault_like_a_full_disk(tmp_path):
    (tmp_path / "episodes").write_text("a file")
    file = JsonLinesFile(tmp_path / "episodes" / "lines.jsonl")
    file.append(records(1))
    assert isinstance(file.fault, OSError)
    (tmp_path / "episodes").unlink()
    file.append(records(2))
    assert numbers(file.path) == ([1, 2], 0)


def test_what_is_no_number_is_refused_and_leaves_nothing_behind(path):
    file = JsonLinesFile(path)
    with pytest.raises(ValueError, match="JSON"):
        file.append([{"number": float("nan")}])
    assert file.waiting == 0
