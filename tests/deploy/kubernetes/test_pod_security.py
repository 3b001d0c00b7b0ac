"""Pods fulfil the level "restricted", and the namespace demands it."""

import copy

import pytest
from tests.deploy.kubernetes.manifests import containers, named, of_kind, workload, workloads
from tests.deploy.kubernetes.pod_security import violations


def test_every_pod_is_restricted(run):
    assert [violations(one.spec) for one in workloads(run)] == [[]] * len(workloads(run))


def test_the_namespace_admits_only_restricted_pods(run):
    (namespace,) = of_kind(run, "Namespace")
    labels = namespace["metadata"]["labels"]
    modes = [labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")]
    assert modes == ["restricted"] * 3


def test_no_pod_can_talk_to_the_api_server_or_write_its_root(run):
    assert all(one.spec["automountServiceAccountToken"] is False for one in workloads(run))
    assert all(
        one["securityContext"]["readOnlyRootFilesystem"] is True for _, one in containers(run)
    )


def test_every_container_runs_as_the_user_of_the_image(run):
    for one in workloads(run):
        context = one.spec["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"]) == (10001, 10001)
        assert all("runAsUser" not in each["securityContext"] for each in one.spec["containers"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda pod, _: pod.update(hostPID=True), "hostPID"),
        (lambda pod, _: pod["volumes"].append({"name": "x", "hostPath": {}}), "volume x"),
        (lambda pod, _: pod["securityContext"].update(runAsUser=0), "runAsUser"),
        (lambda pod, _: pod["securityContext"].pop("runAsNonRoot"), "env: runAsNonRoot"),
        (lambda pod, _: pod["securityContext"].pop("seccompProfile"), "env: seccompProfile"),
        (lambda _, env: env.update(runAsNonRoot=False), "env: runAsNonRoot"),
        (lambda _, env: env.update(privileged=True), "env: privileged"),
        (lambda _, env: env.pop("allowPrivilegeEscalation"), "env: allowPrivilegeEscalation"),
        (lambda _, env: env["capabilities"].update(add=["NET_ADMIN"]), "env: capabilities"),
        (lambda _, env: env.pop("capabilities"), "env: capabilities"),
    ],
)
def test_the_check_finds(kubectl, change, fault):
    pod = copy.deepcopy(workload(kubectl("overlays/cpu"), "arena").spec)
    (env,) = [one for one in pod["containers"] if one["name"] == "env"]
    change(pod, env["securityContext"])
    assert fault in violations(pod)


def test_a_run_of_another_name_has_its_own_namespace(kubectl):
    objects = kubectl("examples/harvest-moa")
    assert named(objects, "Namespace", "ssd-harvest-moa")
