"""The run file's [learning]: how one agent learns from its segments."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LearningSettings(BaseModel):
    """Advantage actor-critic with V-trace. Clocks count own-steps: agent-steps of this agent.

    The paper names γ-discounted A3C, the learning rates and the entropy weights; the optimizer, the
    value coefficient, the clips and the batch are ours.

    Args:
        gamma: Discount per step.
        optimizer: "adam" or "rmsprop".
        lr_init: Learning rate at the start.
        lr_end: Learning rate once annealed, and from then on.
        lr_anneal: Own-steps over which it goes linearly from `lr_init` to `lr_end`.
        entropy: Weight of the policy's entropy at the start.
        entropy_end: Its weight once annealed, and from then on; as at the start if not given.
        entropy_anneal: Own-steps over which it goes linearly from `entropy` to `entropy_end`.
        communication_entropy: Weight of the entropy of what is said, in the communication head's
            loss (§5).
        value_coefficient: Weight of the value losses.
        gradient_clip: Largest norm of an update's gradient.
        rho_clip: V-trace's ρ̄, the clip of the importance weights in its targets.
        c_clip: V-trace's c̄, the clip of those in its traces.
        batch_segments: Most segments taken at once: those that have arrived; none is waited for.
        update_games: Most games in one update; what was taken is trained in as many updates, one
            after the other, as that makes.
        checkpoint_seconds: Longest time between checkpoints while there is news.
        checkpoints_kept: How many of the newest checkpoints stay on disk.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gamma: float = Field(default=0.99, ge=0, lt=1)
    optimizer: Literal["adam", "rmsprop"] = "adam"
    lr_init: float = Field(default=0.00126, gt=0)
    lr_end: float = Field(default=0.000012, ge=0)
    lr_anneal: float = Field(default=3e8, gt=0)
    entropy: float = Field(default=0.00176, ge=0)
    entropy_end: float | None = Field(default=None, ge=0)
    entropy_anneal: float = Field(default=3e8, gt=0)
    communication_entropy: float = Field(default=0.001, ge=0)
    value_coefficient: float = Field(default=0.5, ge=0)
    gradient_clip: float = Field(default=40.0, gt=0)
    rho_clip: float = Field(default=1.0, gt=0)
    c_clip: float = Field(default=1.0, gt=0)
    batch_segments: int = Field(default=1, ge=1, le=1024)
    update_games: int = Field(default=24, ge=1, le=1_048_576)
    checkpoint_seconds: float = Field(default=15.0, gt=0)
    checkpoints_kept: int = Field(default=2, ge=1)

    def learning_rate_at(self, own_steps: int) -> float:
        """The learning rate of an update that starts after this many own-steps."""
        return _annealed(self.lr_init, self.lr_end, own_steps / self.lr_anneal)

    def entropy_at(self, own_steps: int) -> float:
        """The weight of the policy's entropy in an update that starts after so many own-steps."""
        end = self.entropy if self.entropy_end is None else self.entropy_end
        return _annealed(self.entropy, end, own_steps / self.entropy_anneal)


def _annealed(start: float, end: float, progress: float) -> float:
    """A straight line from start to end, where it stays."""
    return start + (end - start) * min(1.0, progress)
