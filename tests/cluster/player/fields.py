"""The fields of pods that the player knows, and why some of them need nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

POD = {
    "automountServiceAccountToken",  # false: there is no API server
    "containers",
    "enableServiceLinks",  # false: there are no variables for services
    "securityContext",
    "terminationGracePeriodSeconds",
    "topologySpreadConstraints",  # there is one node
    "volumes",
}
POD_SECURITY = {
    "fsGroup",
    "fsGroupChangePolicy",  # only says when a volume's files are given to the group
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfile",  # RuntimeDefault is podman's default
}
CONTAINER = {
    "args",
    "command",
    "env",
    "image",
    "imagePullPolicy",  # the image is on the node
    "lifecycle",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "volumeMounts",
}
CONTAINER_SECURITY = {"allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"}
LIFECYCLE = {"preStop"}
MOUNT = {"mountPath", "name", "readOnly", "subPathExpr"}
PROBE = {"failureThreshold", "httpGet", "periodSeconds", "timeoutSeconds"}


def check_known(spec: Mapping[str, Any]) -> None:
    """Check the fields of a pod's spec.

    Raises:
        ValueError: naming the first that the player does not know.
    """
    _check("pod", spec, POD)
    _check("pod's securityContext", spec["securityContext"], POD_SECURITY)
    for container in spec["containers"]:
        name = container["name"]
        _check(name, container, CONTAINER)
        _check(f"{name}'s securityContext", container["securityContext"], CONTAINER_SECURITY)
        _check(f"{name}'s lifecycle", container.get("lifecycle", {}), LIFECYCLE)
        for mount in container.get("volumeMounts", ()):
            _check(f"a volumeMount of {name}", mount, MOUNT)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            _check(f"{name}'s {probe}", container.get(probe, {}), PROBE)


def _check(what: str, found: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(found) - known):
        raise ValueError(f"{what}: the player does not know the field {unknown[0]}")
