"""Real processes, tiny ones: what only the operating system can tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssd_lab.children import Nursery
from ssd_lab.closing import close
from ssd_lab.history import History
from ssd_lab.roster import Program
from ssd_lab.supervise import RunFailedError, Supervisor

# Does what every process of a run does: says that it is up, and stops when asked or orphaned.
PROCESS = """
import sys, select, time
from pathlib import Path
from ssd_wire.process import announce
from ssd_wire.stop import Stop
role, run_dir, manner, *options = sys.argv[1:]
lifeline = next(int(o.partition("=")[2]) for o in options if o.startswith("--lifeline"))
stop = Stop(lifeline)
print("options", *options, flush=True)
if manner == "refuses":
    print("error: no such device", file=sys.stderr)
    sys.exit(78)
if manner == "crashes":
    sys.exit(1)
announce(Path(run_dir), role, {})
while manner == "stubborn" or not stop.requested:
    select.select([] if manner == "stubborn" else stop.descriptors, [], [], 60)
    stop.look()
"""

LAUNCHER = """
import sys, time
from pathlib import Path
from ssd_lab import rundir
from ssd_lab.children import Nursery
from ssd_lab.roster import Program
from ssd_lab.presets import load_preset
from ssd_lab.plan import validate
run_dir = rundir.begin(Path(sys.argv[1]), validate(load_preset("cleanup-moa")))
nursery = Nursery(run_dir)
child = nursery.start(Program("env-0", tuple(sys.argv[2:])), 0)
while not nursery.announced("env-0", child.pid):
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(60)
"""


def program(run_dir, role="env-0", manner="obeys", numbered=False):
    command = (sys.executable, "-c", PROCESS, role, str(run_dir), manner)
    return Program(role, command, numbered)


@pytest.fixture
def nursery(run_dir):
    made = Nursery(run_dir)
    yield made
    made.close()


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this takes too long"
        time.sleep(0.01)


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_process_is_up_when_it_says_so_itself_and_not_by_an_earlier_ones_word(nursery, run_dir):
    child = nursery.start(program(run_dir.root), 0)
    until(lambda: nursery.announced("env-0", child.pid))
    assert not nursery.announced("env-0", child.pid + 1)
    child.terminate()
    assert child.wait(30) == 0


def test_output_of_all_starts_is_in_one_log(nursery, run_dir):
    for number in (4, 5):
        nursery.start(program(run_dir.root, manner="crashes", numbered=True), number).wait(30)
    words = nursery.last_words("env-0")
    assert words.count("options") == 2
    assert words.index("--incarnation=4") < words.index("--incarnation=5")


def test_last_words_are_the_end_of_a_long_log(nursery):
    lines = [f"line {number} ü" for number in range(5000)]
    nursery.log("env-0").write_text("\n".join(lines))
    assert nursery.last_words("env-0").splitlines() == lines[-20:]


def test_a_ctrl_c_at_the_terminal_reaches_the_launcher_alone(nursery, run_dir):
    child = nursery.start(program(run_dir.root), 0)
    until(lambda: nursery.announced("env-0", child.pid))
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert os.getsid(child.pid) == child.pid
    child.terminate()
    child.wait(30)


def test_children_end_when_their_launcher_is_killed(tmp_path):
    root = tmp_path / "run"
    arguments = program(root).command
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(root), *arguments], stdout=subprocess.PIPE, text=True
    ) as launcher:
        pid = int(launcher.stdout.readline())
        assert is_running(pid)
        launcher.kill()
    until(lambda: not is_running(pid))


@pytest.fixture
def supervise(nursery, run_dir):
    said: list[str] = []

    def make(*programs):
        history = History(run_dir.history, run_dir.ledgers)
        made = Supervisor(programs, nursery, history, time.monotonic, said.append)
        made.said = said
        return made

    return make


def test_a_killed_process_comes_back(run_dir, supervise):
    supervisor = supervise(program(run_dir.root, role="env-0"))
    entry = run_dir.processes / "env-0.json"

    def is_up():
        supervisor.look()
        return entry.exists()

    until(is_up)
    first = entry.read_text()
    os.kill(int(first.partition('"pid": ')[2].rstrip("}\n")), signal.SIGKILL)
    until(lambda: is_up() and entry.read_text() != first)
    assert close(supervisor, 30, time.monotonic, lambda: time.sleep(0.01)) == ()
    assert supervisor.alive() == ()


def test_a_process_that_refuses_its_configuration_ends_the_run_with_its_words(
    nursery, run_dir, supervise
):
    supervisor = supervise(program(run_dir.root, role="learner-0", manner="refuses"))
    with pytest.raises(RunFailedError, match="learner-0 cannot go on"):
        until(supervisor.look)
    assert nursery.last_words("learner-0").endswith("error: no such device")


def test_a_process_that_never_comes_up_ends_the_run(run_dir, supervise):
    supervisor = supervise(program(run_dir.root, role="env-0", manner="crashes"))
    with pytest.raises(RunFailedError, match="3 times before it was up"):
        until(supervisor.look)


def test_a_stubborn_process_is_killed_at_the_deadline(run_dir, supervise):
    supervisor = supervise(program(run_dir.root, role="learner-0", manner="stubborn"))

    def is_up():
        supervisor.look()
        return (run_dir.processes / "learner-0.json").exists()

    until(is_up)
    assert close(supervisor, 0.3, time.monotonic, lambda: time.sleep(0.01)) == ("learner-0",)
    assert supervisor.alive() == ()
