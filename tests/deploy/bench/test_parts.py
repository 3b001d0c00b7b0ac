"""The parts that `ssd-bench` measures, in tiny sizes, and how it chooses among them."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssd_bench.parts import ceilings, games, inputs, learner
from ssd_bench.parts.selection import choose, every_part, with_ceilings
from ssd_bench.parts.timing import Part, Work, measure
from ssd_bench.results.rows import Result, Row
from ssd_influence.inference.kernel_inference import KernelInference
from ssd_influence.networks.lstm import LstmState


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(inputs, "GAMES", (2, 3))
    monkeypatch.setattr(games, "GAMES", 2)
    monkeypatch.setattr(ceilings, "ACTING", 2)
    monkeypatch.setattr(ceilings, "STEPS", 3)
    monkeypatch.setattr(ceilings, "LEARNING", 2)
    monkeypatch.setattr(ceilings, "LARGE", 16)
    monkeypatch.setattr(learner, "LANE", 2)
    monkeypatch.setattr(learner, "BATCHES", ((3, 4), (4, 2)))
    monkeypatch.setattr(learner, "MINIBATCHES", ((3, 4),))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("game", inputs.PLAYED)
def test_every_part_runs_and_gives_a_positive_figure(game):
    parts = choose((game,), ("*",), ())
    rows = measure(parts, repeats=2, seconds=0)
    assert [row.name for row in rows] == list(every_part([game]))
    for row in rows:
        figures = [*row.samples, *(sample for each in row.also.values() for sample in each)]
        assert min(figures) > 0, row
        assert len(row.samples) == 2


@pytest.mark.usefixtures("tiny")
def test_every_row_with_a_ceiling_has_a_share_of_it():
    parts = choose(inputs.PLAYED, ("act/*/B2", "step/*/B2", "vtrace/*/T3*", "ppo/*/float32/*"), ())
    rows = with_ceilings(measure(parts, repeats=1, seconds=0))
    result = Result(machine={}, settings={}, rows=rows)
    rates = {row.name: row.rate for row in rows}
    compared = [row for row in rows if row.ceiling is not None]
    assert len(compared) == 2 * (1 + 2 + 2 + 2)
    for row in compared:
        assert result.share(row) == pytest.approx(row.rate / rates[row.ceiling])


def test_a_sequence_of_parts_takes_the_sum_of_their_times():
    known = {"a": Row(name="a", samples=(10.0, 20.0)), "b": Row(name="b", samples=(40.0, 20.0))}
    one = ceilings.Derived("c", ("a", "b")).row(known)
    assert one.samples == (pytest.approx(8.0), pytest.approx(10.0))
    two = ceilings.Derived("c", ("a", "b"), workers=2).row(known)
    assert two.samples == (pytest.approx(16.0), pytest.approx(20.0))


def brute_force(model, features, actions, is_first, state):
    """[B, A, J, A] logits of the others' next actions, by one step for each own action."""
    logits = []
    for own_action in range(model.num_actions):
        counterfactual = actions.clone()
        counterfactual[:, model.agent] = own_action
        logits.append(model.step(features, counterfactual, is_first, state).logits)
    return torch.stack(logits, 1)


def test_an_actors_counterfactuals_equal_those_of_brute_force():
    config = inputs.config_for("cleanup", "moa", games=6)
    network = inputs.agent_of(config).network
    with torch.no_grad():
        network.moa.logits.weight.mul_(500)
    timestep = inputs.timesteps("cleanup", 6)[0]
    inference = KernelInference(network, 6)
    state = inference.initial_state()
    state.moa[:] = np.random.default_rng(1).normal(size=state.moa.shape)
    before = LstmState(*torch.from_numpy(state.moa.copy()).chunk(2, -1))
    is_first, noise = np.array([False, True] * 3), np.ones((6, 9), np.float32)
    inference.decide(timestep.pixels, timestep.actions, is_first, noise, state)
    found = torch.from_numpy(
        inference.predict_others(timestep.actions, is_first, state, np.arange(6))
    )
    happened = (torch.from_numpy(timestep.actions), torch.from_numpy(is_first), before)
    with torch.inference_mode():
        features = network.features(torch.from_numpy(timestep.pixels)).moa
        brute = brute_force(network.moa, features, *happened)
        factorised = network.moa.counterfactuals(features, *happened).logits
    assert brute.shape == (6, 9, 4, 9)
    assert brute.std() > 0.1
    torch.testing.assert_close(factorised, brute, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.view_as(brute), brute, rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(("kind", "lstms"), [("baseline", [32]), ("moa", [32 + 4 * 9, 32 + 5 * 9])])
def test_the_arithmetic_of_learning_is_what_torch_counts(kind, lstms):
    with ceilings._learn("cleanup", kind) as work, FlopCounterMode(display=False) as counter:
        work.call()
    counted = counter.get_total_flops() / (2 * (3 + 1))  # games, and steps with the one after them
    not_counted = sum(3 * 2 * 4 * 128 * (seen + 128) for seen in lstms)  # torch leaves LSTMs out
    assert ceilings.flop_of_learning("cleanup", kind) == pytest.approx(counted + not_counted)


def test_only_requested_parts_and_their_ceilings_are_measured():
    names = {part.name for part in choose(("cleanup",), ("step/*/moa/B64",), ())}
    assert names == {
        "step/cleanup/moa/B64",
        "torch/cleanup/moa/act",
        "torch/cleanup/moa/counterfactuals",
    }


def test_the_ceiling_of_a_run_includes_all_of_its_work_in_plain_torch():
    names = {part.name for part in choose((), (), ["torch/harvest/moa/run"])}
    assert names == {f"torch/harvest/moa/{what}" for what in ("act", "counterfactuals", "learn")}


def test_a_pattern_that_matches_no_part_selects_nothing():
    assert choose(inputs.PLAYED, ("no such part",), ()) == []


def part_of(name, log):
    @contextmanager
    def prepare():
        log.append(f"make {name}")
        yield Work(lambda: log.append(name), amount=10, also={"things": 3})
        log.append(f"clear {name}")

    return Part(name, prepare)


def test_parts_are_measured_in_turns_and_all_are_cleaned_up():
    log = []
    measure([part_of(name, log) for name in "ab"], 3, 0, clock=_ticking())
    turns = [name for name, before in zip(log[1:], log, strict=False) if name != before]
    assert turns[0] == "make b"
    assert turns[1:-2] == ["a", "b"] * 4  # once to try, three times to measure
    assert turns[-2:] == ["clear b", "clear a"]


def test_a_rate_is_the_amount_by_the_clock():
    (row,) = measure([part_of("a", [])], repeats=4, seconds=0, clock=_ticking(step=0.5))
    assert row.samples == (20.0,) * 4
    assert row.also == {"things/s": (6.0,) * 4}


def _ticking(step=1.0):
    """A clock that moves on by a step whenever it is read."""
    ticks = count()
    return lambda: step * next(ticks)
