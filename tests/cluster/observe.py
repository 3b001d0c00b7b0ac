"""What can be seen of a run on a cluster: metrics, ledgers, and the account of its segments."""

from __future__ import annotations

import json
import shutil
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.cluster.experiment import AGENTS
from tests.cluster.player.cluster import Cluster

from ssd_run.account import Account
from ssd_run.check_account import account_of

LEARNERS = [f"learner-{agent}" for agent in range(AGENTS)]


def metric(cluster: Cluster, pod: str, name: str, port: int = 9100) -> float:
    """A metric without labels, as Prometheus reads it from a pod."""
    return metric_at(f"{cluster.pods[pod].address}:{port}", name)


def metric_at(address: str, name: str) -> float:
    """A metric without labels, as Prometheus reads it from ``host:port``."""
    url = f"http://{address}/metrics"
    with urllib.request.urlopen(url, timeout=10) as page:
        families = text_string_to_metric_families(page.read().decode())
        return next(s.value for family in families for s in family.samples if s.name == name)


def own_steps(cluster: Cluster) -> list[float]:
    """What each learner has trained on."""
    return [metric(cluster, learner, "ssd_learner_own_steps") for learner in LEARNERS]


def trained_of_arena(cluster: Cluster, arena: int) -> list[int]:
    """Segments of an arena that each learner has trained on, as of its last checkpoint."""
    return [
        sum(entry["trained"] for entry in _ledger(cluster, learner) if entry["arena"] == arena)
        for learner in LEARNERS
    ]


def _ledger(cluster: Cluster, learner: str) -> list[dict[str, Any]]:
    path = cluster.claim(learner, "data") / "ledgers" / f"{learner}.json"
    epochs: list[dict[str, Any]] = json.loads(path.read_text())["epochs"] if path.exists() else []
    return epochs


def server_key(cluster: Cluster, identity: str) -> str:
    """The public key of a process."""
    text = cluster.objects.get("ConfigMap", "keys-public")["data"]["public.toml"]
    return str(tomllib.loads(text)[identity])


def account(cluster: Cluster, run_dir: Path) -> Account:
    """The account of all segments, once every process has ended.

    Args:
        cluster: Whose volumes have the ledgers.
        run_dir: A new folder, to collect what the account needs.
    """
    (run_dir / "ledgers").mkdir(parents=True)
    for path in cluster.volumes.claim("").glob("*/ledgers/*.json"):
        shutil.copy(path, run_dir / "ledgers")
    run_file = next(
        one["data"]["run.toml"]
        for one in cluster.objects.of_kind("ConfigMap")
        if "run.toml" in one["data"]
    )
    (run_dir / "run.toml").write_text(run_file)
    return account_of(run_dir)
