"""What the files for Prometheus and Grafana contain."""

import json
import re
from pathlib import Path

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
CONFIG = DEPLOY / "prometheus" / "prometheus.yml"
RULES = DEPLOY / "prometheus" / "rules.yml"
RULES_TEST = DEPLOY / "prometheus" / "rules_test.yml"
DASHBOARDS = {
    path.stem: json.loads(path.read_text()) for path in (DEPLOY / "grafana").glob("*.json")
}
OF_PROMETHEUS = {"up", "ALERTS"}  # series that Prometheus makes itself

_WITHOUT_NAMES = re.compile(
    r'"[^"]*"'  # strings
    r"|\{[^}]*\}|\[[^\]]*\]"  # matchers and ranges
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"  # lists of labels
)
_NAME = re.compile(r"(?<![\w:])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")  # not those of functions
_OPERATORS = {"and", "or", "unless", "bool", "offset"}


def rules():
    """All recording and alerting rules."""
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def recorded():
    """Names of the series that rules record."""
    return {rule["record"] for rule in rules() if "record" in rule}


def alerts():
    """All alerting rules."""
    return [rule for rule in rules() if "alert" in rule]


def served():
    """Names of the metrics that processes serve; tests of whole runs check the page."""
    page = (DEPLOY / "METRICS.md").read_text()
    return set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def names_in(expression):
    """Names of the series that an expression in PromQL reads."""
    return set(_NAME.findall(_WITHOUT_NAMES.sub(" ", expression))) - _OPERATORS


def panels(dashboard):
    """The panels of a dashboard that show data."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(dashboard):
    """All queries of a dashboard, as (title of the panel, expression)."""
    return [
        (panel["title"], one["expr"]) for panel in panels(dashboard) for one in panel["targets"]
    ]
