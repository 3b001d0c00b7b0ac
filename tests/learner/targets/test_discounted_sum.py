import numpy as np
import pytest
import torch

from ssd_learner.targets.discounted_sum import discounted_sum

GAMES = 5


def drawn(steps):
    """Terms and decays in float64; a third of the decays is 0."""
    rng = np.random.default_rng(steps)
    decay = rng.random((steps, GAMES)) * (rng.random((steps, GAMES)) > 1 / 3)
    return rng.normal(0, 1, (steps, GAMES)), decay


def literally(x, decay):
    """From the end, one step after the other."""
    y = np.zeros((len(x) + 1, GAMES))
    for t in reversed(range(len(x))):
        y[t] = x[t] + decay[t] * y[t + 1]
    return y[:-1]


@pytest.mark.parametrize("steps", range(1, 18))
def test_a_sum_over_the_future_is_a_loop_from_its_end(steps):
    x, decay = drawn(steps)
    found = discounted_sum(torch.from_numpy(x), torch.from_numpy(decay))
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(literally(x, decay), abs=1e-12)


def test_what_goes_into_it_stays_as_it_was():
    x, decay = (torch.from_numpy(of) for of in drawn(9))
    before = x.clone(), decay.clone()
    discounted_sum(x, decay)
    assert torch.equal(x, before[0])
    assert torch.equal(decay, before[1])
