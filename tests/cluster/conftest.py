"""The cluster of these tests, or why there is none."""

import shutil
from collections.abc import Iterator

import pytest
from tests.cluster.experiment import manifests
from tests.cluster.player.cluster import Cluster, only_one
from tests.cluster.player.image import BaseImageError, build
from tests.cluster.player.podman import Podman, why_unusable

IMAGE, TAG = "localhost/ssd-influence", "0.1.0-cpu"


@pytest.fixture(scope="session")
def podman(tmp_path_factory) -> Iterator[Podman]:
    podman = Podman(tmp_path_factory.mktemp("podman"))
    if shutil.which("kubectl") is None:
        pytest.skip("not installed: kubectl")
    if reason := why_unusable(podman):
        pytest.skip(reason)
    with only_one():
        yield podman


@pytest.fixture(scope="session")
def image(podman, tmp_path_factory) -> str:
    try:
        build(podman, f"{IMAGE}:{TAG}", tmp_path_factory.mktemp("image"))
    except BaseImageError as fault:
        pytest.skip(f"no base image: {fault}")
    return IMAGE


@pytest.fixture(scope="session")
def cluster(podman, image, tmp_path_factory, request) -> Iterator[Cluster]:
    objects = manifests(tmp_path_factory.mktemp("manifests"), image)
    cluster = Cluster(podman, tmp_path_factory.mktemp("volumes"), objects)
    try:
        cluster.start()
        yield cluster
    finally:
        if request.session.testsfailed:
            _print_logs(cluster)
        cluster.stop()


def _print_logs(cluster: Cluster) -> None:
    for name, log in cluster.kubelet.logs_of_stopped.items():
        print(f"\n{name}, stopped:")
        print("\n".join(log.splitlines()[-15:]))
    for name, running in cluster.pods.items():
        for container, probes in running.probes.items():
            print(f"\n{name} {container}: {probes.answers}, restarts {probes.restarts}")
            print("\n".join(cluster.logs(name, container).splitlines()[-15:]))
