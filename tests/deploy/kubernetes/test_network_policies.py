"""NetworkPolicies allow what a run needs, and nothing else."""

import pytest
from tests.deploy.kubernetes.manifests import of_kind, workload, workloads
from tests.deploy.kubernetes.network import Pod, allows

DNS = Pod({"k8s-app": "kube-dns"}, "kube-system")
PROMETHEUS = Pod({"app.kubernetes.io/name": "prometheus"}, "monitoring")
STRANGER = Pod({"app": "stranger"})
OUTSIDE = Pod({}, "elsewhere")


def pod_of(workload):
    return Pod(workload.labels)


def ports_of(workload):
    """Name → number of each port of its pods."""
    return {
        port["name"]: port["containerPort"]
        for container in workload.spec["containers"]
        for port in container.get("ports", ())
    }


@pytest.fixture
def policies(run):
    return of_kind(run, "NetworkPolicy")


@pytest.fixture
def with_monitoring(policies, kubectl):
    return [*policies, *of_kind(kubectl("overlays/monitoring"), "NetworkPolicy")]


def test_arenas_reach_the_segments_and_weights_of_learners_and_nothing_else(run, policies):
    arena, learner = workload(run, "arena"), workload(run, "learner")
    reached = {
        name
        for name, port in ports_of(learner).items()
        if allows(policies, pod_of(arena), pod_of(learner), port)
    }
    assert reached == {"segments", "weights"}
    for target in (pod_of(arena), STRANGER, OUTSIDE, DNS):
        assert not any(allows(policies, pod_of(arena), target, port) for port in (443, 5700, 9100))


def test_learners_open_no_connections(run, policies):
    for target in (pod_of(workload(run, "arena")), STRANGER, OUTSIDE, DNS):
        for port in (53, 443, 5700, 9100):
            assert not allows(policies, pod_of(workload(run, "learner")), target, port)


def test_arenas_look_up_names_by_both_protocols(run, policies):
    for protocol in ("UDP", "TCP"):
        assert allows(policies, pod_of(workload(run, "arena")), DNS, 53, protocol)


@pytest.mark.parametrize("source", [STRANGER, OUTSIDE], ids=["same namespace", "another one"])
def test_other_pods_reach_no_port(run, with_monitoring, source):
    for one in workloads(run):
        for port in ports_of(one).values():
            assert not allows(with_monitoring, source, pod_of(one), port)


def test_other_pods_of_the_namespace_reach_nothing(policies):
    for target in (STRANGER, OUTSIDE, DNS):
        assert not any(allows(policies, STRANGER, target, port) for port in (53, 443))


def test_prometheus_reaches_the_metrics_of_every_process_and_nothing_else(run, with_monitoring):
    for one in workloads(run):
        for name, port in ports_of(one).items():
            reached = allows(with_monitoring, PROMETHEUS, pod_of(one), port)
            assert reached == name.endswith("metrics"), name


@pytest.mark.parametrize(
    "other",
    [Pod(PROMETHEUS.labels, "elsewhere"), Pod({"app": "x"}, "monitoring"), Pod(PROMETHEUS.labels)],
    ids=["of another namespace", "another pod of its namespace", "in the namespace of the run"],
)
def test_no_other_pod_reaches_metrics_as_prometheus_does(run, with_monitoring, other):
    for one in workloads(run):
        for port in ports_of(one).values():
            assert not allows(with_monitoring, other, pod_of(one), port)


def test_without_monitoring_nothing_reaches_metrics(run, policies):
    for one in workloads(run):
        for port in ports_of(one).values():
            assert not allows(policies, PROMETHEUS, pod_of(one), port)
