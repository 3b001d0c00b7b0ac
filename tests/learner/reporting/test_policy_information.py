"""The mutual information of observation and action, against its definition in loops."""

import math

import numpy as np
import pytest
import torch

from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.reporting.policy_information import policy_information
from ssd_learner.segments.batch import concatenate_time, stack_games
from ssd_learner.training import train

CPU = torch.device("cpu")
ACTIONS = 7


def literal_information(policies):
    """Σ_s p(s) Σ_a π(a | s) log(π(a | s) / π(a)), of [..., A] policies at equally likely s."""
    policies = policies.reshape(-1, policies.shape[-1])
    marginal = [sum(policy[a] for policy in policies) / len(policies) for a in range(ACTIONS)]
    total = 0.0
    for policy in policies:
        total += sum(p * math.log(p / q) for p, q in zip(policy, marginal, strict=True) if p)
    return total / len(policies)


def unroll(trainer, batch):
    inputs = batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
    with torch.no_grad():
        return trainer.network.unroll(*inputs)


def test_it_is_the_mutual_information_of_observation_and_action():
    log_policy = torch.randn(8, 5, ACTIONS, dtype=torch.float64).mul(2).log_softmax(-1)
    wanted = literal_information(log_policy.exp().numpy())
    assert policy_information(log_policy).item() == pytest.approx(wanted, rel=1e-9)


def test_it_is_0_if_the_policy_ignores_the_observation():
    same = torch.randn(ACTIONS).log_softmax(-1).expand(8, 5, ACTIONS)
    assert policy_information(same).item() == pytest.approx(0, abs=1e-6)


def test_it_is_log_of_the_number_of_actions_if_each_observation_has_its_own_action():
    log_policy = torch.full((ACTIONS, 1, ACTIONS), -100.0)
    log_policy[range(ACTIONS), 0, range(ACTIONS)] = 0.0
    assert policy_information(log_policy).item() == pytest.approx(math.log(ACTIONS))


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_the_report_has_it_of_the_policy_before_training(make_trainer, make_segment, algorithm):
    trainer = make_trainer(algorithm=algorithm, lr_init=0.1, passes=3)
    segment = make_segment(trainer)
    logits = unroll(trainer, stack_games([segment], CPU)).policy_logits[:-1]
    wanted = literal_information(logits.double().softmax(-1).numpy())
    report = train(trainer, [segment], lambda: True)
    assert report.policy_information == pytest.approx(wanted, rel=1e-3)
    assert wanted > 0.01


def test_it_is_of_the_steps_of_all_lanes_whatever_their_lengths(make_trainer, make_stream):
    trainer = make_trainer(algorithm="ppo")
    streams = [make_stream(trainer, count, seed=count)[1] for count in (1, 3)]
    batches = [concatenate_time(parts, CPU) for parts in streams]
    logits = [unroll(trainer, batch).policy_logits[:-1] for batch in batches]
    policies = [of.double().softmax(-1).flatten(0, 1).numpy() for of in logits]
    _, measures = make_chunks(trainer, batches, trainer.scheduled_values(), 4)
    wanted = literal_information(np.concatenate(policies))
    assert measures["policy_information"].item() == pytest.approx(wanted, rel=1e-3)
