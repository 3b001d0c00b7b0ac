"""The manifests as kubectl renders them, and the pods that they describe."""

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"
KUSTOMIZATIONS = sorted(
    str(path.parent.relative_to(FOLDER))
    for pattern in ("overlays/*/kustomization.yaml", "examples/*/kustomization.yaml")
    for path in FOLDER.glob(pattern)
)
WITH_PODS = [name for name in KUSTOMIZATIONS if name != "overlays/monitoring"]
VERSIONS = ("1.28", "1.32", "1.37")  # of Kubernetes: the first one that numbers pods, the newest
POD_INDEX = "apps.kubernetes.io/pod-index"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"


@functools.cache
def render(name):
    """All objects of one kustomization, as `kubectl apply -k` would send them."""
    command = ["kubectl", "kustomize", FOLDER / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.load_all(done.stdout, yaml.CSafeLoader))


def of_kind(objects, *kinds):
    return [one for one in objects if one["kind"] in kinds]


def named(objects, kind, name):
    """The one object of this kind and name."""
    (found,) = [one for one in of_kind(objects, kind) if one["metadata"]["name"] == name]
    return found


@dataclass(frozen=True)
class Workload:
    """Pods made from one template.

    Attributes:
        name: ``learner`` or ``arena``, and for a JobSet also ``completion``.
        count: Number of pods.
        template: Of the pods.
        claims: Names of volumes that each pod has for itself.
        index_label: The label that has the index of a pod.
        hostname: Of a pod in DNS, with ``{index}`` in place of its index.
    """

    name: str
    count: int
    template: dict
    claims: tuple
    index_label: str
    hostname: str

    @property
    def spec(self):
        return self.template["spec"]

    @property
    def volumes(self):
        return self.spec.get("volumes", ())

    @property
    def labels(self):
        return self.template["metadata"]["labels"]


def workloads(objects):
    return [
        *(_of_stateful_set(one) for one in of_kind(objects, "StatefulSet")),
        *(_of_job(jobs, job) for jobs in of_kind(objects, "JobSet") for job in jobs_of(jobs)),
    ]


def jobs_of(job_set):
    return job_set["spec"]["replicatedJobs"]


def workload(objects, name):
    (found,) = [one for one in workloads(objects) if one.name == name]
    return found


def containers(objects):
    """All (workload, container)."""
    return [(one, each) for one in workloads(objects) for each in one.spec["containers"]]


def processes(objects):
    """All (workload, index of the pod, container) that run a command of this project."""
    return [
        (one, index, container)
        for one, container in containers(objects)
        if container["command"][0].startswith("ssd-")
        for index in range(one.count)
    ]


def environment(workload, index, container, objects):
    """The environment of a container, with values that refer to something else resolved."""
    return {one["name"]: _value(one, workload, index, objects) for one in container.get("env", ())}


def expand(text, variables):
    """Replace each $(NAME), as the kubelet does; unlike it, fail if there is no such variable."""
    return re.sub(r"\$\((\w+)\)", lambda match: variables[match[1]], text)


def arguments(workload, index, container, objects):
    """The arguments of a container's command, in one pod."""
    variables = environment(workload, index, container, objects)
    return [expand(text, variables) for text in container["args"]]


def option(arguments, name):
    """The value of one ``--name=value``."""
    (value,) = [text.partition("=")[2] for text in arguments if text.startswith(f"{name}=")]
    return value


def _of_stateful_set(one):
    spec, name = one["spec"], one["metadata"]["name"]
    claims = tuple(claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"])
    hostname = f"{name}-{{index}}.{spec['serviceName']}"
    return Workload(name, spec["replicas"], spec["template"], claims, POD_INDEX, hostname)


def _of_job(job_set, job):
    spec, name = job["template"]["spec"], job["name"]
    subdomain = job_set["spec"]["network"]["subdomain"]
    hostname = f"{job_set['metadata']['name']}-{name}-0-{{index}}.{subdomain}"
    return Workload(name, spec["completions"], spec["template"], (), COMPLETION_INDEX, hostname)


def _value(variable, workload, index, objects):
    if "value" in variable:
        return variable["value"]
    source = variable["valueFrom"]
    if "fieldRef" in source:
        assert source["fieldRef"]["fieldPath"] == f"metadata.labels['{workload.index_label}']"
        return str(index)
    reference = source["configMapKeyRef"]
    return named(objects, "ConfigMap", reference["name"])["data"][reference["key"]]
