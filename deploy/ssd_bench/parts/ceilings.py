"""What the parts are compared with: the same sums in plain torch, and their matrix products alone.

In plain torch, inputs are floats in memory, nothing is sampled, sent, checked or stored, and the
losses are as simple as losses can be. All of it one after the other, on all cores at once, is what
a run could reach in plain torch. A part can exceed this where its own kernels are faster.

No part can be faster than its products would be at the speed of one large matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ssd_bench.parts import inputs
from ssd_bench.parts.timing import Part, Work
from ssd_bench.results.machine import cores
from ssd_bench.results.rows import Row
from ssd_envs.spec import game_spec

ACTING, STEPS, LEARNING = 64, 50, 32  # B when acting; T and B when learning
LARGE = 512  # rows and columns of a large matrix
GROUPS = ("torch", "products")
PRODUCTS = ("float32", "bfloat16")


def parts(game: str) -> Iterator[Part]:
    """The sums of one game's agents: a step, its counterfactuals, and an update."""
    for kind in inputs.KINDS:
        yield Part(f"torch/{game}/{kind}/act", partial(_act, game, kind))
    yield Part(f"torch/{game}/moa/counterfactuals", partial(_counterfactuals, game, False))
    yield Part(f"torch/{game}/moa/brute-force", partial(_counterfactuals, game, True))
    for kind in inputs.KINDS:
        yield Part(f"torch/{game}/{kind}/learn", partial(_learn, game, kind))
    for kind in inputs.KINDS:
        for products in PRODUCTS:
            name = f"products/{game}/{kind}/{products}/learn"
            yield Part(name, partial(_products, game, kind, products))


@dataclass(frozen=True)
class Derived:
    """A row that follows from measured ones: what workers reach that do them one after the other.

    Attributes:
        name: Of the row.
        parts: Names of the rows that it follows from.
        workers: How many work at the same time.
    """

    name: str
    parts: tuple[str, ...]
    workers: int = 1

    def row(self, known: Mapping[str, Row]) -> Row:
        """The row, with a sample for each repeat of its parts."""
        seconds = np.sum([1 / np.array(known[part].samples) for part in self.parts], axis=0)
        return Row(name=self.name, samples=tuple(self.workers / seconds))


def derived(game: str) -> Iterator[Derived]:
    """A whole step of an agent on one core, and all that a run computes, on all cores."""
    for kind in inputs.KINDS:
        act, learn = f"torch/{game}/{kind}/act", f"torch/{game}/{kind}/learn"
        extra = (f"torch/{game}/moa/counterfactuals",) if kind == "moa" else ()
        yield Derived(f"torch/{game}/{kind}/step", (act, *extra))
        yield Derived(f"torch/{game}/{kind}/run", (act, *extra, learn), workers=cores())


class _Stream(nn.Module):
    """Two dense layers, more inputs beside them, an LSTM, and heads on it."""

    def __init__(self, seen: int, hidden: int, more: int, cells: int, heads: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(seen, hidden), nn.Linear(hidden, hidden)
        self.lstm = nn.LSTM(hidden + more, cells)
        self.head = nn.Linear(cells, heads)

    def cell(self) -> nn.LSTMCell:
        """An LSTM of the same size, for single steps."""
        return nn.LSTMCell(self.lstm.input_size, self.lstm.hidden_size)

    def torso(self, seen: Tensor) -> Tensor:
        return self.fc2(self.fc1(seen).relu()).relu()  # type: ignore[no-any-return]  # of nn


class _Plain(nn.Module):
    """The paper's network in the sizes of a preset; without a MOA, half of it is not used."""

    def __init__(self, game: str, kind: str) -> None:
        super().__init__()
        config = inputs.config_for(game, kind)
        spec, sizes = game_spec(config.game), config.network
        self.agents, self.actions, self.side = spec.num_agents, spec.num_actions, spec.view
        others, everyone = (self.agents - 1) * self.actions, self.agents * self.actions
        self.shown = others if config.experiment.visible_actions else 0
        seen = sizes.conv_channels * (spec.view - 2) ** 2
        self.conv = nn.Conv2d(3, sizes.conv_channels, 3)
        self.policy = _Stream(seen, sizes.hidden, self.shown, sizes.lstm, self.actions + 1)
        self.moa = _Stream(seen, sizes.hidden, everyone, sizes.moa_lstm, others)

    def encode(self, planes: Tensor) -> Tensor:
        return self.conv(planes).relu().flatten(1)  # type: ignore[no-any-return]  # of nn


@contextmanager
def _act(game: str, kind: str) -> Iterator[Work]:
    net = _Plain(game, kind)
    cell = net.policy.cell()
    planes = torch.rand(ACTING, 3, net.side, net.side)
    shown = torch.rand(ACTING, net.shown)
    state = torch.zeros(ACTING, cell.hidden_size), torch.zeros(ACTING, cell.hidden_size)

    @torch.inference_mode()
    def call() -> None:
        seen = net.encode(planes)
        h, _ = cell(torch.cat([net.policy.torso(seen), shown], 1), state)
        net.policy.head(h)
        if kind == "moa":
            net.moa.torso(seen)

    yield Work(call, ACTING)


@contextmanager
def _counterfactuals(game: str, brute_force: bool) -> Iterator[Work]:
    """The gates once without the agent's own action, each of which then adds one column.

    By brute force: a whole step for each action, and one for the action that was taken.
    """
    net = _Plain(game, "moa")
    cell = net.moa.cell()
    rows = torch.rand(ACTING, cell.input_size)
    h, c = torch.rand(ACTING, cell.hidden_size), torch.rand(ACTING, cell.hidden_size)
    columns = cell.weight_ih[:, -net.actions :].t().contiguous()

    @torch.inference_mode()
    def call() -> None:
        cell(rows, (h, c))  # what really happened
        if brute_force:
            for _ in range(net.actions):
                net.moa.head(cell(rows, (h, c))[0])
            return
        gates = nn.functional.linear(rows, cell.weight_ih, cell.bias_ih)
        gates += nn.functional.linear(h, cell.weight_hh, cell.bias_hh)
        i, f, g, o = (gates[:, None] + columns).chunk(4, -1)
        cells = f.sigmoid() * c[:, None] + i.sigmoid() * g.tanh()
        net.moa.head(o.sigmoid() * cells.tanh())

    yield Work(call, ACTING)


@contextmanager
def _learn(game: str, kind: str) -> Iterator[Work]:
    net = _Plain(game, kind)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-9, fused=True)
    planes = torch.rand((STEPS + 1) * LEARNING, 3, net.side, net.side)
    shown = torch.rand(STEPS + 1, LEARNING, net.shown)
    everyone = torch.rand(STEPS + 1, LEARNING, net.agents * net.actions)

    def unroll(stream: _Stream, seen: Tensor, beside: Tensor) -> Tensor:
        features = stream.torso(seen).view(STEPS + 1, LEARNING, -1)
        outputs, _ = stream.lstm(torch.cat([features, beside], -1))
        return stream.head(outputs)  # type: ignore[no-any-return]  # of nn

    def call() -> None:
        optimizer.zero_grad(set_to_none=True)
        seen = net.encode(planes)
        loss = unroll(net.policy, seen, shown).square().mean()
        if kind == "moa":
            logits = unroll(net.moa, seen, everyone).view(-1, net.actions)
            loss = loss - logits.log_softmax(-1)[:, 0].mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    yield Work(call, STEPS * LEARNING)


@contextmanager
def _products(game: str, kind: str, products: str) -> Iterator[Work]:
    """A large matrix product, counted as the own-steps that take as much arithmetic to train on."""
    dtype = getattr(torch, products)
    left, right = (torch.rand(LARGE, LARGE).to(dtype) for _ in range(2))
    out = torch.empty(LARGE, LARGE, dtype=dtype)
    own_steps = 2 * LARGE**3 / flop_of_learning(game, kind)
    yield Work(lambda: torch.mm(left, right, out=out), own_steps)


def flop_of_learning(game: str, kind: str) -> int:
    """Floating-point operations in the matrix products of one own-step, forwards and backwards.

    A weight is in one product forwards and in two backwards: of its inputs' gradient, and of its
    own. Those of the convolution are used in every window, and its inputs need no gradient.
    """
    net = _Plain(game, kind)
    streams = (net.policy, net.moa) if kind == "moa" else (net.policy,)
    weights = (one for stream in streams for one in stream.parameters() if one.dim() > 1)
    windows = (net.side - 2) ** 2
    return 2 * (3 * sum(map(Tensor.numel, weights)) + 2 * windows * net.conv.weight.numel())
