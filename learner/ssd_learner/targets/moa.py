"""What the model of other agents (MOA) is trained on, and its loss on a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.networks.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)
from ssd_influence.settings import ExperimentSettings
from ssd_learner.reporting.report import Scalars
from ssd_learner.segments.batch import Batch


class MoaTargets(NamedTuple):
    """The others' actions at t+1, for T steps of B games; both [T, B, J]."""

    next_actions: Tensor  # long
    mask: Tensor  # bool: which of them count

    @classmethod
    def of(cls, batch: Batch, shape: AgentShape, experiment: ExperimentSettings) -> MoaTargets:
        """Those of a batch."""
        others, only_visible = shape.others, experiment.moa_only_when_visible
        mask = moa_targets_mask(batch.is_first, batch.visible, others, only_visible)
        return cls(moa_targets(batch.actions, others), mask)


@dataclass(frozen=True, eq=False)
class MoaLosses:
    """Scalar tensors.

    Attributes:
        loss: cross-entropy of the others' next actions in nats.
        marginal_entropy: of their actions over the same (t, j), in nats.
        targets: number of these (t, j).
    """

    loss: Tensor
    marginal_entropy: Tensor
    targets: Tensor

    @classmethod
    def of(cls, logits: Tensor, targets: MoaTargets) -> MoaLosses:
        """Those of predictions [T, B, J, A]."""
        entropy = action_marginal_entropy(*targets, logits.shape[-1])
        return cls(moa_loss(logits, *targets), entropy, targets.mask.sum())

    def scalars(self) -> Scalars:
        """For the report."""
        return {
            "moa_loss": self.loss.detach(),
            "moa_marginal_entropy": self.marginal_entropy,
            "moa_targets": self.targets,
        }
