"""What Prometheus's own tool says about its files."""

import shutil
import subprocess

import pytest
from tests.deploy.monitoring.files import CONFIG, RULES, RULES_TEST

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, of the Debian package prometheus"
)


def promtool(*arguments):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def test_the_config_is_valid():
    done = promtool("check", "config", CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_valid():
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_tests_of_the_rules_pass():
    done = promtool("test", "rules", RULES_TEST)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_pattern_over_run_directories_is_not_possible(tmp_path):
    path = tmp_path / "prometheus.yml"
    path.write_text(CONFIG.read_text().replace("runs/prometheus/*.json", "runs/*/prometheus.json"))
    (tmp_path / "rules.yml").write_text(RULES.read_text())
    done = promtool("check", "config", path)
    assert done.returncode != 0
    assert "not valid for file discovery" in done.stderr + done.stdout
