"""A custom network. What it does not override stays: LSTMs, heads, inputs about other agents."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ssd_influence.networks.agent_network import AgentNetwork, Features
from ssd_influence.networks.agent_shape import KERNEL_SIZE, AgentShape
from ssd_influence.networks.layers import Torso
from ssd_influence.networks.moa_gradient import scale_gradient
from ssd_influence.settings import ExperimentSettings, NetworkSettings


class TwoConvolutions(AgentNetwork):
    """Has two 3×3 convolutions instead of one.

    `[network] own` may set `channels`, the number of channels of the second; 12 by default.
    """

    def __init__(
        self, shape: AgentShape, network: NetworkSettings, experiment: ExperimentSettings
    ) -> None:
        super().__init__(shape, network, experiment)
        channels = int(network.own.get("channels", 12))
        self.conv2 = nn.Conv2d(network.conv_channels, channels, KERNEL_SIZE)
        inputs = channels * (shape.view - 2 * (KERNEL_SIZE - 1)) ** 2
        self.policy.torso = Torso(inputs, network.hidden)
        if self.moa is not None:
            self.moa.torso = Torso(inputs, network.hidden)

    def features(self, pixels: Tensor) -> Features:
        """The features of views for policy and MOA: [..., V, V] uint8 → [..., hidden] each."""
        leading_axes = pixels.shape[:-2]
        rgb = self.palette[pixels.flatten(0, -3).int()].permute(0, 3, 1, 2)
        convolved = torch.relu(self.conv2(torch.relu(self.conv(rgb)))).flatten(1)

        def features_of(torso: Torso, inputs: Tensor) -> Tensor:
            features: Tensor = torso(torch.relu(torso.fc1(inputs)))
            return features.view(*leading_axes, -1)

        policy, moa = features_of(self.policy.torso, convolved), None
        if self.moa is not None:
            shared = scale_gradient(convolved, self.experiment.moa_weight)
            moa = features_of(self.moa.torso, shared)
        return Features(policy, moa)
