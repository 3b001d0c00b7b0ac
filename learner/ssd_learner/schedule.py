"""Coefficients that change with the number of own-steps trained on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScheduledValues:
    """Their values at one moment.

    Attributes:
        learning_rate: of all weights but those of the model of others.
        beta: weight of the influence reward.
        entropy_weight: weight of the policy's entropy in the loss.
    """

    learning_rate: float
    beta: float
    entropy_weight: float
