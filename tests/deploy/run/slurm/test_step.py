"""The process of a step, with tiny real processes; `srun` is left out."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.until import until

from ssd_run import run_directory
from ssd_run.presets import load_config
from ssd_run.processes.programs import Program, RunSize
from ssd_run.processes.spawner import RunFailedError
from ssd_run.slurm.job import StepPlan
from ssd_run.slurm.step import STEP_PROCESS, Step, wait_for_places
from ssd_run.slurm.step_spawner import STEP_FAILED, StepSpawner, close_steps
from ssd_wire.errors import EndpointError

FAKES = Path(__file__).parents[1] / "processes"
PLAN = StepPlan("arenas-node2", "node2", arenas=(0,))
SIZE = RunSize(agents=2, arenas=1, steps=None)


def open_step(root):
    command = [sys.executable, "-P", "-m", STEP_PROCESS, str(root), PLAN.name, "--ports=4"]
    return Step(PLAN, command)


@pytest.fixture(scope="module", autouse=True)
def _environment():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(FAKES), prepend=os.pathsep)
        patch.setenv("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("step") / "run"
    with run_directory.create(root, load_config("cleanup-moa")) as held:
        yield held


@pytest.fixture(scope="module")
def shared(run_dir):
    """A step that all tests may use which leave it as it was."""
    step = open_step(run_dir.root)
    yield step
    close_steps([step])


@pytest.fixture
def step(tmp_path):
    """A step of the test's own, in a run directory of its own."""
    root = tmp_path / "run"
    with run_directory.create(root, load_config("cleanup-moa")) as held:
        opened = open_step(root)
        opened.run_dir = held
        yield opened
        close_steps([opened])


def fake(run_dir, role="env-0", behaviour="obeys"):
    command = ("ssd-fake", role, str(run_dir.root), behaviour)
    return Program(role, "fake_process", command, numbered=True)


def start(step, program):
    until(lambda: step.receive() or step.is_ready)
    child = step.start(program, 3)
    until((Path(program.command[2]) / "processes" / f"{program.role}.json").exists)
    return child


def is_running(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def code_of(child):
    until(lambda: child.poll() is not None)
    return child.code


def test_a_step_tells_its_address_and_as_many_free_ports_as_it_is_asked_for(shared):
    (place,) = wait_for_places([shared], 60)
    assert place.address == "127.0.0.1"
    assert len(set(place.ports)) == 4
    assert place.sockets.is_dir()


def test_a_process_is_started_with_its_number_and_stopped_when_asked(shared, run_dir):
    child = start(shared, fake(run_dir, "env-0"))
    assert Path(f"/proc/{child.pid}/cmdline").read_text().startswith("ssd-fake env-0")
    assert "--start-number=3" in (run_dir.logs / "env-0.log").read_text()
    child.terminate()
    assert code_of(child) == 0


def test_how_a_killed_process_ended_is_reported(shared, run_dir):
    child = start(shared, fake(run_dir, "actor-0-0", "stubborn"))
    child.kill()
    assert code_of(child) == -signal.SIGKILL


def test_a_step_does_not_stop_on_the_signals_that_slurm_sends_to_every_task(shared, run_dir):
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        shared._process.send_signal(number)
    child = start(shared, fake(run_dir, "actor-0-1"))
    child.terminate()
    assert code_of(child) == 0


def test_when_the_launcher_ends_a_step_stops_its_processes(step):
    child = start(step, fake(step.run_dir))
    step.close()
    assert step._process.wait(30) == 0
    assert not is_running(child.pid)


def test_a_step_that_dies_takes_its_processes_with_it_and_is_reported_once(step):
    spawner = StepSpawner(step.run_dir, [step], SIZE)
    child = start(step, fake(step.run_dir))
    step._process.kill()
    with pytest.raises(RunFailedError, match="step arenas-node2 on node2 has ended") as failure:
        until(lambda: not spawner.is_ready() and time.sleep(0.01))
    assert failure.value.code == STEP_FAILED
    assert child.poll() == -signal.SIGKILL
    assert spawner.is_ready() is False
    until(lambda: not is_running(child.pid))


def test_a_run_directory_that_a_node_does_not_have_is_reported(tmp_path, capfd):
    step = open_step(tmp_path / "elsewhere")
    with pytest.raises(EndpointError, match="step arenas-node2 on node2 has ended"):
        wait_for_places([step], 60)
    assert "wanted a directory that all nodes share" in capfd.readouterr().err
    close_steps([step])


def test_a_step_that_does_not_start_is_reported():
    step = Step(PLAN, ["sleep", "60"])
    with pytest.raises(EndpointError, match=r"have not started in 0.1 s: arenas-node2"):
        wait_for_places([step], 0.1)
    step._process.kill()
    close_steps([step])
