from pathlib import Path

import pytest

import ssd_actors.cli
import ssd_env_server.cli
import ssd_learner.cli
from ssd_run.processes.programs import RunSize, all_programs
from ssd_run.slurm.job import plan_steps
from ssd_run.slurm.step import Place
from ssd_run.slurm.step_spawner import endpoints_of
from ssd_wire.endpoints import check_endpoint

SIZE = RunSize(agents=2, arenas=3, steps=None)
PLANS = plan_steps(("node1", "node2"), SIZE)
PLACES = [
    Place("10.0.0.1", (20001, 20002, 20003, 20004), Path("/tmp/ssd-a")),  # noqa: S108 - a name
    Place("10.0.0.2", (), Path("/tmp/ssd-b")),  # noqa: S108 - a name
    Place("10.0.0.1", (), Path("/tmp/ssd-c")),  # noqa: S108 - a name
]


@pytest.fixture
def options(run_dir):
    """Role → option → value."""
    endpoints = endpoints_of(PLANS, PLACES, SIZE, Path("/shared/keys"))
    programs = all_programs(SIZE, run_dir, endpoints)
    return {
        program.role: dict(option.split("=", 1) for option in program.command[1:])
        for program in programs
    }


def test_actors_connect_to_the_ports_that_their_learner_binds(options):
    for arena in range(3):
        for agent in range(2):
            actor, learner = options[f"actor-{arena}-{agent}"], options[f"learner-{agent}"]
            assert actor["--learner"] == learner["--bind"]
            assert actor["--weights"] == learner["--weights"]


def test_no_two_sockets_have_the_same_endpoint(options):
    bound = [options[f"learner-{k}"][name] for k in range(2) for name in ("--bind", "--weights")]
    bound += [options[f"env-{arena}"]["--bind"] for arena in range(3)]
    assert len(set(bound)) == 7
    for endpoint in bound:
        check_endpoint(endpoint, encrypted=True)


def test_an_arena_uses_the_sockets_directory_of_its_own_step(options):
    assert options["env-0"]["--bind"] == "ipc:///tmp/ssd-b/env-0"
    assert options["env-1"]["--bind"] == "ipc:///tmp/ssd-c/env-1"
    for arena in range(3):
        assert options[f"actor-{arena}-1"]["--env"] == options[f"env-{arena}"]["--bind"]


def test_every_process_has_keys_and_serves_metrics_on_its_nodes_address(options):
    assert {given["--keys"] for given in options.values()} == {"/shared/keys"}
    assert options["learner-0"]["--metrics"] == "10.0.0.1:0"
    assert options["actor-0-1"]["--metrics"] == "10.0.0.2:0"


@pytest.mark.parametrize(
    ("role", "process"),
    [("env-0", ssd_env_server.cli), ("actor-0-0", ssd_actors.cli), ("learner-0", ssd_learner.cli)],
)
def test_processes_have_every_option_that_they_are_given(options, role, process):
    known = {name for parameter in process.main.params for name in parameter.opts}
    assert set(options[role]) <= known
