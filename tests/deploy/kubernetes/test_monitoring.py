"""Prometheus on a cluster finds what it finds on one machine, under the same labels."""

import json
import shutil
import subprocess

import pytest
import yaml
from tests.deploy.kubernetes.manifests import (
    COMPLETION_INDEX,
    POD_INDEX,
    named,
    of_kind,
    processes,
)
from tests.deploy.monitoring.files import CONFIG, RULES

SNAKE = {
    "sourceLabels": "source_labels",
    "targetLabel": "target_label",
}


@pytest.fixture
def monitor(kubectl):
    return named(kubectl("overlays/monitoring"), "PodMonitor", "processes")["spec"]


def test_the_rules_are_those_of_one_machine(kubectl):
    (rules,) = of_kind(kubectl("overlays/monitoring"), "PrometheusRule")
    assert rules["spec"] == yaml.safe_load(RULES.read_text()), (
        "run: make deploy/kubernetes/overlays/monitoring/prometheus-rule.yaml"
    )


def test_metrics_are_read_as_often_as_on_one_machine(monitor):
    interval = yaml.safe_load(CONFIG.read_text())["global"]["scrape_interval"]
    assert {one["interval"] for one in monitor["podMetricsEndpoints"]} == {interval}


def test_the_metrics_of_every_process_are_read(run, monitor):
    read = [one["port"] for one in monitor["podMetricsEndpoints"]]
    served = {
        port["name"]
        for one, _, container in processes(run)
        for port in container["ports"]
        if port["name"].endswith("metrics")
    }
    assert served <= set(read)
    assert len(set(read)) == len(read)
    assert all(
        monitor["selector"]["matchLabels"].items() <= one.labels.items()
        for one, _, _ in processes(run)
    )


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, of the Debian package prometheus"
)
@pytest.mark.parametrize("name", ["overlays/cpu", "overlays/jobset"])
def test_every_process_has_the_labels_of_one_machine(kubectl, name, monitor, tmp_path):
    objects = kubectl(name)
    found = labels_by_prometheus(discovered(objects), monitor, tmp_path)
    assert found == {
        instance: expected(instance) for instance in (*map(instance_of, processes(objects)),)
    }


def instance_of(process):
    _, index, container = process
    kind, _, agent = container["name"].partition("-")
    return f"{kind}-{index}-{agent}" if agent else f"{kind}-{index}"


def expected(instance):
    """The labels that `ssd-train` gives a process of this name."""
    kind, *numbers = instance.split("-")
    names = {"env": ("arena",), "actor": ("arena", "agent"), "learner": ("agent",)}[kind]
    run = {"job": "ssd", "run": "ssd-influence", "instance": instance, "role": kind}
    return run | dict(zip(names, numbers, strict=True))


def discovered(objects):
    """A target for each port of each process, with the labels that Kubernetes' discovery gives it.

    The last three are those that the operator adds before the relabelling of a PodMonitor.
    """
    for one, index, container in processes(objects):
        labels = one.labels | {one.index_label: str(index)}
        for port in container["ports"]:
            yield {
                "__address__": f"10.0.0.{index}:{port['containerPort']}",
                "__meta_kubernetes_namespace": "ssd-influence",
                "__meta_kubernetes_pod_container_name": container["name"],
                "__meta_kubernetes_pod_container_port_name": port["name"],
                **{f"__meta_kubernetes_pod_label_{meta(k)}": v for k, v in labels.items()},
                "pod": f"{one.name}-{index}-{container['name']}",
                "container": container["name"],
                "endpoint": port["name"],
            }


def meta(label):
    """A label as a part of the name of another one."""
    return "".join(letter if letter.isalnum() else "_" for letter in label)


def labels_by_prometheus(targets, monitor, folder):
    """Instance → labels, as Prometheus itself relabels the targets."""
    found = [{"targets": [one["__address__"]], "labels": one} for one in targets]
    (folder / "targets.json").write_text(json.dumps(found))
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"scrape_configs": [job(monitor["podMetricsEndpoints"])]}))
    done = subprocess.run(
        ["promtool", "check", "service-discovery", "--timeout=1s", config, "processes"],
        capture_output=True,
        text=True,
        check=True,
    )
    kept = [one["labels"] for one in json.loads(done.stdout) if one.get("labels")]
    assert len({one["instance"] for one in kept}) == len(kept)
    return {
        one["instance"]: {k: v for k, v in one.items() if not k.startswith("__")} for one in kept
    }


def job(endpoints):
    """The scrape jobs that the operator makes of the endpoints of a PodMonitor, as one."""
    (relabelings,) = {json.dumps(one["relabelings"]) for one in endpoints}
    keep = {
        "action": "keep",
        "source_labels": ["__meta_kubernetes_pod_container_port_name"],
        "regex": "|".join(one["port"] for one in endpoints),
    }
    own = [{SNAKE.get(k, k): v for k, v in one.items()} for one in json.loads(relabelings)]
    return {
        "job_name": "processes",
        "file_sd_configs": [{"files": ["targets.json"]}],
        "relabel_configs": [keep, *own],
    }


def test_both_kinds_of_pods_have_the_label_of_their_index(kubectl):
    assert {one.index_label for one, _, _ in processes(kubectl("overlays/cpu"))} == {POD_INDEX}
    assert {one.index_label for one, _, _ in processes(kubectl("overlays/jobset"))} == {
        COMPLETION_INDEX
    }
