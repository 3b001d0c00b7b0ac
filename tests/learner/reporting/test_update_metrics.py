"""One table of what is told of an update: what serves, keeps and shows it reads no other."""

from __future__ import annotations

from ssd_influence.settings import ExperimentSettings
from ssd_learner.reporting.report import Report
from ssd_learner.reporting.update_metrics import UPDATE_METRICS


def test_every_metric_is_a_number_that_a_report_has():
    assert all(m.field == "lag" or hasattr(Report(), m.field) for m in UPDATE_METRICS)


def test_everything_that_a_report_has_is_told():
    assert set(vars(Report())) <= {metric.field for metric in UPDATE_METRICS}


def test_no_two_metrics_share_a_name_or_a_column():
    for what in ("name", "title", "label", "rank"):
        given = [value for m in UPDATE_METRICS if (value := getattr(m, what))]
        assert len(set(given)) == len(given)


def test_a_metric_is_told_only_of_experiments_that_have_it():
    plain = ExperimentSettings()
    told = {metric.kind for metric in UPDATE_METRICS if metric.applies_to(plain)}
    assert told == {"any"}
    speaks = ExperimentSettings(symbols=10, influence="communication", visible_actions=True)
    told = {metric.kind for metric in UPDATE_METRICS if metric.applies_to(speaks)}
    assert told == {"any", "influence", "symbols"}
