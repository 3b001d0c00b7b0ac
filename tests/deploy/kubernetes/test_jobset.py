"""The JobSet starts the pods of the base, and ends when the run is complete."""

import copy
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge
from tests.deploy.kubernetes.manifests import (
    COMPLETION_INDEX,
    FOLDER,
    POD_INDEX,
    VERSIONS,
    containers,
    jobs_of,
    named,
    of_kind,
    workload,
)
from tests.deploy.kubernetes.pod_security import violations

from ssd_wire.process.command import CONFIGURATION_ERROR, TEMPORARY_FAULT
from ssd_wire.process.metrics_server import MetricsServer


@pytest.fixture
def objects(kubectl):
    return kubectl("overlays/jobset")


@pytest.fixture
def job_set(objects):
    (one,) = of_kind(objects, "JobSet")
    return one


def job(job_set, name):
    (one,) = [each for each in jobs_of(job_set) if each["name"] == name]
    return one["template"]["spec"]


def as_in_base(template):
    """A template of the JobSet, with what must differ from that of base taken back."""
    spec = copy.deepcopy(template["spec"])
    del spec["restartPolicy"]
    spec["volumes"] = [one for one in spec["volumes"] if one["name"] != "data"]
    for container in spec["containers"]:
        container["args"] = [_base_host(text) for text in container["args"]]
        for variable in container["env"]:
            field = variable.get("valueFrom", {}).get("fieldRef")
            if field:
                field["fieldPath"] = field["fieldPath"].replace(COMPLETION_INDEX, POD_INDEX)
    return spec


def _base_host(text):
    for agent in range(5):
        text = text.replace(f"//ssd-learner-0-{agent}.ssd:", f"//learner-{agent}.learner:")
    return text


@pytest.mark.parametrize("name", ["learner", "arena"])
def test_pods_are_those_of_the_base(objects, kubectl, name):
    base = workload(kubectl("overlays/cpu"), name)
    one = workload(objects, name)
    assert as_in_base(one.template) == base.spec
    assert one.labels == base.labels
    assert one.count == base.count


def test_every_rule_of_the_failure_policy_is_about_jobs_that_there_are(job_set):
    names = {each["name"] for each in jobs_of(job_set)}
    rules = job_set["spec"]["failurePolicy"]["rules"]
    assert {name for rule in rules for name in rule["targetReplicatedJobs"]} == names
    assert len({rule["name"] for rule in rules}) == len(rules)


def test_a_learner_that_cannot_work_ends_the_job_set_and_a_full_disk_does_not(job_set):
    rules = job(job_set, "learner")["podFailurePolicy"]["rules"]
    by_code = {
        code: rule["action"]
        for rule in rules
        for code in rule.get("onExitCodes", {}).get("values", ())
    }
    assert by_code == {CONFIGURATION_ERROR: "FailJob", TEMPORARY_FAULT: "Ignore"}
    first = job_set["spec"]["failurePolicy"]["rules"][0]
    assert first["onJobFailureReasons"] == ["PodFailurePolicy"]
    assert (first["action"], first["targetReplicatedJobs"]) == ("FailJobSet", ["learner"])


def test_a_failure_policy_of_pods_has_pods_that_never_restart_their_containers(job_set):
    for each in jobs_of(job_set):
        spec = each["template"]["spec"]
        policy = spec["template"]["spec"]["restartPolicy"]
        assert (policy == "Never") == ("podFailurePolicy" in spec)


def test_the_job_set_is_complete_with_the_job_that_waits_for_the_end_of_the_run(job_set):
    assert job_set["spec"]["successPolicy"] == {
        "operator": "All",
        "targetReplicatedJobs": ["completion"],
    }


def test_all_pods_write_into_one_run_directory(objects):
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name in ("learner", "arena"):
        (data,) = [one for one in workload(objects, name).volumes if one["name"] == "data"]
        assert data["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


@pytest.fixture
def reader():
    """The pod that reads the results afterwards."""
    return yaml.safe_load((FOLDER / "overlays/jobset/reader.yaml").read_text())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_reader_of_the_results_is_a_valid_and_restricted_pod(reader, version):
    kubernetes_validate.validate(reader, version, strict=True)
    assert violations(reader["spec"]) == []


def test_the_reader_has_the_run_directory_and_the_image_of_the_job_set(reader, objects):
    (volume,) = reader["spec"]["volumes"]
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    images = {container["image"] for _, container in containers(objects)}
    assert images == {reader["spec"]["containers"][0]["image"]}


def test_that_job_asks_the_metrics_of_an_arena(objects):
    (container,) = workload(objects, "completion").spec["containers"]
    host = workload(objects, "arena").hostname.format(index=0)
    assert f'"http://{host}:9100/metrics"' in container["args"][0]


@pytest.mark.parametrize("complete", [0, 1])
def test_that_job_ends_when_the_run_is_complete_and_not_before(objects, complete):
    (container,) = workload(objects, "completion").spec["containers"]
    registry = CollectorRegistry()
    Gauge("ssd_run_complete", "As ssd-env serves it.", registry=registry).set(complete)
    server = MetricsServer("127.0.0.1", 0, registry)
    server.start()
    script = container["args"][0].replace(
        "ssd-arena-0-0.ssd:9100", f"127.0.0.1:{server.server_port}"
    )
    process = subprocess.Popen([sys.executable, "-c", script.replace("sleep(5)", "sleep(0.1)")])
    try:
        if complete:
            assert process.wait(20) == 0
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()


def test_names_of_objects_follow_the_hash_of_the_run_file(objects):
    (run,) = of_kind(objects, "ConfigMap")
    volumes = workload(objects, "arena").volumes
    (shown,) = [one["configMap"]["name"] for one in volumes if one["name"] == "run"]
    assert named(objects, "ConfigMap", shown) == run
