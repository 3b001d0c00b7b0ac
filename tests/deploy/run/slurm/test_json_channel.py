import os

import pytest

from ssd_run.slurm.json_channel import JsonReader, write_message


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


def test_messages_arrive_as_they_were_written(pipe):
    reader = JsonReader(pipe[0])
    sent = [{"ended": "env-0", "code": -9}, {"text": "two\nlines"}]
    for message in sent:
        write_message(pipe[1], message)
    assert reader.read() == sent
    os.close(pipe[1])


def test_a_part_of_a_message_waits_for_the_rest(pipe):
    reader = JsonReader(pipe[0])
    os.write(pipe[1], b'{"ready": true}\n{"rea')
    assert reader.read() == [{"ready": True}]
    os.write(pipe[1], b'dy": false}\n')
    assert reader.read() == [{"ready": False}]
    os.close(pipe[1])


def test_what_was_written_before_the_end_is_read(pipe):
    reader = JsonReader(pipe[0])
    write_message(pipe[1], {"failed": "no disk"})
    os.close(pipe[1])
    assert reader.read() == [{"failed": "no disk"}]
    assert reader.ended


def test_reading_does_not_wait(pipe):
    reader = JsonReader(pipe[0])
    assert reader.read() == []
    assert not reader.ended
    os.close(pipe[1])
