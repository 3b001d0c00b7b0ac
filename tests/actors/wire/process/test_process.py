"""What all processes of a run share."""

import errno
import http.client
import json
import os
import re
import socket
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ssd_wire.errors import EndpointError, RefusedError, ReplacedError, RunFileError
from ssd_wire.process import command
from ssd_wire.process.command import (
    process_options,
    reports_errors,
    serve_metrics,
    write_atomically,
    write_process_entry,
)
from ssd_wire.process.metrics_server import MetricsServer
from ssd_wire.run_file import load_run_file


class Thermometer(Collector):
    """Reads one metric."""

    degrees = 20

    def collect(self):
        yield GaugeMetricFamily("degrees", "How warm it is.", self.degrees)


@pytest.fixture(autouse=True)
def servers_end(monkeypatch):
    """Have metrics servers end with their test."""
    made = []

    class Noted(MetricsServer):
        def start(self):
            super().start()
            made.append(self)

    monkeypatch.setattr(command, "MetricsServer", Noted)
    yield
    for server in made:
        server.shutdown()
        server.server_close()


def read_metrics(address):
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_metrics_are_read_when_scraped_at_the_returned_address():
    thermometer = Thermometer()
    address = serve_metrics(thermometer, "127.0.0.1:0", "env-0")
    host, _, port = address.partition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0
    assert "\ndegrees 20.0\n" in read_metrics(address)
    thermometer.degrees = 21
    assert "\ndegrees 21.0\n" in read_metrics(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "9090",
        ":9090",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "256.0.0.1:0",
        "::1:0",
        "[::1]",
    ],
)
def test_an_unusable_metrics_address_is_refused_as_it_was_given(address):
    with pytest.raises(EndpointError, match=f"metrics address '{re.escape(address)}': "):
        serve_metrics(Thermometer(), address, "env-0")


def test_the_error_for_a_malformed_metrics_address_shows_the_wanted_form():
    wanted = r"wanted address:port .* as 127\.0\.0\.1:9100 or \[::1\]:9100"
    with pytest.raises(EndpointError, match=wanted):
        serve_metrics(Thermometer(), "9178", "env-0")


def test_metrics_are_served_on_an_ipv6_address_in_brackets():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    address = serve_metrics(Thermometer(), "[::1]:0", "env-0")
    assert address.startswith("[::1]:")
    assert "\ndegrees 20.0\n" in read_metrics(address)


@pytest.mark.parametrize(
    ("role", "labels"),
    [
        ("env-2", 'agent="",arena="2",role="env"'),
        ("actor-2-3", 'agent="3",arena="2",role="actor"'),
        ("learner-3", 'agent="3",arena="",role="learner"'),
    ],
)
def test_metrics_include_the_process_info_and_resource_usage(role, labels):
    text = read_metrics(serve_metrics(Thermometer(), "127.0.0.1:0", role))
    assert f"\nssd_process_info{{{labels}}} 1.0\n" in text
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
        assert f"\n{name} " in text


def test_a_metrics_port_that_is_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(EndpointError, match=f"metrics address '{address}': .*in use"):
            serve_metrics(Thermometer(), address, "env-0")


def test_a_process_entry_has_pid_and_addresses(tmp_path):
    write_process_entry(tmp_path, "env-0", {"metrics": "127.0.0.1:1", "env": "ipc:///w"})
    entry = json.loads((tmp_path / "processes" / "env-0.json").read_text())
    assert entry == {
        "role": "env-0",
        "pid": os.getpid(),
        "metrics": "127.0.0.1:1",
        "env": "ipc:///w",
    }


def test_without_a_run_directory_no_process_entry_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_process_entry(None, "env-0", {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_atomically_and_no_temporary_file_remains(tmp_path):
    path = tmp_path / "folder" / "file"
    write_atomically(path, "the first, which is longer")
    with path.open() as reader:
        write_atomically(path, "the second")
        assert reader.read() == "the first, which is longer"
    assert path.read_text() == "the second"
    assert list(path.parent.iterdir()) == [path]


def run_and_raise(fault):
    @click.command()
    @reports_errors
    def command():
        raise fault

    return CliRunner().invoke(command)


@pytest.mark.parametrize("fault", [RunFileError, EndpointError, RefusedError])
def test_errors_that_would_recur_are_one_line_and_exit_code_78(fault):
    result = run_and_raise(fault("wanted this, found that"))
    assert (result.exit_code, result.stderr) == (78, "error: wanted this, found that\n")


def test_a_file_that_cannot_be_read_now_is_no_configuration_error(tmp_path, monkeypatch):
    def read_text(path, **_):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(Path, "read_text", read_text)

    @click.command()
    @reports_errors
    def command():
        load_run_file(tmp_path / "run.toml")

    result = CliRunner().invoke(command)
    assert result.exit_code == 74
    assert "run.toml: cannot be read" in result.stderr


def test_an_actor_whose_place_was_taken_ends_with_exit_code_76():
    assert run_and_raise(ReplacedError("a newer process")).exit_code == 76


@pytest.mark.parametrize(
    "code",
    [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ESTALE],
    ids=errno.errorcode.get,
)
def test_a_fault_of_a_disk_that_may_pass_is_one_line_and_exit_code_74(code):
    result = run_and_raise(OSError(code, "cannot be written", "ledger.json"))
    assert result.exit_code == 74
    assert result.stderr == f"error: [Errno {code}] cannot be written: 'ledger.json'\n"


def test_another_fault_of_the_system_is_not_hidden():
    assert isinstance(run_and_raise(PermissionError()).exception, PermissionError)


def test_a_programming_error_is_not_hidden():
    assert isinstance(run_and_raise(ZeroDivisionError()).exception, ZeroDivisionError)


def test_all_processes_have_the_same_options(tmp_path):
    given = {}

    @click.command()
    @process_options
    def command(**options):
        given.update(options)

    CliRunner().invoke(command, ["--run", "run.toml"], catch_exceptions=False)
    assert {name: value and str(value) for name, value in given.items()} == {
        "run_file": "run.toml",
        "run_dir": None,
        "keys": None,
        "metrics": "127.0.0.1:0",
        "parent_pipe": None,
    }
    assert CliRunner().invoke(command, []).exit_code == 2
    assert CliRunner().invoke(command, ["--run", str(tmp_path)]).exit_code == 2
