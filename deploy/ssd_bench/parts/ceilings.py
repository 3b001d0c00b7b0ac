"""What the parts are held against: the same sums in plain torch, with nothing else to pay.

Inputs lie ready as floats, nothing is drawn, sent, checked or written down, and losses are as
simple as losses can be. A run cannot do without any of what is measured here, so all of it one
after the other, on all cores at once, is what a run could reach in plain torch. A part may well
exceed its ceiling: where its own kernels beat torch's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ssd_bench.parts import plans
from ssd_bench.parts.plans import Kind
from ssd_bench.parts.timing import Part, Work
from ssd_bench.results.machine import cores
from ssd_bench.results.rows import Row, one_after_the_other

GAMES_AIM = "aim/games"
PASS_AIM = "aim/pass"  # noqa: S105 - no password: what the products of a pass take at the speed of `torch/sgemm`
ENV_STEPS = 250_000  # per second and core, with all views: what the games are to reach
ACTING, STEPS, LEARNING = 64, 50, 32  # B when acting; T and B when learning
SGEMM = 512  # rows and columns


def parts(game: str) -> Iterator[Part]:
    """One game's, and the bare matrix product under them all."""
    yield Part("torch/sgemm", _sgemm)
    for kind in plans.KINDS:
        yield Part(f"torch/{game}/{kind}/act", partial(_acting, game, kind))
    yield Part(f"torch/{game}/moa/imagine", partial(_imagining, game))
    for kind in plans.KINDS:
        yield Part(f"torch/{game}/{kind}/learn", partial(_learning, game, kind))


def sums(game: str) -> Mapping[str, tuple[tuple[str, ...], int]]:
    """Rows that follow from others, which are done one after the other on so many cores."""
    act, learn = f"torch/{game}/baseline/act", f"torch/{game}/baseline/learn"
    moa = f"torch/{game}/moa"
    return {
        f"{moa}/live": ((f"{moa}/act", f"{moa}/imagine"), 1),
        f"torch/{game}/baseline/run": ((act, learn), cores()),
        f"{moa}/run": ((f"{moa}/act", f"{moa}/imagine", f"{moa}/learn"), cores()),
    }


def needed(name: str, game: str) -> tuple[str, ...]:
    """The parts that must be measured to know this row."""
    return ("torch/sgemm",) if name.startswith(PASS_AIM) else sums(game).get(name, ((name,), 1))[0]


def derived(rows: Iterable[Row], game: str) -> Iterator[Row]:
    """The rows that follow from these, as far as they do, and what the games are to reach."""
    known = {row.name: row for row in rows}
    aims = {row.ceiling for row in known.values()}
    for name, (chain, at_once) in sums(game).items():
        if all(link in known for link in chain):
            yield one_after_the_other(name, [known[link] for link in chain], at_once)
    for kind in plans.KINDS:
        if (name := f"{PASS_AIM}/{game}/{kind}") in aims:
            gigaflop = 1e-9 * _flop(game, kind)
            yield Row(name=name, samples=tuple(s / gigaflop for s in known["torch/sgemm"].samples))
    if (name := f"{GAMES_AIM}/{game}") in aims:
        agents = plans.plan_for(game, "baseline").game.agents
        also = {"env-steps/s": (float(ENV_STEPS),)}
        yield Row(name=name, samples=(float(ENV_STEPS * agents),), also=also)


def _flop(game: str, kind: Kind) -> float:
    """Of one own-step, there and back: each weight is in one product there, and in two back.

    But for the convolution's, which are used in each window, and where no gradient goes on to the
    views.
    """
    net = _Plain(game, kind)
    streams = [net.policy] if kind == "baseline" else [net.policy, net.moa]
    weights = (weight for stream in streams for weight in stream.parameters() if weight.dim() > 1)
    cells = (
        weight for stream in streams for weight in stream.cell.parameters() if weight.dim() > 1
    )
    dense = sum(w.numel() for w in weights) - sum(w.numel() for w in cells)  # as much as `lstm`
    return 2.0 * (3 * dense + 2 * (net.side - 2) ** 2 * net.conv.weight.numel())


class _Stream(nn.Module):
    """Two dense layers, more inputs beside them, an LSTM, and heads on it."""

    def __init__(self, seen: int, hidden: int, more: int, cells: int, heads: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(seen, hidden), nn.Linear(hidden, hidden)
        self.cell = nn.LSTMCell(hidden + more, cells)
        self.lstm = nn.LSTM(hidden + more, cells)
        self.head = nn.Linear(cells, heads)

    def torso(self, seen: Tensor) -> Tensor:
        return self.fc2(self.fc1(seen).relu()).relu()  # type: ignore[no-any-return]  # of nn


class _Plain(nn.Module):
    """The paper's network in the sizes of a preset; without a MOA, half of it is not used."""

    def __init__(self, game: str, kind: Kind) -> None:
        super().__init__()
        plan = plans.plan_for(game, kind)
        spec, sizes = plans.spec_of(plan), plan.network
        self.agents, self.actions, self.side = spec.num_agents, spec.num_actions, spec.view
        self.others = (self.agents - 1) * self.actions
        self.cells = sizes.lstm
        self.shown = self.others if plan.experiment.visible_actions else 0
        seen = sizes.conv_channels * (spec.view - 2) ** 2
        self.conv = nn.Conv2d(3, sizes.conv_channels, 3)
        self.policy = _Stream(seen, sizes.hidden, self.shown, sizes.lstm, self.actions + 1)
        everyone = self.agents * self.actions
        self.moa = _Stream(seen, sizes.hidden, everyone, sizes.moa_lstm, self.others)

    def see(self, planes: Tensor) -> Tensor:
        return self.conv(planes).relu().flatten(1)  # type: ignore[no-any-return]  # of nn


@contextmanager
def _acting(game: str, kind: Kind) -> Iterator[Work]:
    net = _Plain(game, kind)
    planes = torch.rand(ACTING, 3, net.side, net.side)
    shown = torch.rand(ACTING, net.shown)
    state = torch.zeros(ACTING, net.cells), torch.zeros(ACTING, net.cells)

    @torch.inference_mode()
    def go() -> None:
        seen = net.see(planes)
        h, _ = net.policy.cell(torch.cat([net.policy.torso(seen), shown], 1), state)
        net.policy.head(h)
        if kind == "moa":
            net.moa.torso(seen)

    yield Work(go, ACTING)


@contextmanager
def _imagining(game: str) -> Iterator[Work]:
    """The gates once for all but the own action; each own action then adds one column."""
    net = _Plain(game, "moa")
    cell = net.moa.cell
    inputs = torch.rand(ACTING, cell.input_size)
    h, c = torch.rand(ACTING, cell.hidden_size), torch.rand(ACTING, cell.hidden_size)
    columns = cell.weight_ih[:, -net.actions :].t().contiguous()

    @torch.inference_mode()
    def go() -> None:
        cell(inputs, (h, c))  # what really happened
        gates = nn.functional.linear(inputs, cell.weight_ih, cell.bias_ih)
        gates += nn.functional.linear(h, cell.weight_hh, cell.bias_hh)
        i, f, g, o = (gates[:, None] + columns).chunk(4, -1)
        imagined = f.sigmoid() * c[:, None] + i.sigmoid() * g.tanh()
        net.moa.head(o.sigmoid() * imagined.tanh())

    yield Work(go, ACTING)


@contextmanager
def _learning(game: str, kind: Kind) -> Iterator[Work]:
    net = _Plain(game, kind)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-9, fused=True)
    planes = torch.rand((STEPS + 1) * LEARNING, 3, net.side, net.side)
    shown = torch.rand(STEPS + 1, LEARNING, net.shown)
    everyone = torch.rand(STEPS + 1, LEARNING, net.agents * net.actions)

    def stream(part: _Stream, seen: Tensor, beside: Tensor) -> Tensor:
        features = part.torso(seen).view(STEPS + 1, LEARNING, -1)
        outputs, _ = part.lstm(torch.cat([features, beside], -1))
        return part.head(outputs)  # type: ignore[no-any-return]  # of nn

    def go() -> None:
        optimizer.zero_grad(set_to_none=True)
        seen = net.see(planes)
        loss = stream(net.policy, seen, shown).square().mean()
        if kind == "moa":
            logits = stream(net.moa, seen, everyone).view(-1, net.actions)
            loss = loss - logits.log_softmax(-1)[:, 0].mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    yield Work(go, STEPS * LEARNING)


@contextmanager
def _sgemm() -> Iterator[Work]:
    a, b, out = torch.rand(SGEMM, SGEMM), torch.rand(SGEMM, SGEMM), torch.empty(SGEMM, SGEMM)
    yield Work(lambda: torch.mm(a, b, out=out), 2e-9 * SGEMM**3, unit="GFLOP")
