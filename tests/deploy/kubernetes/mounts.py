"""The files that the containers of a pod find in their volumes."""

from tests.deploy.kubernetes.manifests import environment, expand, named

KINDS = {"secret": "Secret", "configMap": "ConfigMap"}


def files(workload, index, container, objects):
    """Path → content of each file that a container is given.

    Args:
        workload: Of the pod.
        index: Of the pod.
        container: In the pod.
        objects: All objects of the namespace, Secrets among them.
    """
    variables = environment(workload, index, container, objects)
    found = {}
    for mount in container["volumeMounts"]:
        assert "subPath" not in mount
        prefix = expand(mount.get("subPathExpr", ""), variables)
        for path, content in _contents(_volume(workload, mount["name"]), objects).items():
            if path.startswith(prefix):
                found[f"{mount['mountPath']}/{path[len(prefix) :].lstrip('/')}"] = content
    return found


def writable(workload, container):
    """Paths at which a container may write."""
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    return {
        mount["mountPath"]
        for mount in container["volumeMounts"]
        if not mount.get("readOnly") and is_writable(workload, mount["name"])
    }


def is_writable(workload, name):
    """Whether a volume is one of files that the pod writes."""
    volume = _volume(workload, name)
    return volume is None or "emptyDir" in volume or "persistentVolumeClaim" in volume


def sources(volume):
    """(kind of object, reference) of each object whose content a volume shows."""
    projected = volume.get("projected", {"sources": [volume]})["sources"]
    for source in projected:
        for key, kind in KINDS.items():
            if key in source:
                yield kind, source[key]


def _volume(workload, name):
    """The volume of this name; None for one that the pod has by a claim of its own."""
    found = [one for one in workload.volumes if one["name"] == name]
    assert len(found) + (name in workload.claims) == 1, name
    return found[0] if found else None


def _contents(volume, objects):
    shown = {}
    for kind, reference in sources(volume or {}):
        data = named(objects, kind, reference.get("name", reference.get("secretName")))["data"]
        every = [{"key": key, "path": key} for key in data]
        for item in reference.get("items", every):
            assert item["path"] not in shown
            shown[item["path"]] = data[item["key"]]
    return shown
