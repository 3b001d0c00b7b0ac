"""What an agent says: the communication head on its policy's LSTM (§5, figure 3)."""

from torch import Tensor, nn

from ssd_influence.layers import LOGITS_GAIN, dense


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

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Of the LSTM's output [..., cells]: logits [..., V] of the symbol, values [...]."""
        embedded = self.embedding(h)
        return self.logits(embedded), self.value(embedded).squeeze(-1)
