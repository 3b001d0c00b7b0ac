import numpy as np
import pytest
import torch

from ssd_learner.targets.discounted_sum import discounted_sum

GAMES = 5


def random_terms(steps):
    """Terms and discounts in float64; a third of the discounts is 0."""
    rng = np.random.default_rng(steps)
    discount = rng.random((steps, GAMES)) * (rng.random((steps, GAMES)) > 1 / 3)
    return rng.normal(0, 1, (steps, GAMES)), discount


def literal_sum(x, discount):
    """From the last step to the first."""
    y = np.zeros((len(x) + 1, GAMES))
    for t in reversed(range(len(x))):
        y[t] = x[t] + discount[t] * y[t + 1]
    return y[:-1]


@pytest.mark.parametrize("steps", range(1, 18))
def test_equals_a_loop_from_the_last_step(steps):
    x, discount = random_terms(steps)
    found = discounted_sum(torch.from_numpy(x), torch.from_numpy(discount))
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(literal_sum(x, discount), abs=1e-12)


def test_does_not_change_its_arguments():
    x, discount = (torch.from_numpy(of) for of in random_terms(9))
    before = x.clone(), discount.clone()
    discounted_sum(x, discount)
    assert torch.equal(x, before[0])
    assert torch.equal(discount, before[1])
