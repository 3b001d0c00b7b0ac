"""Tiny real processes: what only the operating system can show."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.until import until

from ssd_run.processes.history import History
from ssd_run.processes.programs import Program
from ssd_run.processes.shutdown import shut_down
from ssd_run.processes.spawner import RunFailedError, Spawner
from ssd_run.processes.supervisor import Supervisor

FAKE = "fake_process"

LAUNCHER = f"""
import sys, time
from pathlib import Path
from ssd_run import run_directory
from ssd_run.processes.spawner import Spawner
from ssd_run.processes.programs import Program
from ssd_run.presets import load_config
run_dir = run_directory.create(Path(sys.argv[1]), load_config("cleanup-moa"))
spawner = Spawner(run_dir, "{FAKE}")
while not spawner.is_ready():
    time.sleep(0.01)
child = spawner.start(Program("env-0", "{FAKE}", tuple(sys.argv[2:])), 0)
while not spawner.announced("env-0", child.pid):
    time.sleep(0.01)
print(child.pid, spawner._process.pid, flush=True)
time.sleep(60)
"""


def program(run_dir, role="env-0", behaviour="obeys", numbered=False):
    command = ("ssd-fake", role, str(run_dir), behaviour)
    return Program(role, FAKE, command, numbered)


@pytest.fixture(autouse=True)
def _fake(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


@pytest.fixture
def spawner(run_dir):
    made = Spawner(run_dir, FAKE)
    yield made
    made.close()


def start(spawner, program, number=0):
    until(spawner.is_ready)
    return spawner.start(program, number)


def start_and_wait(spawner, program):
    child = start(spawner, program)
    until(lambda: spawner.announced(program.role, child.pid))
    return child


def code_of(child):
    until(lambda: child.poll() is not None)
    return child.poll()


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_process_is_up_when_it_has_announced_itself_and_not_by_an_earlier_entry(spawner, run_dir):
    child = start_and_wait(spawner, program(run_dir.root))
    assert not spawner.announced("env-0", child.pid + 1)
    child.terminate()
    assert code_of(child) == 0


def test_the_signal_that_killed_a_process_is_known(spawner, run_dir):
    child = start_and_wait(spawner, program(run_dir.root))
    child.kill()
    assert code_of(child) == -signal.SIGKILL


def test_a_process_ends_with_its_output_and_without_the_interpreter_s_cleaning_up(spawner, run_dir):
    """Which would copy the memory that it shares with the fork server."""
    child = start(spawner, program(run_dir.root, behaviour="leaves much to clean up"))
    assert code_of(child) == 0
    assert spawner.log_tail("env-0").endswith("the last words")


def test_a_process_that_has_ended_is_sent_no_signals(spawner, run_dir, monkeypatch):
    child = start(spawner, program(run_dir.root, behaviour="crashes"))
    assert code_of(child) == 1
    sent = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", lambda *signal: sent.append(signal))
        child.terminate()
        child.kill()
    assert sent == []  # its pid may be used again


def test_output_of_all_starts_is_in_one_log(spawner, run_dir):
    for number in (4, 5):
        code_of(start(spawner, program(run_dir.root, behaviour="crashes", numbered=True), number))
    words = spawner.log_file("env-0").read_text()
    assert words.count("options --start-number") == 2
    assert words.index("--start-number=4") < words.index("--start-number=5")
    assert "RuntimeError: on purpose" in spawner.log_tail("env-0")


def test_a_log_that_was_deleted_has_no_tail_and_no_error(spawner):
    assert spawner.log_tail("env-0") == ""
    assert spawner.last_error("env-0") == ("", "")


def test_a_log_tail_is_the_end_of_a_long_log(spawner):
    lines = [f"line {number} ü" for number in range(5000)]
    spawner.log_file("env-0").write_text("\n".join(lines))
    assert spawner.log_tail("env-0").splitlines() == lines[-20:]


def test_ctrl_c_at_the_terminal_reaches_only_the_launcher(spawner, run_dir):
    child = start_and_wait(spawner, program(run_dir.root))
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert os.getsid(child.pid) == child.pid
    child.terminate()
    code_of(child)


def test_a_process_is_found_by_its_command(spawner, run_dir):
    child = start_and_wait(spawner, program(run_dir.root))
    shown = Path(f"/proc/{child.pid}/cmdline").read_text()
    assert shown.startswith(f"ssd-fake env-0 {run_dir.root} obeys --parent-pipe=")
    assert Path(f"/proc/{child.pid}/comm").read_text() == "ssd-fake\n"
    child.kill()
    code_of(child)


def test_processes_inherit_only_their_end_of_the_parent_pipe(spawner, run_dir):
    """With the other end, they would not notice the launcher's death."""
    child = start_and_wait(spawner, program(run_dir.root))
    held = {path.readlink().name for path in Path(f"/proc/{child.pid}/fd").iterdir()}
    parent_pipe = Path(f"/proc/self/fd/{spawner._parent_pipe}").readlink().name
    assert parent_pipe in held
    assert not [name for name in held if name.startswith("socket")]
    for path in Path(f"/proc/{child.pid}/fd").iterdir():
        if path.readlink().name == parent_pipe:
            flags = Path(f"/proc/{child.pid}/fdinfo/{path.name}").read_text().split()[3]
            assert int(flags, 8) & os.O_ACCMODE == os.O_RDONLY
    child.kill()
    code_of(child)


def test_forked_processes_do_not_draw_the_same_numbers(spawner, run_dir):
    for _ in range(2):
        code_of(start(spawner, program(run_dir.root, behaviour="crashes")))
    lines = spawner.log_file("env-0").read_text().splitlines()
    first, second = (line.split()[1:] for line in lines if line.startswith("random"))
    assert not set(first) & set(second)


def test_killing_the_fork_server_does_not_affect_the_processes_it_started(spawner, run_dir):
    child = start_and_wait(spawner, program(run_dir.root))
    os.kill(spawner._process.pid, signal.SIGKILL)
    other = None
    while other is None:
        other = start(spawner, program(run_dir.root, role="env-1"))
    assert child.poll() is None
    for one in (child, other):
        one.terminate()
        assert code_of(one) in (0, -signal.SIGTERM)  # the latter where it was not up yet


def test_a_fork_server_that_does_not_answer_in_time_is_killed_at_once_and_replaced(
    run_dir, monkeypatch
):
    monkeypatch.setattr("ssd_run.processes.spawner.ANSWER_SECONDS", 2.0)
    spawner = Spawner(run_dir, FAKE)
    until(spawner.is_ready)
    frozen = spawner._process.pid
    os.kill(frozen, signal.SIGSTOP)
    began = time.monotonic()
    assert spawner.start(program(run_dir.root), 0) is None
    assert time.monotonic() - began < 2 * 2.0, "the time to answer has passed twice"
    assert not is_running(frozen)
    child = start_and_wait(spawner, program(run_dir.root))
    spawner.close()
    assert code_of(child) == 0


@pytest.mark.parametrize(
    ("preload", "reason"),
    [
        ("fails", "No module named 'torch'"),
        ("starts a thread", "wanted 1 thread before a fork, found 2"),
        ("uses a GPU", "wanted no CUDA before a fork, found it initialised"),
    ],
)
def test_a_fork_server_that_cannot_fork_ends_the_run_with_its_error(
    run_dir, monkeypatch, preload, reason
):
    monkeypatch.setenv("FAKE_PRELOAD", preload)
    spawner = Spawner(run_dir, FAKE)
    with pytest.raises(RunFailedError, match="fork-server ended 3 times before") as failed:
        until(lambda: start(spawner, program(run_dir.root)))
    assert reason in spawner.log_tail(failed.value.role)
    assert not spawner.is_ready()  # while the run stops
    assert spawner.descriptors == ()
    spawner.close()


def test_once_it_has_forked_a_process_deaths_of_the_fork_server_never_end_the_run(
    spawner, run_dir, monkeypatch
):
    monkeypatch.setattr("ssd_run.processes.spawner.PAUSES", (0.0, 0.01))
    child = start_and_wait(spawner, program(run_dir.root))
    monkeypatch.setenv("FAKE_PRELOAD", "fails")
    dead = set()

    os.kill(spawner._process.pid, signal.SIGKILL)

    def has_died_five_times():
        dead.add(spawner._process.pid)
        return not spawner.is_ready() and len(dead) > 5

    until(has_died_five_times)
    assert child.poll() is None
    monkeypatch.delenv("FAKE_PRELOAD")
    start_and_wait(spawner, program(run_dir.root, role="actor-0-0"))


def test_an_unusable_run_file_ends_the_run_at_once_with_the_reason(run_dir, monkeypatch):
    monkeypatch.setenv("FAKE_PRELOAD", "refuses")
    spawner = Spawner(run_dir, FAKE)
    with pytest.raises(RunFailedError, match="fork-server cannot use the run file") as failed:
        until(lambda: start(spawner, program(run_dir.root)))
    why = "error: [experiment] nowhere.at:All: wanted a reward, found none"
    assert spawner.log_tail(failed.value.role) == why
    spawner.close()


def test_a_closed_fork_server_leaves_no_processes(run_dir):
    spawner = Spawner(run_dir, FAKE)
    child = start_and_wait(spawner, program(run_dir.root))
    spawner.close()
    assert code_of(child) == 0  # its parent pipe has closed
    for pid in (child.pid, spawner._process.pid):
        with pytest.raises(ChildProcessError):  # nor a zombie
            os.waitpid(pid, os.WNOHANG)


@pytest.mark.parametrize("fork_server_dies", [False, True], ids=["alone", "after the fork server"])
def test_children_end_when_their_launcher_is_killed(tmp_path, fork_server_dies):
    root = tmp_path / "run"
    arguments = program(root).command
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(root), *arguments], stdout=subprocess.PIPE, text=True
    ) as launcher:
        pids = [int(word) for word in launcher.stdout.readline().split()]
        if fork_server_dies:
            os.kill(pids[1], signal.SIGKILL)
        assert is_running(pids[0])
        launcher.kill()
    until(lambda: not any(map(is_running, pids)))


@pytest.fixture
def supervise(spawner, run_dir):
    messages: list[str] = []

    def make(*programs):
        history = History(run_dir.history, run_dir.ledgers)
        made = Supervisor(
            programs, spawner, history, time.monotonic, messages.append, lambda _: True
        )
        made.messages = messages
        return made

    return make


def test_a_killed_process_is_restarted(run_dir, supervise):
    supervisor = supervise(program(run_dir.root, role="env-0"))
    entry = run_dir.processes / "env-0.json"

    def is_up():
        supervisor.check()
        return entry.exists()

    until(is_up)
    first = entry.read_text()
    os.kill(int(first.partition('"pid": ')[2].rstrip("}\n")), signal.SIGKILL)
    until(lambda: is_up() and entry.read_text() != first)
    assert shut_down(supervisor, 30, time.monotonic, lambda: time.sleep(0.01)) == ()
    assert supervisor.alive() == ()


def test_a_process_that_refuses_its_configuration_ends_the_run_with_its_error(
    spawner, run_dir, supervise
):
    supervisor = supervise(program(run_dir.root, role="learner-0", behaviour="refuses"))
    with pytest.raises(RunFailedError, match="learner-0 cannot go on"):
        until(supervisor.check)
    assert spawner.log_tail("learner-0").endswith("error: no such device")


def test_a_process_that_never_starts_ends_the_run(run_dir, supervise):
    supervisor = supervise(program(run_dir.root, role="env-0", behaviour="crashes"))
    with pytest.raises(RunFailedError, match="3 times before it was up"):
        until(supervisor.check)


def test_the_error_of_a_process_is_named_with_its_place(spawner, run_dir, supervise):
    supervisor = supervise(program(run_dir.root, role="env-0", behaviour="crashes"))
    until(lambda: supervisor.check() or supervisor.messages)

    line, error = spawner.last_error("env-0")
    assert line == "RuntimeError: on purpose"
    assert re.fullmatch(r'File ".*fake_process.py", line \d+, in main: RuntimeError', error)
    assert "env-0 ended with exit code 1 (RuntimeError: on purpose)" in supervisor.messages[0]


def test_a_process_that_does_not_stop_is_killed_at_the_deadline(run_dir, supervise):
    supervisor = supervise(program(run_dir.root, role="learner-0", behaviour="stubborn"))

    def is_up():
        supervisor.check()
        return (run_dir.processes / "learner-0.json").exists()

    until(is_up)
    assert shut_down(supervisor, 0.3, time.monotonic, lambda: time.sleep(0.01)) == ("learner-0",)
    assert supervisor.alive() == ()
