"""What a learner serves to Prometheus."""

from dataclasses import replace

import numpy as np
import pytest
from tests.learner.harness import ACTOR, Harness

from ssd_learner.metrics import LearnerMetrics

STEPS_OF_A_SEGMENT = 8 * 5
MOA = {"moa_loss_nats", "moa_marginal_entropy_nats", "moa_margin_nats", "moa_gradient_norm"}
SYMBOLS = {"symbol_policy_loss", "symbol_value_loss", "symbol_entropy_nats"}
INFLUENCE = {"beta", "influence_nats"}
OPTIONAL = MOA | SYMBOLS | INFLUENCE | {"value_gradient_norm"}


def served(harness):
    """Values by name."""
    return {
        metric.name.removeprefix("ssd_learner_"): metric.samples[0].value
        for metric in LearnerMetrics(harness.learner).collect()
    }


def test_metrics_are_read_from_the_learner_s_state(tmp_path, make_trainer, make_message):
    trainer = make_trainer(batch_segments=2)
    harness = Harness(tmp_path, trainer)
    hello, first, second = (make_message(trainer, number) for number in range(3))
    harness.run([hello, first, first, second], [(ACTOR, [b"nonsense"])])
    found = served(harness)
    assert found["own_steps"] == 2 * STEPS_OF_A_SEGMENT
    assert found["segments_received"] == 2
    assert found["segments_duplicate"] == 1
    assert found["protocol_errors"] == 1
    assert found["checkpoints"] == 1
    assert found["moa_loss_nats"] == harness.learner.report.moa_loss


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
