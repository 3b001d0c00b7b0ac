"""A process's log grows at a bounded rate, whatever its peers do."""

import io
import logging

import pytest

from ssd_wire.process.log_handler import LINES, WINDOW_SECONDS, LimitedLogHandler


class Log:
    """A logger with a handler whose clock stands still unless it is moved."""

    def __init__(self):
        self.now = 0.0
        self.stream = io.StringIO()
        self.handler = LimitedLogHandler(self.stream, lambda: self.now)
        self.logger = logging.Logger("process")
        self.logger.addHandler(self.handler)

    def refuse(self, times):
        for number in range(times):
            self.logger.warning("refused peer %d", number)

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()


@pytest.fixture
def log():
    return Log()


def test_few_lines_are_all_written(log):
    log.refuse(LINES - 1)
    assert log.lines == [f"refused peer {number}" for number in range(LINES - 1)]


def test_of_a_flood_the_first_lines_are_written_and_one_says_that_more_are_left_out(log):
    log.refuse(10_000)
    assert log.lines[LINES - 1] == f"refused peer {LINES - 1}"
    assert "not logged for a minute" in log.lines[LINES]
    assert len(log.lines) == LINES + 1


def test_after_a_minute_one_line_says_how_many_were_left_out_and_lines_are_written_again(log):
    log.refuse(10_000)
    log.now += WINDOW_SECONDS
    log.refuse(1)
    summary, line = log.lines[LINES + 1 :]
    assert summary.startswith(f"{10_000 - LINES} more lines from {__file__}:")
    assert line == "refused peer 0"


def test_at_the_end_of_a_process_what_was_left_out_is_counted_too(log):
    log.refuse(LINES + 3)
    log.handler.close()
    assert log.lines[-1].startswith("3 more lines from")


def test_a_flood_from_one_place_does_not_keep_others_from_being_logged(log):
    log.refuse(10_000)
    log.logger.error("the disk is full")
    assert log.lines[-1] == "the disk is full"


def test_a_flood_of_a_day_is_less_than_5_megabytes(log):
    for _minute in range(24 * 60):
        log.refuse(100)
        log.now += WINDOW_SECONDS
    assert len(log.stream.getvalue()) < 5e6
