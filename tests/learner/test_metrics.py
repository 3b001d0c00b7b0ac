"""What a learner serves to Prometheus."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.learner.harness import ACTOR, Harness

from ssd_envs.spec import GameSettings
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.build import RunSections, build_trainer, resume
from ssd_learner.checkpoints import checkpointer
from ssd_learner.settings import LearningSettings
from ssd_wire.run_file import RunSettings

STEPS_OF_A_SEGMENT = 8 * 5
SIZES = NetworkSettings(conv_channels=2, hidden=13, lstm=12, moa_lstm=14)
MOA = {"moa_loss_nats", "moa_marginal_entropy_nats", "moa_margin_nats", "moa_gradient_norm"}
SYMBOLS = {"symbol_policy_loss", "symbol_value_loss", "symbol_entropy_nats"}
INFLUENCE = {"beta", "influence_nats"}
OPTIONAL = MOA | SYMBOLS | INFLUENCE | {"value_gradient_norm"}


def served(harness):
    """Values by name."""
    return {
        metric.name.removeprefix("ssd_learner_"): metric.samples[0].value
        for metric in harness.metrics.collect()
    }


def test_metrics_are_read_from_the_learner_s_state(tmp_path, make_trainer, make_message):
    trainer = make_trainer(batch_segments=2)
    harness = Harness(tmp_path, trainer)
    hello, first, second = (make_message(trainer, number) for number in range(3))
    harness.run([hello, first, first, second], [(ACTOR, [b"nonsense"])])
    found = served(harness)
    assert found["own_steps"] == found["trained_own_steps"] == 2 * STEPS_OF_A_SEGMENT
    assert found["weights_version"] == found["updates"] == 1
    assert found["segments_received"] == 2
    assert found["segments_duplicate"] == 1
    assert found["protocol_errors"] == 1
    assert found["checkpoints"] == 1
    assert found["moa_loss_nats"] == harness.learner.report.moa_loss


def test_a_restarted_learner_continues_its_gauges_and_counts_from_0(
    tmp_path, make_trainer, make_message
):
    first = make_trainer(batch_segments=1)
    Harness(tmp_path, first).run([make_message(first, number) for number in range(3)])

    second = make_trainer(batch_segments=1)
    harness = Harness(tmp_path, second)
    before = served(harness)
    harness.run([make_message(second, 0, epoch=8), make_message(second, 1, epoch=8)])
    after = served(harness)

    progress, counts = ("own_steps", "weights_version"), ("trained_own_steps", "updates")
    assert [before[name] for name in progress] == [2 * STEPS_OF_A_SEGMENT, 2]
    assert [after[name] for name in progress] == [3 * STEPS_OF_A_SEGMENT, 3]
    assert [before[name] for name in counts] == [0, 0]
    assert [after[name] for name in counts] == [STEPS_OF_A_SEGMENT, 1]
    segments = [f"segments_{name}" for name in ("received", "trained", "surplus", "duplicate")]
    assert [before[name] for name in segments] == [0, 0, 0, 0]
    assert [after[name] for name in segments] == [1, 1, 0, 0]


def test_the_time_of_the_last_checkpoint_is_that_of_the_start_until_there_is_one(
    tmp_path, make_trainer, make_message, monkeypatch
):
    trainer = make_trainer()
    monkeypatch.setattr(checkpointer.time, "time", lambda: 1000.0)
    harness = Harness(tmp_path, trainer)
    assert served(harness)["last_checkpoint_timestamp_seconds"] == 1000
    monkeypatch.setattr(checkpointer.time, "time", lambda: 2000.0)
    harness.run([make_message(trainer, 0), make_message(trainer, 1)])
    assert served(harness)["last_checkpoint_timestamp_seconds"] == 2000


def test_own_steps_of_the_last_checkpoint_are_known_after_a_restart(tmp_path):
    sections = RunSections(
        RunSettings(), GameSettings(name="harvest"), ExperimentSettings(), SIZES, LearningSettings()
    )
    first = build_trainer(sections, 0, torch.device("cpu"))
    receiver, empty = resume(sections, first, tmp_path, None)
    assert empty.durable_own_steps == 0
    first.own_steps = 800
    empty.save(first, receiver)

    second = build_trainer(sections, 0, torch.device("cpu"))
    assert resume(sections, second, tmp_path, None)[1].durable_own_steps == 800


@pytest.mark.parametrize(
    ("learning", "optional"),
    [
        ({"experiment": {"influence": "off"}}, set()),
        ({"experiment": {"influence": "off"}, "algorithm": "ppo"}, {"value_gradient_norm"}),
        ({"experiment": {"influence": "moa"}}, MOA | INFLUENCE),
        (
            {"experiment": {"influence": "moa_communication", "symbols": 3}, "algorithm": "ppo"},
            OPTIONAL,
        ),
    ],
    ids=["A3C", "PPO", "influence", "PPO, symbols and MOA"],
)
def test_metrics_are_those_that_the_experiment_and_algorithm_have(
    tmp_path, make_trainer, make_message, learning, optional
):
    trainer = make_trainer(**learning)
    harness = Harness(tmp_path, trainer)
    harness.run([make_message(trainer, 0), make_message(trainer, 1)])
    names = served(harness).keys()
    assert names & OPTIONAL == optional
    assert names >= {"policy_loss", "kl_nats", "clipped_share", "explained_variance", "passes"}


def test_there_is_no_moa_loss_when_no_agent_was_in_view(tmp_path, make_trainer, make_message):
    trainer = make_trainer(experiment={"influence": "moa", "moa_only_when_visible": True})
    harness = Harness(tmp_path, trainer)
    actor, segment = make_message(trainer, 1)
    alone = replace(segment, visible=np.zeros_like(segment.visible))
    harness.run([make_message(trainer, 0), (actor, alone)])
    assert {name for name in served(harness) if "moa" in name} == {"moa_gradient_norm"}


def test_there_are_no_update_metrics_before_the_first_update(tmp_path, make_trainer):
    names = served(Harness(tmp_path, make_trainer())).keys()
    assert "updates" in names
    assert not names & {"policy_loss", "moa_loss_nats"}
