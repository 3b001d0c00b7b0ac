"""Every rendered object has only fields that the API server knows, with values of their types."""

import copy
import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
from tests.deploy.kubernetes.manifests import KUSTOMIZATIONS, VERSIONS, jobs_of, named, of_kind

CUSTOM = {
    path.stem: json.loads(path.read_text())
    for path in (Path(__file__).parent / "schemas").glob("*.json")
}


@pytest.fixture(scope="module")
def different(kubectl):
    """The objects of all kustomizations, each once."""
    every = (one for name in KUSTOMIZATIONS for one in kubectl(name))
    return {json.dumps(one, sort_keys=True): one for one in every}.values()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_of_kubernetes_is_valid(different, version):
    for one in different:
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, version, strict=True)


def test_every_custom_object_is_valid(rendered):
    for one in of_kind(rendered, *CUSTOM):
        assert set(one) == {"apiVersion", "kind", "metadata", "spec"}
        jsonschema.validate(one["spec"], CUSTOM[one["kind"]])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_job_of_a_job_set_is_valid(rendered, version):
    for job in (job for one in of_kind(rendered, "JobSet") for job in jobs_of(one)):
        metadata = {"name": job["name"]}
        one = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, **job["template"]}
        kubernetes_validate.validate(one, version, strict=True)


def test_every_object_is_in_the_namespace_that_comes_with_it(rendered):
    names = {one["metadata"]["name"] for one in of_kind(rendered, "Namespace")}
    inside = {one["metadata"].get("namespace") for one in rendered if one["kind"] != "Namespace"}
    assert len(inside) == 1
    assert names in (set(), inside)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["containers"][0].update(readinesProbe={}),
        lambda pod: pod["containers"][0]["livenessProbe"].update(periodSeconds="10"),
        lambda pod: pod.pop("containers"),
    ],
    ids=["unknown field", "text for a number", "missing field"],
)
def test_the_check_refuses_an_object_with_a(kubectl, version, change):
    faulty = copy.deepcopy(named(kubectl("overlays/cpu"), "StatefulSet", "arena"))
    change(faulty["spec"]["template"]["spec"])
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(faulty, version, strict=True)
