"""The metrics of each batch: one table, read by everything that serves, records or shows them.

The learner serves them to Prometheus; `ssd-train` writes them into its records and shows them on
screen. To add a metric, add an entry here and a field of `Report` that it reads. Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ssd_influence.settings import ExperimentSettings

Scope = Literal["all", "influence", "moa", "symbols"]


@dataclass(frozen=True)
class UpdateMetric:
    """One metric.

    Attributes:
        name: In records; Prometheus has ``ssd_learner_`` before it.
        field: Of `Report`; ``policy_lag`` is an attribute of the learner.
        help: What it measures.
        scope: Which experiments have it.
        title: Of its column on screen; no column without.
        priority: Of that column: columns of low numbers are shown first where room is short.
        width: Usual width of its numbers, in characters.
        decimals: Decimal places; None for two significant digits.
        log_label: Its label in log lines; not logged without.
    """

    name: str
    field: str
    help: str
    scope: Scope = "all"
    title: str = ""
    priority: int = 0
    width: int = 6
    decimals: int | None = 3
    log_label: str = ""

    def applies_to(self, experiment: ExperimentSettings) -> bool:
        """Whether learners of an experiment have it."""
        return {
            "all": True,
            "influence": experiment.influence != "off",
            "moa": experiment.has_moa,
            "symbols": experiment.symbols > 0,
        }[self.scope]


UPDATE_METRICS = (
    UpdateMetric(
        "influence_nats",
        "influence",
        "Influence reward per own-step, last batch.",
        scope="influence",
        title="influence",
        priority=5,
        width=7,
        decimals=None,
        log_label="influence",
    ),
    UpdateMetric(  # beside the influence, whose quality depends on the model
        "moa_margin_nats",
        "moa_margin",
        "Entropy of the others' actions minus the MOA's loss: its gain over marginals.",
        scope="moa",
        title="margin",
        priority=6,
        log_label="MOA margin",
    ),
    UpdateMetric(
        "beta",
        "beta",
        "Weight of the influence reward in the last batch.",
        scope="influence",
        title="β",
        priority=24,
        decimals=4,
    ),
    UpdateMetric(
        "moa_loss_nats",
        "moa_loss",
        "Cross-entropy of the others' next actions, before training on the batch.",
        scope="moa",
        title="MOA loss",
        priority=22,
        log_label="MOA loss",
    ),
    UpdateMetric(
        "moa_marginal_entropy_nats",
        "moa_marginal_entropy",
        "Entropy of the others' action marginals, over the targets of the MOA's loss.",
        scope="moa",
    ),
    UpdateMetric(
        "moa_gradient_norm",
        "moa_gradient_norm",
        "Norm of the MOA's gradient, before clipping.",
        scope="moa",
    ),
    UpdateMetric(
        "symbol_entropy_nats",
        "symbol_entropy",
        "Entropy of the symbols, last batch.",
        scope="symbols",
        title="symbols",
        priority=10,
        log_label="entropy of symbols",
    ),
    UpdateMetric(
        "symbol_policy_loss",
        "symbol_policy_loss",
        "Policy loss of the communication head.",
        scope="symbols",
    ),
    UpdateMetric(
        "symbol_value_loss",
        "symbol_value_loss",
        "Value loss of the communication head.",
        scope="symbols",
    ),
    UpdateMetric(
        "policy_entropy_nats",
        "entropy",
        "Entropy of the policy, last batch.",
        title="entropy",
        priority=7,
    ),
    UpdateMetric("entropy_weight", "entropy_weight", "Weight of the policy's entropy."),
    UpdateMetric(
        "policy_information_nats",
        "policy_information",
        "Mutual information of observation and action; 0 if actions ignore observations.",
        title="info",
        priority=11,
        width=5,
    ),
    UpdateMetric(
        "kl_nats",
        "kl",
        "KL divergence, actions and symbols together, from the acting policy to the trained one,"
        " last pass.",
        title="KL",
        priority=12,
        width=7,
        decimals=None,
    ),
    UpdateMetric(
        "explained_variance",
        "explained_variance",
        "Share of the value targets' variance explained by the critic, before training.",
        title="EV",
        priority=13,
        width=8,
        decimals=None,
    ),
    UpdateMetric(
        "policy_lag_updates",
        "policy_lag",
        "Mean number of updates between acting and training, last batch.",
        title="lag",
        priority=9,
        width=4,
        decimals=1,
        log_label="lag",
    ),
    UpdateMetric("passes", "passes", "Passes over the last batch."),
    UpdateMetric(
        "clipped_share",
        "clipped_share",
        "Share of own-steps whose action has a ratio π/μ outside 1 ± ratio_clip, last pass of PPO;"
        " 0 with V-trace.",
    ),
    UpdateMetric("policy_loss", "policy_loss", "Policy loss, last batch."),
    UpdateMetric("value_loss", "value_loss", "Value loss, last batch."),
    UpdateMetric(
        "policy_gradient_norm",
        "policy_gradient_norm",
        "Norm of the policy's gradient, before clipping.",
    ),
    UpdateMetric(
        "value_gradient_norm",
        "value_gradient_norm",
        "Norm of the value heads' gradient, before clipping.",
    ),
    UpdateMetric("reward", "reward", "Reward of the environment per own-step, last batch."),
    UpdateMetric(
        "learning_rate",
        "learning_rate",
        "Learning rate of the last batch.",
        title="learning rate",
        priority=26,
        width=8,
        decimals=6,
    ),
)
"""In the order of their columns."""
