"""What the training of one batch looked like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Report:
    """Means over all updates of a batch. None where there is nothing to tell.

    Attributes:
        policy_loss, value_loss: unweighted.
        entropy: of the policy, nats.
        symbol_policy_loss, symbol_value_loss, symbol_entropy: the same of the communication head.
        kl: KL(μ‖π) in nats, of the policy that acted to the one that the last pass trained.
        clipped_share: of own-steps whose ratio π/μ was outside the clip, in the last pass.
        explained_variance: of the returns by the critic, before the batch was trained on.
        moa_loss: cross-entropy of the others' next actions before the batch was trained on, nats.
        moa_marginal_entropy: of the others' actions over the same (t, j), nats.
        influence: c per own-step, nats.
        reward: the environment's, per own-step.
        policy_gradient_norm, value_gradient_norm, moa_gradient_norm: before their clips.
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
    influence: float = 0.0
    reward: float = 0.0
    policy_gradient_norm: float = 0.0
    value_gradient_norm: float | None = None
    moa_gradient_norm: float | None = None
    learning_rate: float = 0.0
    beta: float = 0.0
    entropy_weight: float = 0.0
    passes: int = 1

    @property
    def moa_margin(self) -> float | None:
        """By how much the MOA knows better than the marginals, nats."""
        if self.moa_loss is None or self.moa_marginal_entropy is None:
            return None
        return self.moa_marginal_entropy - self.moa_loss

    @property
    def numbers(self) -> list[float]:
        """All that is told."""
        values = [getattr(self, field.name) for field in fields(self)]
        return [value for value in values if value is not None]


Numbers = dict[str, Tensor]


def means(updates: Sequence[Numbers]) -> Numbers:
    """The mean of each number over the updates that have it."""
    names = dict.fromkeys(name for update in updates for name in update)
    return {
        name: torch.stack([update[name] for update in updates if name in update]).mean()
        for name in names
    }


def read(numbers: Numbers) -> dict[str, float]:
    """Numbers from the device, with one wait for all."""
    values = torch.stack([number.float() for number in numbers.values()]).tolist()
    return dict(zip(numbers, values, strict=True))


def mean_report(reports: Sequence[Report]) -> Report:
    """Of several updates of one batch; the clocks' numbers are those of the last."""
    numbers = {}
    for field in fields(Report):
        values = [getattr(report, field.name) for report in reports]
        told = [value for value in values if value is not None]
        numbers[field.name] = sum(told) / len(told) if told else None
    return replace(
        reports[-1],
        **{name: numbers[name] for name in numbers if name not in ("learning_rate", "beta", "entropy_weight", "passes")},
    )
