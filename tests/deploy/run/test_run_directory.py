import subprocess
import sys
import threading

import click
import pytest

from ssd_run import run_directory
from ssd_run.processes.socket_directory import socket_directory
from ssd_wire.errors import EndpointError, RunFileError
from ssd_wire.run_file import load_run_file


def test_new_run_directory_holds_the_resolved_run_file(run_dir, config):
    assert load_run_file(run_dir.run_file)["experiment"]["beta"] == 0.62
    learning = config.learning.model_dump(exclude_none=True)
    assert load_run_file(run_dir.run_file)["learning"] == learning


def test_a_directory_that_is_not_empty_is_refused(tmp_path, config):
    (tmp_path / "thesis.tex").write_text("do not touch")
    with pytest.raises(click.UsageError, match="exists already"):
        run_directory.create(tmp_path, config)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_refused_as_run_directory(tmp_path, config):
    (tmp_path / "run").write_text("")
    with pytest.raises(click.UsageError, match="exists already"):
        run_directory.create(tmp_path / "run", config)


def test_an_empty_directory_is_accepted(tmp_path, config):
    run_directory.create(tmp_path, config).close()
    assert (tmp_path / "run.toml").exists()


def test_a_second_launcher_is_refused_at_once(run_dir):
    with pytest.raises(EndpointError, match="in use by another process"):
        run_directory.resume(run_dir.root, patience=60, log=print)


def test_only_a_run_directory_has_a_configuration(tmp_path, run_dir, config):
    assert run_directory.read_config(run_dir.root) == config
    with pytest.raises(RunFileError, match="not a run directory"):
        run_directory.read_config(tmp_path)


def test_resuming_deletes_the_entries_of_earlier_processes(run_dir):
    run_dir.close()
    (run_dir.processes / "env-0.json").write_text("{}")
    run_directory.resume(run_dir.root, patience=0, log=print).close()
    assert list(run_dir.processes.iterdir()) == []


def test_resuming_deletes_the_sockets_of_a_killed_launcher(run_dir, tmp_path):
    left = tmp_path / "ssd-abc"
    left.mkdir()
    (left / "env-0").touch()
    run_dir.note_sockets(left)
    note = run_dir.root / run_directory.SOCKETS
    text = note.read_text()
    run_dir.close()
    assert not note.exists()  # a launcher that ends normally leaves nothing
    note.write_text(text)  # as a killed one does
    run_directory.resume(run_dir.root, patience=0, log=print).close()
    assert not left.exists()
    assert not note.exists()


def test_resuming_a_copy_of_a_running_run_leaves_the_sockets_of_that_run(run_dir):
    run_dir.close()
    with socket_directory(print) as sockets:
        (run_dir.root / run_directory.SOCKETS).write_text(str(sockets))
        run_directory.resume(run_dir.root, patience=0, log=print).close()
        assert sockets.is_dir()


@pytest.mark.parametrize("name", ["thesis", "ssd-link", "ssd-gone"])
def test_resuming_deletes_nothing_but_a_directory_for_sockets(run_dir, tmp_path, name):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "ssd-link").symlink_to(tmp_path / "thesis")
    run_dir.close()
    (run_dir.root / run_directory.SOCKETS).write_text(str(tmp_path / name))
    run_directory.resume(run_dir.root, patience=0, log=print).close()
    assert (tmp_path / "thesis").is_dir()
    assert (tmp_path / "ssd-link").is_symlink()


@pytest.mark.parametrize(
    ("was", "now", "named"),
    [
        ("gamma = 0.99\n", "gamma = 0.9\n", "[learning] gamma: wanted 0.99, found 0.9"),
        ("gamma = 0.99\n", "", None),
        ("games = 48\n", "games = 8\n", "[run] games: wanted 48, found 8"),
        ("\nlstm = 128\n", "\nlstm = 64\n", "[network] lstm: wanted 128, found 64"),
    ],
    ids=["a value", "a default left out", "a size", "a network's"],
)
def test_an_edited_run_file_is_refused_with_the_changed_key(run_dir, was, now, named):
    text = run_dir.run_file.read_text()
    assert was in text
    run_dir.run_file.write_text(text.replace(was, now))
    edited = run_directory.read_config(run_dir.root)
    if named is None:
        run_directory.check_unedited(run_dir.root, edited)
        return
    with pytest.raises(RunFileError) as refusal:
        run_directory.check_unedited(run_dir.root, edited)
    assert f"{run_dir.run_file} has been edited; a resumed run" in str(refusal.value)
    assert str(refusal.value).splitlines()[1:] == [named]


@pytest.fixture
def orphan(run_dir):
    """A child that outlives its launcher for as long as its standard input is open."""
    lock = run_dir.processes_lock.fileno()
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(lock,)) as child:
        run_dir.close()
        yield child


def test_resuming_waits_for_an_earlier_launchs_processes_with_a_message(run_dir, orphan):
    messages = []

    def log(text):
        messages.append(text)
        orphan.stdin.close()

    run_directory.resume(run_dir.root, patience=60, log=log).close()
    assert "processes of an earlier launch are still running" in messages[0]


@pytest.mark.usefixtures("orphan")
def test_resuming_gives_up_when_an_earlier_launchs_processes_do_not_end(run_dir):
    with pytest.raises(EndpointError, match="processes of an earlier launch are still running"):
        run_directory.resume(run_dir.root, patience=0, log=print)


def test_a_process_on_another_node_waits_for_an_earlier_one_of_its_name(run_dir):
    first = run_directory.join(run_dir.root, "arenas-node2", patience=0)
    run_directory.join(run_dir.root, "arenas-node3", patience=0).close()
    with pytest.raises(EndpointError, match="arenas-node2 in run directory"):
        run_directory.join(run_dir.root, "arenas-node2", patience=0.3)
    threading.Timer(0.3, first.close).start()
    run_directory.join(run_dir.root, "arenas-node2", patience=60).close()


def test_a_process_on_a_node_without_the_run_directory_is_refused(tmp_path):
    with pytest.raises(EndpointError, match="wanted a directory that all nodes share"):
        run_directory.join(tmp_path / "run", "arenas-node2", patience=60)
