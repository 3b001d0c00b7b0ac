"""Pods, and how a StatefulSet becomes its pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.player.fields import check_known
from tests.cluster.player.objects import Object


@dataclass(frozen=True)
class Pod:
    """A pod, before it runs.

    Attributes:
        name: Unique in the namespace; also its host name.
        labels: Of the pod.
        spec: As in the manifest.
        service: The headless Service under which it has a DNS name, NAME.SERVICE.
        claims: The claim of each of its volumes that stay.
        namespace: Its name, if it is not that of the run.
    """

    name: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    service: str | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None

    def __post_init__(self) -> None:
        check_known(self.spec)

    @property
    def host_names(self) -> list[str]:
        """Its names in DNS: its own, and that of all pods of its service."""
        return [] if self.service is None else [f"{self.name}.{self.service}", self.service]

    def container(self, name: str) -> Mapping[str, Any]:
        """One of its containers."""
        return next(each for each in self.spec["containers"] if each["name"] == name)


def pod_of(stateful_set: Object, index: int) -> Pod:
    """One pod of a StatefulSet, with the name, labels and volumes that its controller gives it."""
    name = f"{stateful_set['metadata']['name']}-{index}"
    template = stateful_set["spec"]["template"]
    volumes = [
        claim["metadata"]["name"] for claim in stateful_set["spec"].get("volumeClaimTemplates", ())
    ]
    return Pod(
        name,
        {
            **template["metadata"]["labels"],
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(index),
        },
        template["spec"],
        stateful_set["spec"]["serviceName"],
        {volume: f"{volume}-{name}" for volume in volumes},
    )
