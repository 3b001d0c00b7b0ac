"""The page of metrics is complete. Tests of whole runs compare it with the running processes."""

from pathlib import Path

import pytest

from ssd_learner.reporting.update_metrics import UPDATE_METRICS
from ssd_run.metrics_page import HEAD

PAGE = (Path(__file__).parents[3] / "deploy" / "METRICS.md").read_text()


def test_the_page_says_how_it_was_made():
    assert PAGE.startswith(HEAD)


@pytest.mark.parametrize("metric", UPDATE_METRICS, ids=lambda metric: metric.name)
def test_the_page_has_every_metric_of_an_update(metric):
    assert f"| `ssd_learner_{metric.name}` | gauge | – | {metric.help} |" in PAGE
