"""All that is not overridden here stays as it is: LSTMs, heads, what is told of the others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ssd_influence.networks.agent_network import AgentNetwork, Features
from ssd_influence.networks.agent_shape import KERNEL_SIZE, AgentShape
from ssd_influence.networks.layers import Torso
from ssd_influence.settings import ExperimentSettings, NetworkSettings


class TwoConvolutions(AgentNetwork):
    """Sees with two layers of 3×3 windows instead of one.

    `[network] own` may set `channels`, those of the second; 12 by default.
    """

    def __init__(
        self, shape: AgentShape, network: NetworkSettings, experiment: ExperimentSettings
    ) -> None:
        super().__init__(shape, network, experiment)
        channels = int(network.own.get("channels", 12))
        self.second = nn.Conv2d(network.conv_channels, channels, KERNEL_SIZE)
        seen = channels * (shape.view - 2 * (KERNEL_SIZE - 1)) ** 2
        self.policy.torso = Torso(seen, network.hidden)
        if self.moa is not None:
            self.moa.torso = Torso(seen, network.hidden)

    def features(self, pixels: Tensor) -> Features:
        """What policy and MOA make of views: [..., V, V] uint8 → [..., hidden] each."""
        before = pixels.shape[:-2]
        rgb = self.palette[pixels.flatten(0, -3).int()].permute(0, 3, 1, 2)
        seen = torch.relu(self.second(torch.relu(self.conv(rgb)))).flatten(1)

        def made_of_it(torso: Torso) -> Tensor:
            return torso(torch.relu(torso.fc1(seen))).view(*before, -1)  # type: ignore[no-any-return]

        moa = None if self.moa is None else made_of_it(self.moa.torso)
        return Features(made_of_it(self.policy.torso), moa)
