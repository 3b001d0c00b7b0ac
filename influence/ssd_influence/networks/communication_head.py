"""The communication head, which selects a symbol to send (§5, figure 3)."""

import math

from torch import Tensor, nn

from ssd_influence.networks.layers import LOGITS_GAIN, dense
from ssd_influence.networks.value_gradient import limit_value_gradient


class CommunicationHead(nn.Module):
    """π_m and V_m of one agent, on a linear embedding of its LSTM's output.

    Args:
        cells: size of the policy's LSTM.
        embedding: width of the embedding.
        symbols: V.
    """

    def __init__(self, cells: int, embedding: int, symbols: int) -> None:
        super().__init__()
        self.embedding = dense(cells, embedding, 1.0)
        self.logits = dense(embedding, symbols, LOGITS_GAIN)
        self.value = dense(embedding, 1, 1.0)

    def forward(self, h: Tensor, value_gradient_limit: float = math.inf) -> tuple[Tensor, Tensor]:
        """Logits [..., V] of the symbol, and values [...].

        Args:
            h: [..., cells] the LSTM's output.
            value_gradient_limit: limit of the value's gradient on the embedding; see
                `limit_value_gradient`.
        """
        for_policy, for_value = limit_value_gradient(self.embedding(h), value_gradient_limit)
        return self.logits(for_policy), self.value(for_value).squeeze(-1)
