from pathlib import Path

import pytest

import ssd_actors.cli
import ssd_env_server.cli
import ssd_learner.cli
from ssd_run.processes.programs import Endpoints, RunSize, all_programs
from ssd_wire.errors import EndpointError

SOCKETS = Path("/run/ssd-x")


def programs(size, run_dir, **options):
    return all_programs(size, run_dir, Endpoints.ipc(SOCKETS, size), **options)


def commands(size, run_dir):
    return {program.role: program.command for program in programs(size, run_dir)}


def test_every_arena_has_an_environment_and_all_actors_and_shares_the_learners(run_dir):
    assert set(commands(RunSize(agents=3, arenas=2, steps=None), run_dir)) == {
        *("learner-0", "learner-1", "learner-2"),
        *("env-0", "env-1"),
        *("actor-0-0", "actor-0-1", "actor-0-2"),
        *("actor-1-0", "actor-1-1", "actor-1-2"),
    }


def test_an_actor_connects_to_its_arenas_environment_and_its_agents_learner(run_dir):
    known = commands(RunSize(agents=3, arenas=2, steps=None), run_dir)
    actor = known["actor-1-2"]
    assert "--env=ipc:///run/ssd-x/env-1" in actor
    assert "--bind=ipc:///run/ssd-x/env-1" in known["env-1"]
    for option, bound in (("--learner", "--bind"), ("--weights", "--weights")):
        name = "segments-2" if bound == "--bind" else "weights-2"
        assert f"{option}=ipc:///run/ssd-x/{name}" in actor
        assert f"{bound}=ipc:///run/ssd-x/{name}" in known["learner-2"]


def test_steps_are_divided_among_agents_and_rounded_up(run_dir):
    known = commands(RunSize(agents=3, arenas=1, steps=100), run_dir)
    assert "--own-steps=34" in known["learner-2"]


def test_learners_of_a_run_without_a_limit_get_no_own_steps_option(run_dir):
    known = commands(RunSize(agents=3, arenas=1, steps=None), run_dir)
    assert not any(option.startswith("--own-steps") for option in known["learner-0"])


def test_devices_are_assigned_in_turn(run_dir):
    size = RunSize(agents=3, arenas=1, steps=None, devices=("cuda:0", "cuda:1"))
    known = commands(size, run_dir)
    given = [known[f"learner-{agent}"] for agent in range(3)]
    wanted = ["cuda:0", "cuda:1", "cuda:0"]
    assert [f"--device={d}" in c for d, c in zip(wanted, given, strict=True)] == [True] * 3


def test_processes_that_draw_at_random_get_the_number_of_their_start(run_dir):
    known = programs(RunSize(agents=2, arenas=1, steps=None), run_dir)
    numbered = [program.role for program in known if program.numbered]
    assert numbered == ["env-0", "actor-0-0", "actor-0-1"]


@pytest.mark.parametrize("deterministic", [True, False])
def test_only_learners_are_replaceable_in_a_deterministic_run(run_dir, deterministic):
    size = RunSize(agents=1, arenas=1, steps=None)
    known = programs(size, run_dir, deterministic=deterministic)
    replaceable = {program.role for program in known if program.replaceable}
    all_roles = {"learner-0", "env-0", "actor-0-0"}
    assert replaceable == ({"learner-0"} if deterministic else all_roles)


@pytest.mark.parametrize(
    ("role", "process"),
    [("env-0", ssd_env_server.cli), ("actor-0-0", ssd_actors.cli), ("learner-0", ssd_learner.cli)],
)
def test_processes_have_every_option_that_they_are_given(run_dir, role, process):
    command = commands(RunSize(agents=2, arenas=1, steps=100), run_dir)[role]
    given = {option.partition("=")[0] for option in command[1:]} | {"--parent-pipe", "--metrics"}
    if role != "learner-0":
        given.add("--start-number")
    assert given <= {name for parameter in process.main.params for name in parameter.opts}


def test_a_socket_directory_too_long_for_sockets_is_refused():
    with pytest.raises(EndpointError, match="at most 107 bytes"):
        Endpoints.ipc(SOCKETS / ("x" * 100), RunSize(agents=2, arenas=1, steps=None))


def test_a_process_is_shown_as_the_command_that_a_user_would_give(run_dir):
    known = programs(RunSize(agents=1, arenas=1, steps=None), run_dir)
    shown = {program.role: (program.command[0], program.module) for program in known}
    assert shown == {
        "learner-0": ("ssd-learner", ssd_learner.cli.__name__),
        "env-0": ("ssd-env", ssd_env_server.cli.__name__),
        "actor-0-0": ("ssd-actor", ssd_actors.cli.__name__),
    }
