"""A cluster of one node: what is applied to it runs."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.cluster.player import network_policies
from tests.cluster.player.kubelet import PREFIX, Kubelet, RunningPod
from tests.cluster.player.network_policies import Endpoint
from tests.cluster.player.objects import Object, Objects
from tests.cluster.player.podman import Podman
from tests.cluster.player.pods import Pod, pod_of
from tests.cluster.player.volumes import Volumes

NETWORK = f"{PREFIX}pods"
Item, Result = TypeVar("Item"), TypeVar("Result")
_LOCK = Path("/run/lock/ssd-test-cluster")
_AT_ONCE = 3  # pods that are started or stopped at the same time


@contextmanager
def only_one() -> Iterator[None]:
    """Wait until no other process has a cluster: all give their pods and network the same names."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Cluster:
    """Runs the StatefulSets of one namespace.

    Args:
        podman: Runs the pods.
        folder: For volumes.
        objects: Of the namespace.
    """

    def __init__(self, podman: Podman, folder: Path, objects: Iterable[Object]) -> None:
        self.podman = podman
        self.objects = Objects(objects)
        self.volumes = Volumes(folder, self.objects)
        self.kubelet = Kubelet(podman, NETWORK, self.objects, self.volumes)
        self.pods: dict[str, RunningPod] = {}
        self.has_policies = True
        self._addresses: dict[str, tuple[str, Pod]] = {}
        self._lock = threading.Lock()
        self._gateway = ""

    def start(self) -> None:
        """Start all StatefulSets with the replicas that they state."""
        self.kubelet.remove_all()
        self.podman("network", "rm", "--force", NETWORK)
        self.podman("network", "create", NETWORK)
        self._gateway = self.podman(
            "network", "inspect", NETWORK, "--format={{range .Subnets}}{{.Gateway}}{{end}}"
        )
        sets = list(self.objects.of_kind("StatefulSet"))
        # podManagementPolicy: Parallel, and all sets at once.
        self.start_pods(
            [pod_of(one, index) for one in sets for index in range(one["spec"]["replicas"])]
        )

    def scale(self, name: str, replicas: int) -> dict[str, dict[str, int]]:
        """Change the number of pods of a StatefulSet; the last ones go first.

        Returns:
            Exit codes of the containers of each pod that was stopped.
        """
        stateful_set = self.objects.get("StatefulSet", name)
        wanted = {pod.name: pod for pod in (pod_of(stateful_set, n) for n in range(replicas))}
        of_set = [pod for pod in self.pods if pod.rpartition("-")[0] == name]
        surplus = [pod for pod in of_set if pod not in wanted]
        codes = dict(zip(surplus, _at_once(self.stop_pod, surplus), strict=True))
        self.start_pods([pod for key, pod in wanted.items() if key not in self.pods])
        return codes

    def start_pods(self, pods: list[Pod]) -> None:
        """Start pods, several at once."""
        _at_once(self.start_pod, pods)

    def start_pod(self, pod: Pod) -> RunningPod:
        """Start one pod. The network's rules hold before anything runs in it."""
        address = self.kubelet.make_sandbox(pod)
        with self._lock:
            self._addresses[pod.name] = address, pod
            self._enforce()
        self.pods[pod.name] = self.kubelet.start_containers(pod, address)
        return self.pods[pod.name]

    def stop_pod(self, name: str, *, kill: bool = False) -> dict[str, int]:
        """Stop a pod, and give back the exit codes of its containers."""
        codes = self.kubelet.stop(self.pods.pop(name), kill=kill)
        with self._lock:
            del self._addresses[name]
            self._enforce()
        return codes

    def delete_pod(self, name: str, *, kill: bool = False) -> dict[str, int]:
        """Delete a pod of a StatefulSet, whose controller makes it again."""
        pod = self.pods[name].pod
        codes = self.stop_pod(name, kill=kill)
        self.start_pod(pod)
        return codes

    def set_policies(self, *, enforced: bool) -> None:
        """Enforce the NetworkPolicies, or lift all of them."""
        with self._lock:
            self.has_policies = enforced
            self._enforce()

    def execute(self, pod: str, container: str, *command: str) -> str:
        """The output of a command in a container, as `kubectl exec` gives it."""
        return self.podman("exec", f"{PREFIX}{pod}-{container}", *command)

    def logs(self, pod: str, container: str) -> str:
        """What a container has written."""
        return self.podman.logs(f"{PREFIX}{pod}-{container}")

    def deaths(self, pod: str, container: str) -> int:
        """How often a container has ended by itself and was started again."""
        name = f"{PREFIX}{pod}-{container}"
        return int(self.podman("inspect", name, "--format={{.RestartCount}}"))

    def claim(self, pod: str, volume: str) -> Path:
        """The folder of a pod's volume that stays."""
        return self.volumes.claim(f"{volume}-{pod}")

    def stop(self) -> None:
        """Remove everything but the claims."""
        for running in self.pods.values():
            for probes in running.probes.values():
                probes.stop()
        self.kubelet.remove_all()
        self.podman("network", "rm", "--force", NETWORK)
        network_policies.lift()

    def _enforce(self) -> None:
        if not self.has_policies:
            network_policies.lift()
            return
        home = next(self.objects.of_kind("Namespace"))["metadata"]["name"]
        endpoints = [
            Endpoint(address, pod.labels, _namespace(pod.namespace or home))
            for address, pod in self._addresses.values()
        ]
        dns = Endpoint(self._gateway, {"k8s-app": "kube-dns"}, _namespace("kube-system"))
        policies = list(self.objects.of_kind("NetworkPolicy"))
        network_policies.enforce(policies, [*endpoints, dns], _namespace(home))


def _namespace(name: str) -> dict[str, str]:
    """The label that every namespace has."""
    return {"kubernetes.io/metadata.name": name}


def _at_once(work: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))
