"""Runs pods with podman, as kubelet runs them with its container runtime."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.cluster.player.objects import Objects
from tests.cluster.player.podman import Podman
from tests.cluster.player.pods import Pod
from tests.cluster.player.probes import ContainerProbes
from tests.cluster.player.variables import expand, variables
from tests.cluster.player.volumes import Volumes

PREFIX = "ssd-test-cluster-"
_UNITS = {"Ki": "k", "Mi": "m", "Gi": "g"}


@dataclass(frozen=True)
class RunningPod:
    """A pod that runs.

    Attributes:
        pod: What runs.
        address: IPv4.
        probes: Of each container.
    """

    pod: Pod
    address: str
    probes: Mapping[str, ContainerProbes]

    @property
    def is_ready(self) -> bool:
        """Whether all of its containers are ready."""
        return all(probes.is_ready for probes in self.probes.values())


class Kubelet:
    """Starts and stops pods.

    Args:
        podman: Runs them.
        network: Of podman; made if it does not exist.
        objects: That pods refer to.
        volumes: Of the pods.
    """

    def __init__(self, podman: Podman, network: str, objects: Objects, volumes: Volumes) -> None:
        self._podman = podman
        self._network = network
        self._objects = objects
        self._volumes = volumes
        self.logs_of_stopped: dict[str, str] = {}  # by name of the container; of the last one

    def make_sandbox(self, pod: Pod) -> str:
        """Give a pod its volumes and its address, and nothing that runs in it yet."""
        self._volumes.make(pod)
        aliases = "".join(f",alias={name}" for name in pod.host_names).replace(",", ":", 1)
        self._podman(
            "pod",
            "create",
            f"--name={PREFIX}{pod.name}",
            f"--hostname={pod.name}",
            f"--network={self._network}{aliases}",
        )
        self._podman("pod", "start", PREFIX + pod.name)
        infra = self._podman("pod", "inspect", PREFIX + pod.name, "--format={{.InfraContainerID}}")
        networks = json.loads(
            self._podman("inspect", infra, "--format={{json .NetworkSettings.Networks}}")
        )
        return str(networks[self._network]["IPAddress"])

    def start_containers(self, pod: Pod, address: str) -> RunningPod:
        """Start the containers of a pod, and their probes."""
        probes = {}
        for container in pod.spec["containers"]:
            name = self.container_name(pod, container["name"])
            self._podman("run", *self._options(pod, container))
            probes[container["name"]] = ContainerProbes(
                container, address, lambda name=name: self._restart(pod, name)
            )
        for each in probes.values():
            each.start()
        return RunningPod(pod, address, probes)

    def stop(self, running: RunningPod, *, kill: bool = False) -> dict[str, int]:
        """Stop a pod and remove it, but for its claims.

        Args:
            running: The pod.
            kill: At once, as when its node fails. Otherwise containers have the pod's grace period.

        Returns:
            The exit code of each container.
        """
        pod = running.pod
        for probes in running.probes.values():
            probes.stop()
        seconds = 0 if kill else pod.spec["terminationGracePeriodSeconds"] - self._pre_stop(pod)
        # Not `pod stop`, which ends the pod's network at the same time.
        containers = [self.container_name(pod, name) for name in running.probes]
        self._podman("stop", f"--time={seconds}", *containers, seconds=seconds + 60)
        codes = {
            name: int(
                self._podman(
                    "inspect", self.container_name(pod, name), "--format={{.State.ExitCode}}"
                )
            )
            for name in running.probes
        }
        for name in running.probes:
            container = self.container_name(pod, name)
            self.logs_of_stopped[container] = self._podman.logs(container)
        self._podman("pod", "rm", "--force", "--time=0", PREFIX + pod.name)
        self._volumes.remove(pod)
        return codes

    def remove_all(self) -> None:
        """Remove whatever is left of pods of this player, also those of an earlier process."""
        for name in self.leftovers():
            self._podman("pod", "rm", "--force", "--time=0", name)

    def leftovers(self) -> list[str]:
        """Pods of this player that exist."""
        names = self._podman("pod", "ps", "--format={{.Name}}").split()
        return [name for name in names if name.startswith(PREFIX)]

    def container_name(self, pod: Pod, container: str) -> str:
        """What podman calls a container."""
        return f"{PREFIX}{pod.name}-{container}"

    def _pre_stop(self, pod: Pod) -> int:
        """Run the preStop commands of a pod, all at once; gives back the seconds that they took."""
        began = time.monotonic()
        commands = [
            (
                self.container_name(pod, each["name"]),
                *each["lifecycle"]["preStop"]["exec"]["command"],
            )
            for each in pod.spec["containers"]
            if "lifecycle" in each
        ]
        if commands:
            with ThreadPoolExecutor(len(commands)) as pool:
                list(pool.map(lambda command: self._podman("exec", *command), commands))
        return round(time.monotonic() - began)

    def _restart(self, pod: Pod, name: str) -> None:
        seconds = pod.spec["terminationGracePeriodSeconds"]
        self._podman("restart", f"--time={seconds}", name, seconds=seconds + 60)

    def _options(self, pod: Pod, container: Mapping[str, Any]) -> Iterator[str]:
        """All that follows `podman run`."""
        values = variables(container, pod, self._objects)
        yield "--detach"
        yield f"--pod={PREFIX}{pod.name}"
        yield f"--name={self.container_name(pod, container['name'])}"
        yield "--pull=never"
        # Kubelet waits ever longer before it restarts a container that ends again; podman does not.
        yield "--restart=always"
        yield from _security_options(pod.spec["securityContext"], container["securityContext"])
        yield from _limit_options(container.get("resources", {}).get("limits", {}))
        yield from (f"--env={name}={value}" for name, value in values.items())
        mounts = self._volumes.mounts(pod, container, values)
        yield from (f"--volume={mount}" for mount in mounts)
        if "command" in container:
            command = [expand(word, values) for word in container["command"]]
            yield f"--entrypoint={json.dumps(command)}"
        yield container["image"]
        yield from (expand(word, values) for word in container.get("args", ()))


def _security_options(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    yield f"--user={pod['runAsUser']}:{pod['runAsGroup']}"
    yield f"--group-add={pod['fsGroup']}"
    if container.get("readOnlyRootFilesystem"):
        yield from ("--read-only", "--read-only-tmpfs=false")
    for capability in container.get("capabilities", {}).get("drop", ()):
        yield f"--cap-drop={capability}"
    if container.get("allowPrivilegeEscalation") is False:
        yield "--security-opt=no-new-privileges"


def _limit_options(limits: Mapping[str, str]) -> Iterator[str]:
    for resource, quantity in limits.items():
        if resource == "cpu":
            yield f"--cpus={_cpus(quantity)}"
        elif resource == "memory":
            yield f"--memory={quantity[:-2]}{_UNITS[quantity[-2:]]}"
        else:
            raise ValueError(f"the player does not know the resource {resource}")


def _cpus(quantity: str) -> float:
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
