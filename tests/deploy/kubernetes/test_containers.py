"""Containers start the commands of this project as these are."""

import tomllib
from http.client import HTTPConnection
from importlib import import_module

import pytest
from prometheus_client import CollectorRegistry
from tests.deploy.kubernetes.manifests import (
    FOLDER,
    KUSTOMIZATIONS,
    arguments,
    containers,
    named,
    of_kind,
    option,
    processes,
    workload,
    workloads,
)

from ssd_actors.actor import DRAIN_SECONDS
from ssd_run.run_config import validate
from ssd_wire.endpoints import check_endpoint
from ssd_wire.process.health import HANG_SECONDS, Health
from ssd_wire.process.metrics_server import MetricsServer
from ssd_wire.run_file import load_complete_run_file

PROJECT = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text())["project"]
RUN_FILES = sorted(FOLDER.glob("**/run.toml"))


def parsed(workload, index, container, objects):
    """The parameters that the real command reads from a container's arguments."""
    name = container["command"][0]
    module, _, function = PROJECT["scripts"][name].partition(":")
    command = getattr(import_module(module), function)
    return command.make_context(name, arguments(workload, index, container, objects)).params


def run_file_of(objects, tmp_path):
    (run,) = of_kind(objects, "ConfigMap")
    path = tmp_path / "run.toml"
    path.write_text(run["data"]["run.toml"])
    return path


def test_every_process_understands_its_arguments(run):
    for one, index, container in processes(run):
        given = parsed(one, index, container, run)
        assert container["name"].partition("-")[0] == container["command"][0].partition("-")[2]
        assert given["agent" if one.name == "learner" else "arena"] == index


def test_agents_are_numbered_alike_in_the_run_file_the_learners_and_the_actors(run, tmp_path):
    agents = list(range(validate(load_complete_run_file(run_file_of(run, tmp_path))).game.agents))
    assert list(range(workload(run, "learner").count)) == agents
    for index in range(workload(run, "arena").count):
        actors = [
            parsed(one, i, container, run)["agent"]
            for one, i, container in processes(run)
            if container["command"] == ["ssd-actor"] and i == index
        ]
        assert actors == agents


def test_every_actor_connects_to_the_learner_of_its_agent(run):
    learner = workload(run, "learner")
    (container,) = learner.spec["containers"]
    for one, index, actor in processes(run):
        if actor["command"] != ["ssd-actor"]:
            continue
        given = arguments(one, index, actor, run)
        agent = int(option(given, "--agent"))
        own = arguments(learner, agent, container, run)
        for to, at in (("--learner", "--bind"), ("--weights", "--weights")):
            port = option(own, at).rpartition(":")[2]
            host = learner.hostname.format(index=agent)
            assert option(given, to) == f"tcp://{host}:{port}"


def test_every_actor_connects_to_the_environment_in_its_pod(run):
    arena = workload(run, "arena")
    (env,) = [one for one in arena.spec["containers"] if one["name"] == "env"]
    for one, index, actor in processes(run):
        if actor["command"] == ["ssd-actor"]:
            of_env = option(arguments(arena, index, env, run), "--bind")
            assert option(arguments(one, index, actor, run), "--env") == of_env


def test_every_endpoint_is_one_that_can_be_used(run):
    names = ("--bind", "--weights", "--learner", "--env")
    for one, index, container in processes(run):
        for argument in arguments(one, index, container, run):
            if argument.startswith(tuple(f"{name}=" for name in names)):
                assert check_endpoint(argument.partition("=")[2], encrypted=True)


def test_the_ports_of_a_container_are_those_that_its_process_binds(run):
    for one, index, container in processes(run):
        given = arguments(one, index, container, run)
        bound = {"metrics": option(given, "--metrics")}
        if container["command"] == ["ssd-learner"]:
            bound |= {"segments": option(given, "--bind"), "weights": option(given, "--weights")}
        numbers = {name: int(text.rpartition(":")[2]) for name, text in bound.items()}
        assert all(text.removeprefix("tcp://").startswith("0.0.0.0:") for text in bound.values())
        found = {port["name"]: port["containerPort"] for port in container["ports"]}
        short = {name.removeprefix(f"{container['name']}-"): port for name, port in found.items()}
        assert short == numbers


def test_ports_of_a_pod_have_different_names_and_numbers(run):
    for one in workloads(run):
        ports = [port for each in one.spec["containers"] for port in each.get("ports", ())]
        assert len({port["name"] for port in ports}) == len(ports)
        assert len({port["containerPort"] for port in ports}) == len(ports)
        assert all(len(port["name"]) <= 15 for port in ports)


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_every_process_is_probed_at_the_port_of_its_metrics(run, probe):
    for _, _, container in processes(run):
        request = container[probe]["httpGet"]
        (port,) = [p["name"] for p in container["ports"] if p["name"].endswith("metrics")]
        assert request["port"] == port
        assert request["path"] == ("/readyz" if probe == "readinessProbe" else "/healthz")


def test_a_process_that_hangs_fails_every_probe(run):
    paths = {
        container[probe]["httpGet"]["path"]
        for _, _, container in processes(run)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    hanging = Health(looped_at=lambda: -2 * HANG_SECONDS, work_done=lambda: 0.0, clock=lambda: 0.0)
    server = MetricsServer("127.0.0.1", 0, CollectorRegistry(), hanging)
    server.start()
    for path in paths:
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == 503
        connection.close()
    server.shutdown()
    server.server_close()


def test_a_process_has_minutes_to_start_and_is_then_restarted_soon_after_it_hangs(run):
    for _, _, container in processes(run):
        startup, liveness = container["startupProbe"], container["livenessProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 2 * HANG_SECONDS
        assert liveness["periodSeconds"] * liveness.get("failureThreshold", 3) <= HANG_SECONDS


def test_actors_have_time_to_send_their_last_segments(run):
    arena, learner = workload(run, "arena"), workload(run, "learner")
    assert arena.spec["terminationGracePeriodSeconds"] >= 2 * DRAIN_SECONDS
    (container,) = learner.spec["containers"]
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert DRAIN_SECONDS < float(seconds) < learner.spec["terminationGracePeriodSeconds"] / 2


def test_every_container_has_requests_and_a_limit_of_memory(run):
    for _, container in containers(run):
        resources = container["resources"]
        assert set(resources["requests"]) >= {"cpu", "memory"}
        assert "memory" in resources["limits"]


@pytest.mark.parametrize(
    ("name", "learners", "device", "resource"),
    [
        ("overlays/cpu", "cpu", "cpu", None),
        ("overlays/gpu", "cuda", "cuda", "nvidia.com/gpu"),
        ("overlays/gpu-shared", "cuda", "cuda", "nvidia.com/gpu.shared"),
    ],
)
def test_learners_have_the_image_and_the_resource_of_their_device(
    kubectl, name, learners, device, resource
):
    objects = kubectl(name)
    image = f"{PROJECT['name']}:{PROJECT['version']}"
    learner = workload(objects, "learner")
    (container,) = learner.spec["containers"]
    assert container["image"] == f"{image}-{learners}"
    assert option(arguments(learner, 0, container, objects), "--device") == device
    limits = {key: n for key, n in container["resources"]["limits"].items() if "/" in key}
    assert limits == ({} if resource is None else {resource: "1"})


def test_everything_but_learners_runs_the_cpu_image(run):
    images = {c["image"] for one, c in containers(run) if one.name != "learner"}
    assert images == {f"{PROJECT['name']}:{PROJECT['version']}-cpu"}


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.parent.name)
def test_a_run_file_is_complete_and_in_use(path, kubectl):
    sections = load_complete_run_file(path)
    assert validate(sections).toml() == path.read_text()
    used = [
        one["data"]["run.toml"]
        for name in KUSTOMIZATIONS
        for one in of_kind(kubectl(name), "ConfigMap")
    ]
    assert path.read_text() in used


def test_the_example_is_another_experiment_with_another_number_of_arenas(kubectl):
    ours, other = kubectl("overlays/cpu"), kubectl("examples/harvest-moa")
    assert workload(ours, "arena").count != workload(other, "arena").count
    assert named(other, "StatefulSet", "learner")["spec"] | {"template": None} == named(
        ours, "StatefulSet", "learner"
    )["spec"] | {"template": None}
