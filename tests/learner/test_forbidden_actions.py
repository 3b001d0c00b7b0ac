"""A custom network may forbid actions and symbols, by logits of −∞."""

import math

import numpy as np
import pytest
import torch
from tests.learner.conftest import SIZES

from ssd_influence.networks.agent_network import AgentNetwork
from ssd_learner.entropy import entropy
from ssd_learner.reporting.policy_information import policy_information
from ssd_learner.training import train

ALLOWED, FORBIDDEN = [0, 1, 3, 4, 6], [2, 5]
INFLUENCE = {"influence": "moa_communication", "symbols": 3, "beta": 1.0}


class ForbiddingNetwork(AgentNetwork):
    """Forbids action 2 and symbol 1."""

    def unroll(self, *args, **options):
        unroll = super().unroll(*args, **options)
        action, symbol = torch.arange(7) == 2, torch.arange(3) == 1
        return unroll._replace(
            policy_logits=unroll.policy_logits.masked_fill(action, -math.inf),
            symbol_logits=unroll.symbol_logits.masked_fill(symbol, -math.inf),
        )


@pytest.fixture
def logits():
    """Of policies with two forbidden actions, [3, 4, 7] float64."""
    logits = torch.randn(3, 4, 7, dtype=torch.float64)
    logits[..., FORBIDDEN] = -math.inf
    return logits.requires_grad_()


def test_the_entropy_is_that_of_the_allowed_actions(logits):
    found = entropy(logits.log_softmax(-1))
    for place, one in np.ndenumerate(found.detach().numpy()):
        policy = logits.detach()[place].softmax(-1).tolist()
        assert one == pytest.approx(-sum(p * math.log(p) for p in policy if p))


@pytest.mark.parametrize("weight", [1.0, 1e6])
def test_its_gradient_is_that_of_the_allowed_actions_and_0_in_the_forbidden_ones(logits, weight):
    (weight * entropy(logits.log_softmax(-1))).sum().backward()
    allowed = logits.detach()[..., ALLOWED].requires_grad_()
    (weight * entropy(allowed.log_softmax(-1))).sum().backward()
    torch.testing.assert_close(logits.grad[..., ALLOWED], allowed.grad)
    assert not logits.grad[..., FORBIDDEN].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_policy_with_one_possible_action_has_no_entropy(dtype):
    log_policy = torch.full((7,), -math.inf, dtype=dtype)
    log_policy[3] = 0
    assert entropy(log_policy) == 0


def test_a_policy_that_is_not_a_number_has_an_entropy_that_is_none():
    assert entropy(torch.tensor([math.nan, 0.0])).isnan()


def test_the_information_of_the_policy_is_that_of_the_allowed_actions(logits):
    log_policy = logits.detach().log_softmax(-1)
    wanted = policy_information(log_policy[..., ALLOWED]).item()
    assert policy_information(log_policy).item() == pytest.approx(wanted)


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_an_agent_learns_with_them(make_trainer, make_segment, algorithm):
    kind = f"{__name__}:{ForbiddingNetwork.__name__}"
    sizes = SIZES.model_copy(update={"kind": kind})
    trainer = make_trainer(sizes=sizes, experiment=INFLUENCE, algorithm=algorithm)
    before = {name: tensor.copy() for name, tensor in trainer.tensors().items()}
    segment = make_segment(trainer)
    own = trainer.shape.agent
    segment.actions[..., own][segment.actions[..., own] == 2] = 0
    segment.symbols[..., own][segment.symbols[..., own] == 1] = 0

    report = train(trainer, [segment], lambda: True)

    assert np.isfinite(report.values).all(), report
    for name, tensor in trainer.tensors().items():
        assert np.isfinite(tensor).all(), name
    assert any((tensor != before[name]).any() for name, tensor in trainer.tensors().items())
