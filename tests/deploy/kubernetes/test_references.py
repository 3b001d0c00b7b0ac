"""Whatever an object names is there."""

from pathlib import PurePosixPath

import pytest
from tests.deploy.kubernetes.manifests import (
    arguments,
    named,
    of_kind,
    option,
    processes,
    workloads,
)
from tests.deploy.kubernetes.mounts import files, sources, writable

IDENTITY = {
    "ssd-env": "env",
    "ssd-actor": "actor-{agent}",
    "ssd-learner": "learner-{agent}",
}


def matches(selector, labels):
    assert set(selector) == {"matchLabels"}
    return selector["matchLabels"].items() <= labels.items()


def test_every_object_that_a_volume_shows_is_there_with_its_keys(run, keys):
    for one in workloads(run):
        for volume in one.volumes:
            for kind, reference in sources(volume):
                name = reference.get("name", reference.get("secretName"))
                data = named((*run, *keys), kind, name)["data"]
                assert {item["key"] for item in reference.get("items", ())} <= set(data)


def test_every_process_finds_its_run_file_and_its_own_key_and_no_other(run, keys):
    for one, index, container in processes(run):
        given = arguments(one, index, container, run)
        found = files(one, index, container, (*run, *keys))
        agent = "" if container["name"] == "env" else option(given, "--agent")
        identity = IDENTITY[container["command"][0]].format(agent=agent)
        folder = option(given, "--keys")
        assert {path for path in found if path.startswith(f"{folder}/")} == {
            f"{folder}/public.toml",
            f"{folder}/{identity}.secret",
        }
        assert [path for path in found if path.endswith(".secret")] == [
            f"{folder}/{identity}.secret"
        ]
        assert option(given, "--run") in found


def test_every_process_can_write_its_records_its_sockets_and_temporary_files_and_no_more(run):
    for one, index, container in processes(run):
        paths = {"/data", "/tmp"} | (  # noqa: S108 - a path in the container
            {"/run/ssd"} if one.name == "arena" else set()
        )
        assert writable(one, container) == paths
        given = arguments(one, index, container, run)
        assert option(given, "--run-dir") == "/data"
        if container["command"] == ["ssd-learner"]:
            folder = PurePosixPath(option(given, "--checkpoints"))
            assert folder == PurePosixPath(f"/data/checkpoints/agent-{index}")
        else:
            socket = option(given, "--bind" if container["name"] == "env" else "--env")
            assert socket.startswith("ipc:///run/ssd/")


def test_secrets_are_readable_by_the_group_of_the_pod_and_nobody_else(run):
    for one in workloads(run):
        for volume in one.volumes:
            if any(kind == "Secret" for kind, _ in sources(volume)):
                assert volume["projected"]["defaultMode"] == 0o440
                assert one.spec["securityContext"]["fsGroup"] == 10001


def test_every_claim_of_a_pod_is_there(run):
    for one in workloads(run):
        for volume in one.volumes:
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert named(run, "PersistentVolumeClaim", claim)


def test_a_stateful_set_keeps_the_volumes_of_pods_that_are_gone(run):
    for one in of_kind(run, "StatefulSet"):
        policy = one["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert policy == {"whenDeleted": "Retain", "whenScaled": "Retain"}


@pytest.mark.parametrize("kind", ["StatefulSet", "PodDisruptionBudget"])
def test_a_selector_matches_the_pods_of_its_name_alone(run, kind):
    for one in of_kind(run, kind):
        selector = one["spec"]["selector"]
        found = [each.name for each in workloads(run) if matches(selector, each.labels)]
        assert found == [one["metadata"]["name"]]


def test_pods_of_one_kind_are_spread_over_nodes(run):
    for one in workloads(run):
        if one.name != "completion":
            (constraint,) = one.spec["topologySpreadConstraints"]
            assert matches(constraint["labelSelector"], one.labels)
            assert constraint["topologyKey"] == "kubernetes.io/hostname"


def test_a_service_has_the_pods_of_its_name_and_their_ports(run):
    for service in of_kind(run, "Service"):
        spec = service["spec"]
        (one,) = [w for w in workloads(run) if spec["selector"].items() <= w.labels.items()]
        assert one.name == service["metadata"]["name"]
        of_pod = {
            port["name"]: port["containerPort"]
            for container in one.spec["containers"]
            for port in container["ports"]
        }
        assert all(of_pod[port["targetPort"]] == port["port"] for port in spec["ports"])
        assert spec["clusterIP"] == "None"


def test_learners_have_addresses_before_they_are_ready(run):
    services = [one for one in of_kind(run, "Service") if one["metadata"]["name"] == "learner"]
    networks = [one["spec"]["network"] for one in of_kind(run, "JobSet")]
    publishing = [one["spec"] for one in services] + networks
    assert [one["publishNotReadyAddresses"] for one in publishing] == [True]


def test_every_stateful_set_has_its_service_and_starts_its_pods_at_once(run):
    for one in of_kind(run, "StatefulSet"):
        assert named(run, "Service", one["spec"]["serviceName"])
        assert one["spec"]["podManagementPolicy"] == "Parallel"
