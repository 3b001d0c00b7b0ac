"""The report on one batch: losses, divergences, gradient norms and coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from ssd_learner.schedule import ScheduledValues

Scalars = dict[str, Tensor]  # [] each, on the device, by the names of a report's fields


@dataclass(frozen=True)
class Report:
    """Means over all updates of a batch. None where a value does not exist.

    Attributes:
        policy_loss, value_loss: unweighted.
        entropy: of the policy, nats.
        symbol_policy_loss, symbol_value_loss, symbol_entropy: the same of the communication head.
        kl: KL(μ‖π) in nats, of actions and symbols together, from the policy that acted to the one
            trained in the last pass.
        clipped_share: PPO: share of own-steps whose ratio π/μ of the action was outside
            1 ± `ratio_clip` in the last pass, on either side; 0 with V-trace.
        explained_variance: share of the variance of the value targets that the critic explained,
            before training on the batch.
        moa_loss: cross-entropy of the others' next actions before training on the batch, nats.
        moa_marginal_entropy: entropy of the others' actions over the same (t, j), nats.
        policy_information: mutual information of observation and action before training on the
            batch, nats.
        influence: c per own-step, nats.
        reward: of the environment, per own-step.
        policy_gradient_norm, value_gradient_norm, moa_gradient_norm: before clipping.
        learning_rate, beta, entropy_weight: as used.
        passes: over the batch.
    """

    policy_loss: float = 0.0
    value_loss: float = 0.0
    entropy: float = 0.0
    symbol_policy_loss: float | None = None
    symbol_value_loss: float | None = None
    symbol_entropy: float | None = None
    kl: float = 0.0
    clipped_share: float = 0.0
    explained_variance: float | None = None
    moa_loss: float | None = None
    moa_marginal_entropy: float | None = None
    policy_information: float = 0.0
    influence: float = 0.0
    reward: float = 0.0
    policy_gradient_norm: float = 0.0
    value_gradient_norm: float | None = None
    moa_gradient_norm: float | None = None
    learning_rate: float = 0.0
    beta: float = 0.0
    entropy_weight: float = 0.0
    passes: float = 1.0

    @property
    def moa_margin(self) -> float | None:
        """How much better the MOA predicts than the action marginals do, nats."""
        if self.moa_loss is None or self.moa_marginal_entropy is None:
            return None
        return self.moa_marginal_entropy - self.moa_loss

    @property
    def values(self) -> list[float]:
        """All values that exist."""
        return [value for value in astuple(self) if value is not None]


MOA_FIELDS = ("moa_loss", "moa_marginal_entropy")
SYMBOL_TERMS = ("policy_loss", "value_loss", "entropy")  # with "symbol_" before them


def mean_scalars(updates: Sequence[Scalars]) -> Scalars:
    """The mean of each scalar over the updates that have it."""
    names = dict.fromkeys(name for update in updates for name in update)
    return {
        name: torch.stack([update[name] for update in updates if name in update]).mean()
        for name in names
    }


def explained_variance(errors: Tensor, targets: Tensor) -> Tensor:
    """[] share of the targets' variance that a critic with these errors explains; at most 1."""
    return 1 - errors.var(correction=0) / targets.var(correction=0).clamp(min=1e-12)


def make_report(scalars: Scalars, scheduled: ScheduledValues, passes: int = 1) -> Report:
    """A report from scalars on the device, which are read with a single synchronisation.

    Args:
        scalars: By the names of the report's fields, and `moa_targets`: how many (t, j) the MOA
            was evaluated on. Where there were none, the MOA's fields are None.
        scheduled: Coefficients in use.
        passes: Made over the batch.
    """
    numbers = torch.stack([scalar.float() for scalar in scalars.values()]).tolist()
    fields = dict(zip(scalars, numbers, strict=True))
    if not fields.pop("moa_targets", 0):
        fields = {name: value for name, value in fields.items() if name not in MOA_FIELDS}
    return Report(**fields, **vars(scheduled), passes=passes)


def mean_report(reports: Sequence[Report]) -> Report:
    """The mean of several updates of one batch; a field that none of them has stays None."""
    values = {
        name: [value for report in reports if (value := getattr(report, name)) is not None]
        for name in vars(reports[0])
    }
    return Report(**{name: sum(of) / len(of) for name, of in values.items() if of})
