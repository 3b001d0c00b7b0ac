"""What the training of one batch looked like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

Numbers = dict[str, Tensor]  # [] each, on the device, by the names of a report's fields


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
        information: of what the agent does about what it sees, before the batch was trained on,
            nats; 0 for a blind agent.
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
    information: float = 0.0
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
        """By how much the MOA knows better than the marginals, nats."""
        if self.moa_loss is None or self.moa_marginal_entropy is None:
            return None
        return self.moa_marginal_entropy - self.moa_loss

    @property
    def numbers(self) -> list[float]:
        """All that there is to tell."""
        return [value for value in astuple(self) if value is not None]


@dataclass(frozen=True)
class Weights:
    """What changes as the agent grows older.

    Attributes:
        learning_rate: of all but the model of others.
        beta: of the influence reward.
        entropy: of the policy's entropy.
    """

    learning_rate: float
    beta: float
    entropy: float


OF_THE_MOA = ("moa_loss", "moa_marginal_entropy")


def means(updates: Sequence[Numbers]) -> Numbers:
    """The mean of each number over the updates that have it."""
    names = dict.fromkeys(name for update in updates for name in update)
    return {
        name: torch.stack([update[name] for update in updates if name in update]).mean()
        for name in names
    }


def explained_variance(errors: Tensor, returns: Tensor) -> Tensor:
    """[] how much of the variance of returns a critic with these errors foresaw; at most 1."""
    return 1 - errors.var(correction=0) / returns.var(correction=0).clamp(min=1e-12)


def make_report(numbers: Numbers, weights: Weights, passes: int = 1) -> Report:
    """The report of these numbers, read from the device with one wait for all.

    Args:
        numbers: By the names of the report's fields, but for `moa_targets`: how many (t, j) the
            MOA was judged by. Where there was none, nothing is told of it.
        weights: Of what the agent's clock changes.
        passes: Made over the batch.
    """
    values = torch.stack([number.float() for number in numbers.values()]).tolist()
    told = dict(zip(numbers, values, strict=True))
    if not told.pop("moa_targets", 0):
        told = {name: value for name, value in told.items() if name not in OF_THE_MOA}
    clock = {
        "learning_rate": weights.learning_rate,
        "beta": weights.beta,
        "entropy_weight": weights.entropy,
    }
    return Report(**told, **clock, passes=passes)


def mean_report(reports: Sequence[Report]) -> Report:
    """Of several updates of one batch; what none of them tells, it does not tell."""
    told = {
        name: [value for report in reports if (value := getattr(report, name)) is not None]
        for name in vars(reports[0])
    }
    return Report(**{name: sum(of) / len(of) for name, of in told.items() if of})
