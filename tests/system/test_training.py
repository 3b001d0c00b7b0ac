"""Runs from start to end, and resumed runs."""

import json

import pytest
from safetensors import safe_open

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine


def test_a_run_trains_all_steps_of_every_agent_and_its_account_adds_up(start):
    # Enough games that agents see each other in every update: otherwise influence is 0.
    run = start("harvest-moa", "--steps", "24000", "--seed", "3", "--set", "run.games=24")

    assert run.process.wait(timeout=120) == 0, run.output

    summary = run.summary
    assert summary["ended"] == "complete"
    assert summary["agent_steps"] >= 24000
    assert all(updates > 0 for updates in summary["updates"])
    assert summary["account_adds_up"], summary["account_faults"]
    assert summary["segments"]["made"] > 0
    assert summary["segments"]["lost"] == summary["segments"]["missing"] == 0
    assert summary["collective_return"] is not None
    for agent in range(2):
        assert list((run.dir / "checkpoints" / f"agent-{agent}").glob("*.safetensors"))
    lines = [json.loads(line) for line in (run.dir / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["collective_return"] is not None
    said = [line["influence_nats"] for line in lines if None not in line["influence_nats"]]
    assert all(max(of_one_agent) > 0 for of_one_agent in zip(*said, strict=True))
    assert list((run.dir / "tensorboard").glob("events*"))


def test_a_stopped_run_continues_where_it_was(start):
    first = start("cleanup-moa", "--set", "experiment.beta_ramp=1e6")
    first.wait_until("a first checkpoint", lambda: first.steps() > 4000)
    assert first.interrupt() == 0, first.output
    before = [_newest(first.dir, agent) for agent in range(2)]
    steps = first.summary["agent_steps"]
    assert steps == sum(clocks["own_steps"] for clocks in before)

    second = start("--resume", "--steps", str(steps + 4000), small=False)
    assert second.process.wait(timeout=120) == 0, second.output

    assert steps + 4000 <= second.summary["agent_steps"] < steps + 8000
    assert second.summary["account_adds_up"], second.summary["account_faults"]
    for agent in range(2):
        clocks = _newest(second.dir, agent)
        assert clocks["version"] > before[agent]["version"]
        assert clocks["counts"]["trained"] > before[agent]["counts"]["trained"]
    line = json.loads((second.dir / "metrics.jsonl").read_text().splitlines()[-1])
    for beta, own_steps in zip(line["beta"], line["own_steps"], strict=True):
        assert 0.62 * (own_steps - 2000) / 1e6 < beta < 0.62 * own_steps / 1e6


def _newest(run_dir, agent):
    path = max((run_dir / "checkpoints" / f"agent-{agent}").glob("update-*.safetensors"))
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["progress"])
