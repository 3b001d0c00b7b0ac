"""What an agent says: the communication head on its policy's LSTM (§5, figure 3)."""

import math

from torch import Tensor, nn

from ssd_influence.networks.layers import LOGITS_GAIN, dense
from ssd_influence.networks.value_gradient import bounded_pull


class CommunicationHead(nn.Module):
    """π_m and V_m of one agent, by way of a linear embedding.

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

    def forward(self, h: Tensor, value_pull: float = math.inf) -> tuple[Tensor, Tensor]:
        """Of the LSTM's output [..., cells]: logits [..., V] of the symbol, values [...].

        Args:
            h: the output.
            value_pull: bound of the value's gradient on the embedding; see `bounded_pull`.
        """
        for_policy, for_value = bounded_pull(self.embedding(h), value_pull)
        return self.logits(for_policy), self.value(for_value).squeeze(-1)
