"""The parts that `ssd-bench` measures, in tiny sizes, and how it chooses among them."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from ssd_bench.parts import actor, ceilings, games, inputs, learner, messages, plans
from ssd_bench.parts.selection import choose, every_part, with_ceilings
from ssd_bench.parts.timing import Part, Work, measure
from ssd_bench.results.rows import with_shares
from ssd_influence.inference.kernel_inference import Inference
from ssd_influence.networks.lstm import LstmState


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(plans, "GAMES", (2, 3))
    monkeypatch.setattr(messages, "GAMES", (3,))
    monkeypatch.setattr(games, "GAMES", 2)
    monkeypatch.setattr(ceilings, "ACTING", 2)
    monkeypatch.setattr(ceilings, "STEPS", 3)
    monkeypatch.setattr(ceilings, "LEARNING", 2)
    monkeypatch.setattr(learner, "LANE", 2)
    monkeypatch.setattr(learner, "BATCHES", ((3, 4), (4, 2)))
    monkeypatch.setattr(learner, "MINIBATCHES", ((3, 4),))
    monkeypatch.setattr(learner, "LISTENERS", (1, 3))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("game", plans.PLAYED)
def test_every_part_runs_and_gives_a_positive_figure(game):
    parts = choose((game,), ("*",), ())
    rows = measure(parts, repeats=2, seconds=0)
    assert [row.name for row in rows] == list(every_part(game))
    for row in rows:
        figures = [*row.samples, *(sample for each in row.also.values() for sample in each)]
        assert min(figures) > 0, row
        assert len(row.samples) == 2


@pytest.mark.usefixtures("tiny")
def test_every_row_with_a_ceiling_has_a_share_of_it():
    parts = choose(plans.PLAYED, ("games/*", "live/*/B2", "learn/*/T3*", "pass/*/float32/*"), ())
    rows = with_shares(with_ceilings(measure(parts, repeats=1, seconds=0)))
    rates = {row.name: row.rate for row in rows}
    held = [row for row in rows if row.ceiling is not None]
    assert len(held) == 2 * (2 + 2 + 2 + 2)
    for row in held:
        assert row.share == pytest.approx(row.rate / rates[row.ceiling])


def test_all_ways_to_imagine_give_the_same():
    plan = plans.plan_for("cleanup", "moa", games=6)
    network = inputs.mind_of(plan).network
    with torch.no_grad():
        network.moa.logits.weight.mul_(500)
    seen = inputs.timesteps("cleanup", 6)[0]
    inference = Inference(network, 6)
    state = inference.fresh_state()
    state.moa[:] = np.random.default_rng(1).normal(size=state.moa.shape)
    before = LstmState(*torch.from_numpy(state.moa.copy()).chunk(2, -1))
    is_first = np.array([False, True] * 3)
    inference.decide(seen.pixels, seen.actions, is_first, np.ones((6, 9), np.float32), state)
    recalled = inference.recall(seen.actions, is_first, state, np.arange(6))
    with torch.inference_mode():
        features = network.features(torch.from_numpy(seen.pixels)).moa
    happened = (torch.from_numpy(seen.actions), torch.from_numpy(is_first), before)
    brute = actor.brute_force(network.moa, features, *happened)
    assert brute.shape == (6, 9, 4, 9)
    assert brute.std() > 0.1
    close = {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(actor.factorised(network.moa, features, *happened), brute, **close)
    torch.testing.assert_close(torch.from_numpy(recalled).view_as(brute), brute, **close)


def test_only_what_is_asked_for_is_measured_and_what_it_is_held_against():
    names = {part.name for part in choose(("cleanup",), ("live/*/moa/B64",), ())}
    assert names == {
        "live/cleanup/moa/B64",
        "torch/cleanup/moa/act",
        "torch/cleanup/moa/imagine",
    }


def test_a_run_is_held_against_all_that_it_must_do_in_plain_torch():
    names = {part.name for part in choose((), (), ["torch/harvest/moa/run"])}
    assert names == {f"torch/harvest/moa/{what}" for what in ("act", "imagine", "learn")}


def test_nothing_is_measured_that_nobody_asked_for():
    assert choose(plans.PLAYED, ("no such part",), ()) == []


def part_of(name, log, clock):
    @contextmanager
    def prepare():
        log.append(f"make {name}")
        yield Work(lambda: log.append(name), amount=10, also={"things": 3}, clock=clock)
        log.append(f"clear {name}")

    return Part(name, prepare)


def test_parts_take_turns_and_all_are_cleared_away():
    log = []
    measure([part_of(name, log, _ticking()) for name in "ab"], 3, 0)
    turns = [name for name, before in zip(log[1:], log, strict=False) if name != before]
    assert turns[0] == "make b"
    assert turns[1:-2] == ["a", "b"] * 4  # once to try, three times to measure
    assert turns[-2:] == ["clear b", "clear a"]


def test_a_rate_is_the_amount_by_the_parts_own_clock():
    (row,) = measure([part_of("a", [], _ticking(step=0.5))], repeats=4, seconds=0)
    assert row.samples == (20.0,) * 4
    assert row.also == {"things/s": (6.0,) * 4}


def _ticking(step=1.0):
    """A clock that moves on by a step whenever it is read."""
    now = 0.0

    def clock():
        nonlocal now
        now += step
        return now

    return clock
