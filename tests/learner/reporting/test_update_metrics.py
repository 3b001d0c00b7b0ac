"""The table of update metrics is complete and consistent."""

from __future__ import annotations

from ssd_influence.settings import ExperimentSettings
from ssd_learner.reporting.report import Report
from ssd_learner.reporting.update_metrics import UPDATE_METRICS


def test_every_metric_reads_a_field_of_the_report():
    assert all(m.field == "policy_lag" or hasattr(Report(), m.field) for m in UPDATE_METRICS)


def test_every_field_of_the_report_has_a_metric():
    assert set(vars(Report())) <= {metric.field for metric in UPDATE_METRICS}


def test_names_titles_labels_and_priorities_are_unique():
    for attribute in ("name", "title", "log_label", "priority"):
        values = [value for m in UPDATE_METRICS if (value := getattr(m, attribute))]
        assert len(set(values)) == len(values)


def test_a_metric_applies_only_to_experiments_that_have_it():
    plain = ExperimentSettings()
    scopes = {metric.scope for metric in UPDATE_METRICS if metric.applies_to(plain)}
    assert scopes == {"all"}
    communicating = ExperimentSettings(symbols=10, influence="communication", visible_actions=True)
    scopes = {metric.scope for metric in UPDATE_METRICS if metric.applies_to(communicating)}
    assert scopes == {"all", "influence", "symbols"}
