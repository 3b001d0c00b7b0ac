"""A real Prometheus that watches the runs of a test."""

import http.client
import json
import math
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import yaml
from tests.deploy.monitoring.files import CONFIG, RULES
from tests.until import until


class Prometheus:
    """Prometheus with the example's configuration, but every second, and with other paths.

    Args:
        folder: For its data, its log and its configuration.
        targets: Folder of the files of runs.
    """

    def __init__(self, folder: Path, targets: Path) -> None:
        config = yaml.safe_load(CONFIG.read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(RULES)]
        discovery = config["scrape_configs"][0]["file_sd_configs"][0]
        discovery |= {"files": [f"{targets}/*.json"], "refresh_interval": "1s"}
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={path}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        until(self._is_ready)

    def query(self, expression: str) -> list[dict[str, str]]:
        """Labels of the series that an expression gives now, but for those that are NaN."""
        found = self._get("query", query=expression)["result"]
        return [one["metric"] for one in found if not math.isnan(float(one["value"][1]))]

    def value(self, expression: str) -> float:
        """The value of the only series that an expression gives now."""
        ((_, value),) = [one["value"] for one in self._get("query", query=expression)["result"]]
        return float(value)

    def values_of(self, label: str, matcher: str) -> list[str]:
        """Values that a label has in the series that match."""
        return self._get(f"label/{label}/values", **{"match[]": matcher})

    def targets(self) -> dict[str, dict[str, str]]:
        """The targets that it reads, by instance: address, health and labels."""
        return {
            one["labels"]["instance"]: {
                "address": one["discoveredLabels"]["__address__"],
                "health": one["health"],
                "labels": one["labels"],
            }
            for one in self._get("targets", state="active")["activeTargets"]
        }

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _get(self, path, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(parameters)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        return answer["data"]

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            return self._get("query", query="vector(1)") is not None
        except (OSError, ValueError):
            return False
