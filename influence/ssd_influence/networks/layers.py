"""Layers that the policy and the model of other agents share.

Weights are initialised as follows, from torch's global generator. Convolution and dense layers:
orthogonal, gain √2 before a ReLU, biases 0. LSTM: PyTorch's uniform ±1/√cells, with a forget
bias of 1. Heads: orthogonal with gain 0.01 for logits (every policy and prediction starts near
uniform) and 1 for the value.
"""

import math

import torch
from torch import Tensor, nn

RELU_GAIN = math.sqrt(2)
LOGITS_GAIN = 0.01


def dense(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """A linear layer with orthogonal weights of this gain, and zero biases."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def one_hot(actions: Tensor, num_actions: int) -> Tensor:
    """Actions as bools, one for each agent and action: [..., J] integer → [..., J, A] bool."""
    each = torch.arange(num_actions, dtype=actions.dtype, device=actions.device)
    return actions.unsqueeze(-1) == each


class Torso(nn.Module):
    """Two dense layers with ReLU. `encode_views` computes the first, for all torsos at once."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = dense(inputs, hidden, RELU_GAIN)
        self.fc2 = dense(hidden, hidden, RELU_GAIN)

    def forward(self, encoded: Tensor) -> Tensor:
        """[..., hidden] the output of the first layer → [..., hidden]."""
        return torch.relu_(self.fc2(encoded))
