"""What a learner tells of its last batch: one entry per metric, read by all that show or keep it.

The learner serves it to Prometheus, `ssd-train` writes it into its records and shows it on screen.
Another metric is another entry here, and a field of `Report` that it reads. Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ssd_influence.settings import ExperimentSettings

Kind = Literal["any", "influence", "moa", "symbols"]


@dataclass(frozen=True)
class UpdateMetric:
    """One number.

    Attributes:
        name: In records; Prometheus has ``ssd_learner_`` before it.
        field: Of a `Report`; ``lag`` is of the learner itself.
        text: What it is.
        kind: Of which experiments it is told.
        title: Of its column on screen; none without.
        rank: Of that column: the lower, the sooner it is shown.
        width: Characters that its numbers usually take.
        places: Behind the decimal point; None for two digits of a number of unknown size.
        label: In the line of a log; none without.
    """

    name: str
    field: str
    text: str
    kind: Kind = "any"
    title: str = ""
    rank: int = 0
    width: int = 6
    places: int | None = 3
    label: str = ""

    def is_told_of(self, experiment: ExperimentSettings) -> bool:
        """Whether an experiment's learners have it."""
        return {
            "any": True,
            "influence": experiment.influence != "off",
            "moa": experiment.has_moa,
            "symbols": experiment.symbols > 0,
        }[self.kind]


UPDATE_METRICS = (
    UpdateMetric(
        "influence_nats",
        "influence",
        "Influence per own-step, last batch.",
        kind="influence",
        title="influence",
        rank=5,
        width=7,
        places=None,
        label="influence",
    ),
    UpdateMetric(  # beside the influence, which is worth no more than the model behind it
        "moa_margin_nats",
        "moa_margin",
        "The entropy of the others' actions less the MOA's loss: what it knows beyond habits.",
        kind="moa",
        title="margin",
        rank=6,
        label="MOA margin",
    ),
    UpdateMetric(
        "beta",
        "beta",
        "Weight of the influence reward in the last batch.",
        kind="influence",
        title="β",
        rank=24,
        places=4,
    ),
    UpdateMetric(
        "moa_loss_nats",
        "moa_loss",
        "Cross-entropy of the others' next actions, before training on them.",
        kind="moa",
        title="MOA loss",
        rank=22,
        label="MOA loss",
    ),
    UpdateMetric(
        "moa_marginal_entropy_nats",
        "moa_marginal_entropy",
        "Entropy of the others' actions, over what the MOA's loss is taken over.",
        kind="moa",
    ),
    UpdateMetric(
        "moa_gradient_norm",
        "moa_gradient_norm",
        "Norm of the MOA's gradient, before its clip.",
        kind="moa",
    ),
    UpdateMetric(
        "symbol_entropy_nats",
        "symbol_entropy",
        "Entropy of what is said, last batch.",
        kind="symbols",
        title="symbols",
        rank=10,
        label="entropy of symbols",
    ),
    UpdateMetric(
        "symbol_policy_loss", "symbol_policy_loss", "Policy loss of what is said.", kind="symbols"
    ),
    UpdateMetric(
        "symbol_value_loss", "symbol_value_loss", "Value loss of what is said.", kind="symbols"
    ),
    UpdateMetric(
        "policy_entropy_nats",
        "entropy",
        "Entropy of the policy, last batch.",
        title="entropy",
        rank=7,
    ),
    UpdateMetric("entropy_weight", "entropy_weight", "Weight of the policy's entropy."),
    UpdateMetric(
        "policy_information_nats",
        "information",
        "Of what the agent does about what it sees; 0 is a blind agent.",
        title="info",
        rank=11,
        width=5,
    ),
    UpdateMetric(
        "kl_nats",
        "kl",
        "KL of the policy that acted to the one trained, last pass.",
        title="KL",
        rank=12,
        width=7,
        places=None,
    ),
    UpdateMetric(
        "explained_variance",
        "explained_variance",
        "Of returns by the critic, before it was trained on them.",
        title="EV",
        rank=13,
        width=8,
        places=None,
    ),
    UpdateMetric(
        "policy_lag_updates",
        "lag",
        "Updates between acting and training, last batch.",
        title="lag",
        rank=9,
        width=4,
        places=1,
        label="lag",
    ),
    UpdateMetric("passes", "passes", "Passes over the last batch."),
    UpdateMetric("clipped_share", "clipped_share", "Share of ratios outside their clip."),
    UpdateMetric("policy_loss", "policy_loss", "Policy loss, last batch."),
    UpdateMetric("value_loss", "value_loss", "Value loss, last batch."),
    UpdateMetric(
        "policy_gradient_norm",
        "policy_gradient_norm",
        "Norm of the policy's gradient, before its clip.",
    ),
    UpdateMetric(
        "value_gradient_norm",
        "value_gradient_norm",
        "Norm of the value heads' gradient, before its clip.",
    ),
    UpdateMetric("reward", "reward", "Environmental reward per own-step, last batch."),
    UpdateMetric(
        "learning_rate",
        "learning_rate",
        "Learning rate of the last batch.",
        title="learning rate",
        rank=26,
        width=8,
        places=6,
    ),
)
"""In the order in which they are shown."""
