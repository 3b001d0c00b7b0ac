"""How much of what an agent does depends on what it sees, against the definition in loops."""

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


def literally(policies):
    """Σ_s p(s) Σ_a π(a | s) log(π(a | s) / π(a)), of [..., A] policies at equally likely s."""
    policies = policies.reshape(-1, policies.shape[-1])
    habits = [sum(policy[a] for policy in policies) / len(policies) for a in range(ACTIONS)]
    total = 0.0
    for policy in policies:
        total += sum(p * math.log(p / habit) for p, habit in zip(policy, habits, strict=True) if p)
    return total / len(policies)


def test_it_is_the_mutual_information_of_view_and_action():
    log_policy = torch.randn(8, 5, ACTIONS, dtype=torch.float64).mul(2).log_softmax(-1)
    wanted = literally(log_policy.exp().numpy())
    assert policy_information(log_policy).item() == pytest.approx(wanted, rel=1e-9)


def test_a_blind_agent_has_none():
    same = torch.randn(ACTIONS).log_softmax(-1).expand(8, 5, ACTIONS)
    assert policy_information(same).item() == pytest.approx(0, abs=1e-6)


def test_who_does_something_else_at_every_view_has_all_there_is():
    log_policy = torch.full((ACTIONS, 1, ACTIONS), -100.0)
    log_policy[range(ACTIONS), 0, range(ACTIONS)] = 0.0
    assert policy_information(log_policy).item() == pytest.approx(math.log(ACTIONS))


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_it_is_told_of_the_policy_before_it_is_trained(make_trainer, make_segment, algorithm):
    trainer = make_trainer(algorithm=algorithm, lr_init=0.1, passes=3)
    segment = make_segment(trainer)
    batch = stack_games([segment], CPU)
    with torch.no_grad():
        unroll = trainer.network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )
    wanted = literally(unroll.policy_logits[:-1].double().softmax(-1).numpy())
    report = train(trainer, [segment], lambda: True)
    assert report.information == pytest.approx(wanted, rel=1e-3)
    assert wanted > 0.01


def test_it_is_of_all_lanes_together_however_long(make_trainer, make_stream):
    trainer = make_trainer(algorithm="ppo")
    streams = [make_stream(trainer, count, seed=count)[1] for count in (1, 3)]
    policies = []
    for parts in streams:
        batch = concatenate_time(parts, CPU)
        with torch.no_grad():
            known = batch.pixels, batch.is_first_host, batch.actions, batch.state
            logits = trainer.network.unroll(*known).policy_logits[:-1]
        policies.append(logits.double().softmax(-1).flatten(0, 1).numpy())
    batches = [concatenate_time(parts, CPU) for parts in streams]
    _, told = make_chunks(trainer, batches, trainer.scheduled_values(), 4)
    wanted = literally(np.concatenate(policies))
    assert told["information"].item() == pytest.approx(wanted, rel=1e-3)
