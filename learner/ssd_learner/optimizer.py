"""The optimizer, and the groups of parameters that are clipped and scheduled together."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ssd_learner.settings import LearningSettings

MOMENTS = {"adam": ("exp_avg", "exp_avg_sq"), "rmsprop": ("square_avg",)}  # torch's names
VALUE_HEADS = ("policy.value.", "policy.communication.value.")


def parameter_groups(
    network: nn.Module, learning: LearningSettings
) -> dict[str, list[nn.Parameter]]:
    """The network's parameters by "policy", "value" and "moa"; no group is empty.

    V-trace trains the value heads with the policy.
    """
    groups: dict[str, list[nn.Parameter]] = {"policy": [], "value": [], "moa": []}
    for name, parameter in network.named_parameters():
        if name.startswith("moa."):
            groups["moa"].append(parameter)
        elif name.startswith(VALUE_HEADS) and learning.algorithm == "ppo":
            groups["value"].append(parameter)
        else:
            groups["policy"].append(parameter)
    return {name: parameters for name, parameters in groups.items() if parameters}


def make_optimizer(
    learning: LearningSettings, groups: Mapping[str, list[nn.Parameter]]
) -> torch.optim.Optimizer:
    """AdamW or RMSprop over named groups of parameters."""
    named = [{"params": parameters, "name": name} for name, parameters in groups.items()]
    if learning.optimizer == "adam":
        decay = learning.weight_decay if learning.algorithm == "ppo" else 0.0
        return torch.optim.AdamW(named, lr=learning.lr_init, weight_decay=decay, fused=True)
    return torch.optim.RMSprop(named, lr=learning.lr_init, foreach=True)
