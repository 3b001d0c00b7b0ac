"""The manifests of deploy/kubernetes, run: `make test-cluster`. Minutes, so not tests of the suite.

One cluster is used by all tests, in this order. The last one stops it.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cluster import stranger
from tests.cluster.observe import (
    account,
    metric,
    own_steps,
    server_key,
    trained_of_arena,
)
from tests.cluster.player.pods import pod_of
from tests.until import until

pytestmark = pytest.mark.timeout(900)  # the image may have to be built

SECONDS = 240.0  # for what takes seconds on a machine that does nothing else


def test_every_pod_becomes_ready_by_its_own_probes(cluster, record_property):
    until(lambda: all(pod.is_ready for pod in cluster.pods.values()), seconds=SECONDS)
    for name, pod in cluster.pods.items():
        seconds = max(probes.ready_after for probes in pod.probes.values())
        record_property(f"seconds until {name} was ready", round(seconds, 1))


def test_every_learner_trains_on_segments_of_every_arena(cluster):
    for arena in (0, 1):
        until(lambda arena=arena: min(trained_of_arena(cluster, arena)) > 0, seconds=SECONDS)


def test_no_container_compiles_kernels_because_the_image_has_them(cluster):
    compiled = ("find", "/tmp/kernels", "-type", "f")  # noqa: S108 - in the container
    links = cluster.execute("arena-0", "env", "find", "/tmp/kernels", "-type", "l")  # noqa: S108
    assert links  # numba does look there
    assert cluster.execute("arena-0", "env", *compiled) == ""  # a folder of all its containers
    assert cluster.execute("learner-0", "learner", *compiled) == ""


def test_a_container_sees_no_secret_but_its_own(cluster):
    for pod, container, secret in [
        ("learner-3", "learner", "learner-3.secret"),
        ("arena-0", "env", "env.secret"),
        ("arena-1", "actor-4", "actor-4.secret"),
    ]:
        files = cluster.execute(pod, container, "sh", "-c", "cd /etc/ssd/keys && ls -1")
        assert files.split() == [secret, "public.toml"]


def test_a_stranger_is_refused_by_policy_and_without_policies_by_his_key(cluster):
    labels = pod_of(cluster.objects.get("StatefulSet", "arena"), 0).labels
    _start_idle_pod(cluster, "stranger", labels, namespace="elsewhere")  # as like as he can be
    assert [_connect(cluster, "stranger", port) for port in (5700, 5701, 9100)] == ["timed out"] * 3

    cluster.set_policies(enforced=False)
    refused_before = metric(cluster, "learner-0", "ssd_learner_refused_connections_total")
    assert _connect(cluster, "stranger", 5700) == "handshake_failed_auth"
    assert metric(cluster, "learner-0", "ssd_learner_refused_connections_total") > refused_before

    cluster.set_policies(enforced=True)
    assert _connect(cluster, "stranger", 5700) == "timed out"
    cluster.stop_pod("stranger")


def test_a_deleted_arena_comes_back_at_another_address_and_its_segments_are_trained(cluster):
    address = cluster.pods["arena-1"].address
    codes = cluster.delete_pod("arena-1")
    _assert_clean({"arena-1": codes})
    assert cluster.pods["arena-1"].address != address
    trained = trained_of_arena(cluster, 1)
    until(lambda: _all_greater(trained_of_arena(cluster, 1), trained), seconds=SECONDS)


def test_a_learner_whose_pod_was_killed_goes_on_from_the_checkpoint_on_its_volume(cluster):
    until(lambda: metric(cluster, "learner-2", "ssd_learner_durable_own_steps") > 0)
    durable = metric(cluster, "learner-2", "ssd_learner_durable_own_steps")
    cluster.delete_pod("learner-2", kill=True)
    until(lambda: cluster.pods["learner-2"].is_ready, seconds=SECONDS)
    log = cluster.logs("learner-2", "learner")
    resumed_at = int(re.search(r"at (\d+) own-steps, version", log)[1])
    assert resumed_at >= durable
    until(
        lambda: metric(cluster, "learner-2", "ssd_learner_own_steps") > resumed_at, seconds=SECONDS
    )


def test_arenas_are_added_and_removed_during_the_run(cluster):
    cluster.scale("arena", 3)
    until(lambda: min(trained_of_arena(cluster, 2)) > 0, seconds=SECONDS)
    codes = cluster.scale("arena", 2)
    _assert_clean(codes)
    before = own_steps(cluster)
    until(lambda: _all_greater(own_steps(cluster), before), seconds=SECONDS)


def test_no_probe_has_restarted_anything_and_no_process_has_died(cluster):
    until(lambda: all(pod.is_ready for pod in cluster.pods.values()), seconds=SECONDS)
    for name, pod in cluster.pods.items():
        for container, probes in pod.probes.items():
            assert probes.answers["livenessProbe"].failures == 0, (name, container)
            assert probes.restarts == 0, (name, container)
            assert cluster.deaths(name, container) == 0, (name, container)


def test_stopping_arenas_then_learners_leaves_a_clean_account_and_nothing_that_runs(
    cluster, tmp_path
):
    codes = {**cluster.scale("arena", 0), **cluster.scale("learner", 0)}
    _assert_clean(codes)
    balance = account(cluster, tmp_path)
    assert balance.faults == ()
    assert balance.lost == balance.missing == 0
    assert balance.made == balance.trained > 0
    assert cluster.kubelet.leftovers() == []


def _assert_clean(codes):
    """No process was killed, none failed, and actors had all their segments made durable."""
    ends = {(pod, name): code for pod, of in codes.items() for name, code in of.items()}
    assert {where: code for where, code in ends.items() if code} == {}


def _start_idle_pod(cluster, name, labels, namespace):
    arena = pod_of(cluster.objects.get("StatefulSet", "arena"), 0)
    container = {
        key: value
        for key, value in arena.container("env").items()
        if key in ("image", "securityContext")
    }
    idle = {**container, "name": "main", "command": ["sleep", "infinity"]}
    spec = {**arena.spec, "containers": [idle], "volumes": [], "terminationGracePeriodSeconds": 0}
    pod = replace(arena, name=name, labels=labels, spec=spec, claims={}, service=None)
    cluster.start_pod(replace(pod, namespace=namespace))


def _connect(cluster, pod, port):
    """What a pod gets from learner-0, by address: without DNS there would be nothing to refuse."""
    source = Path(stranger.__file__).read_text()
    address = cluster.pods["learner-0"].address
    key = server_key(cluster, "learner-0")
    return cluster.execute(pod, "main", "python", "-c", source, address, str(port), key)


def _all_greater(new, old):
    return all(a > b for a, b in zip(new, old, strict=True))
