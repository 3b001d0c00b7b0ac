"""A small real run, watched by a real Prometheus. Tests share them; the last one ends the run."""

import os
import re
import shutil
import signal
import subprocess

import pytest
from tests.deploy.monitoring.files import DASHBOARDS, names_in, queries, recorded
from tests.deploy.monitoring.prometheus_server import Prometheus
from tests.system.runs import SMALL, Run, set_options
from tests.until import until

from ssd_run.progress.scraper import fetch_text

pytestmark = [
    pytest.mark.timeout(300),  # processes start slowly on a busy machine
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="needs the Debian package prometheus"
    ),
]

ROLES = {"env-0", "actor-0-0", "actor-0-1", "learner-0", "learner-1"}
PRESET = "cleanup-moa"
# Apples grow although nobody cleans, and fines do not make returns negative: equality is defined.
APPLES = ("game.waste_limit=1", "game.apple_growth=0.5", "game.fire_cost=0", "game.fine=0")
# Not in this preset: it has no symbols.
NOT_APPLICABLE = {
    "ssd_learner_symbol_entropy_nats",
    "ssd_learner_symbol_policy_loss",
    "ssd_learner_symbol_value_loss",
}
VARIABLES = {"$run": "small", "$agent": "1", "$__rate_interval": "1m"}


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    return tmp_path_factory.mktemp("targets")


@pytest.fixture(scope="module")
def run(tmp_path_factory, targets):
    sets = set_options(*SMALL, *APPLES)
    folder = tmp_path_factory.mktemp("runs")
    started = Run(folder / "small", PRESET, *sets, "--prometheus", str(targets))
    yield started
    started.end()


@pytest.fixture(scope="module")
def prometheus(targets, tmp_path_factory):
    server = Prometheus(tmp_path_factory.mktemp("prometheus"), targets)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def watched(run, prometheus):
    """Prometheus, when all processes of the run are up."""
    run.wait_until("all processes to be up", lambda: up(prometheus) == ROLES)
    return prometheus


def up(prometheus):
    return {role for role, one in prometheus.targets().items() if one["health"] == "up"}


def with_values(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def is_applicable(expression):
    return not names_in(expression) & NOT_APPLICABLE


def without_data(prometheus, expressions):
    return [one for one in expressions if not prometheus.query(one)]


def test_every_process_is_a_target_with_the_labels_that_it_has(watched):
    found = {role: one["labels"] for role, one in watched.targets().items()}
    common = {"job": "ssd", "run": "small"}
    assert found["actor-0-1"] == common | {
        "instance": "actor-0-1",
        "role": "actor",
        "arena": "0",
        "agent": "1",
    }
    assert found["learner-0"] == common | {"instance": "learner-0", "role": "learner", "agent": "0"}
    assert found["env-0"] == common | {"instance": "env-0", "role": "env", "arena": "0"}


def test_every_recording_rule_yields_data(watched, run):
    run.wait_until("recorded data", lambda: not without_data(watched, sorted(recorded())))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_of_a_dashboard_yields_data(watched, run, name):
    expressions = [with_values(e) for _, e in queries(DASHBOARDS[name]) if is_applicable(e)]
    run.wait_until(f"data of {name}", lambda: not without_data(watched, expressions))


def test_metrics_that_are_not_applicable_to_the_preset_have_no_data(watched):
    assert len(without_data(watched, NOT_APPLICABLE)) == len(NOT_APPLICABLE)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_values_of_a_dashboard_s_variables_are_those_of_the_run(watched, name):
    expected = {"run": ["small"], "agent": ["0", "1"]}
    for variable in DASHBOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            found = watched.values_of(asked[2], with_values(asked[1]))
            assert found == expected[variable["name"]]


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("role", ["env-0", "actor-0-1", "learner-1"])
def test_the_page_of_every_process_follows_the_conventions_of_prometheus(run, role):
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=fetch_text(run.entry(role)["metrics"]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_alert_is_firing_on_a_healthy_run(watched):
    assert watched.query('ALERTS{alertstate="firing"}') == []


def test_the_series_of_a_restarted_process_go_on_although_its_port_changes(watched, run):
    before = watched.targets()["actor-0-0"]
    os.kill(run.pid("actor-0-0"), signal.SIGKILL)

    def is_back():
        now = watched.targets().get("actor-0-0", before)
        return now["address"] != before["address"] and now["health"] == "up"

    run.wait_until("the new process to be up", is_back)
    assert watched.targets()["actor-0-0"]["labels"] == before["labels"]
    of_actor = 'process_start_time_seconds{instance="actor-0-0"}'
    until(lambda: watched.value(f"changes({of_actor}[5m])") == 1)
    assert len(watched.query(f"count_over_time({of_actor}[5m])")) == 1


def test_the_targets_of_a_run_that_has_ended_are_forgotten(watched, run, targets):
    assert run.interrupt() == 0, run.output
    assert list(targets.iterdir()) == []
    until(lambda: watched.targets() == {})
