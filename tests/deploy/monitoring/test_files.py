"""The rules and dashboards are well-formed, and read only what is served."""

import json
import re

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from tests.deploy.monitoring.files import (
    CONFIG,
    DASHBOARDS,
    DEPLOY,
    OF_PROMETHEUS,
    alerts,
    names_in,
    panels,
    queries,
    recorded,
    rules,
    served,
)

EXPRESSIONS = [rule["expr"] for rule in rules()] + [
    expression for dashboard in DASHBOARDS.values() for _, expression in queries(dashboard)
]
README = (DEPLOY / "README.md").read_text()
of_each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
of_each_alert = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("up", {"up"}),
        ('sum by (run, agent) (rate(a_total{run="$run", b="c"}[5m]))', {"a_total"}),
        ("clamp_min(1 - avg by (run) (rate(a_total[$__rate_interval])), 0)", {"a_total"}),
        ("a / on (run) group_left () (run:b:rate5m > 0)", {"a", "run:b:rate5m"}),
        ('count(ALERTS{x="y"}) or vector(0) unless on (z) c offset 5m', {"ALERTS", "c"}),
        ("quantile by (run) (0.5, a)", {"a"}),
    ],
)
def test_names_of_series_are_found_in_expressions(expression, names):
    assert names_in(expression) == names


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_series_in_rules_and_dashboards_is_served_or_recorded(expression):
    assert names_in(expression) <= served() | recorded() | OF_PROMETHEUS


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_rates_are_taken_of_counters_only(expression):
    taken = re.findall(r"\b(?:rate|increase)\(([\w:]+)", expression)
    assert all(name.endswith("_total") for name in taken)


def test_every_recorded_series_is_shown():
    shown = {name for each in DASHBOARDS.values() for _, e in queries(each) for name in names_in(e)}
    assert recorded() <= shown


def test_the_config_loads_the_rules_and_finds_runs_by_their_files():
    config = yaml.safe_load(CONFIG.read_text())
    assert config["rule_files"] == ["rules.yml"]
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "ssd"
    assert job["file_sd_configs"][0]["files"] == ["../../runs/prometheus/*.json"]


@of_each_alert
def test_every_alert_has_a_severity_a_summary_and_a_runbook(alert):
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert set(alert["annotations"]) == {"summary", "runbook"}
    for text in alert["annotations"].values():
        assert text.endswith(".")
    assert "$labels.run" in alert["annotations"]["summary"]


@of_each_alert
def test_every_alert_is_explained_in_the_documentation(alert):
    assert f"| `{alert['alert']}` |" in README


def test_there_are_dashboards_of_training_of_the_system_and_of_an_agent():
    assert set(DASHBOARDS) == {"training", "system", "agent"}


@of_each_dashboard
def test_a_dashboard_has_a_title_a_schema_and_no_identity_of_its_own(dashboard):
    assert dashboard["title"]
    assert dashboard["schemaVersion"] >= 36
    assert not {"id", "uid"} & set(dashboard)


@of_each_dashboard
def test_a_dashboard_holds_only_what_the_schema_of_grafana_knows(dashboard):
    register_default_plugins()
    known = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
    assert list(lost(dashboard, known)) == []


def lost(written, known, path=""):
    """Paths of what is not in the same place with the same value."""
    if isinstance(written, dict) and isinstance(known, dict):
        for key, value in written.items():
            yield from lost(value, known.get(key), f"{path}.{key}")
    elif isinstance(written, list) and isinstance(known, list) and len(written) == len(known):
        for index, (one, other) in enumerate(zip(written, known, strict=True)):
            yield from lost(one, other, f"{path}[{index}]")
    elif written != known:
        yield path


@of_each_dashboard
def test_panels_have_a_number_of_their_own_and_do_not_overlap(dashboard):
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@of_each_dashboard
def test_every_panel_has_a_title_a_description_a_unit_and_queries(dashboard):
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        letters = [target["refId"] for target in panel["targets"]]
        assert letters
        assert len(set(letters)) == len(letters)


@of_each_dashboard
def test_the_data_source_is_that_which_the_user_chooses(dashboard):
    sources = [panel["datasource"] for panel in panels(dashboard)]
    sources += [target["datasource"] for panel in panels(dashboard) for target in panel["targets"]]
    sources += [v["datasource"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


@of_each_dashboard
def test_every_query_is_of_the_chosen_run_by_variables_that_exist(dashboard):
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for title, expression in queries(dashboard):
        used = set(re.findall(r"\$(\w+)", expression)) - {"__rate_interval"}
        assert {"run"} <= used <= variables, title
