"""A deterministic run trains on the same batches in the same order, whatever fails."""

import pytest
from tests.simulation.faults import FAULTS_OF_DETERMINISTIC_RUNS
from tests.simulation.history import run_history
from tests.simulation.settings import draw_deterministic_settings
from tests.simulation.trace import lines

SEEDS = 25  # in a block


def run(seed, kinds):
    history = run_history(seed, draw_deterministic_settings, kinds)
    assert history.fault is None, "\n".join(lines(history))
    return history.cluster


def batches(cluster, agent):
    """What the surviving learner was trained on, but for the last batch, which may be incomplete.

    Each segment as its lane, its place there, the version of its weights and its actions.
    """
    record, settings = cluster.record, cluster.settings
    found = []
    for number in record.chains[agent].numbers:
        one = record.trained[number]
        steps = record.decisions[one.epoch, one.env_incarnation, one.lane]
        own = steps[one.index * settings.segment : (one.index + 1) * settings.segment]
        versions = {step.weights[1] for step in own}
        found.append((one.lane, one.index, *versions, *(step.action for step in own)))
    size = settings.batch_threshold
    return [sorted(found[at : at + size]) for at in range(0, len(found), size)][:-1]


@pytest.mark.parametrize("block", range(2))
def test_faults_change_neither_the_batches_nor_the_weights_that_acted_in_them(block):
    compared = 0
    for seed in range(SEEDS * block, SEEDS * (block + 1)):
        undisturbed = run(seed, ())
        disturbed = run(seed, FAULTS_OF_DETERMINISTIC_RUNS)
        for agent in range(undisturbed.settings.agents):
            wanted, found = batches(undisturbed, agent), batches(disturbed, agent)
            for one, other in zip(wanted, found, strict=False):
                assert one == other, seed
                compared += 1
    assert compared > 2 * SEEDS
