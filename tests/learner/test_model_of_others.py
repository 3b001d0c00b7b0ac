"""How the model of others learns beside a policy, with a pull and passes of its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.ppo import update as ppo
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.reporting.report import Report
from ssd_learner.segments.batch import stack_games
from ssd_learner.training import train
from ssd_learner.vtrace.losses import losses as vtrace_losses

CPU = torch.device("cpu")
INFLUENCE = {"influence": "moa", "beta": 0.6, "moa_only_when_visible": True}
UNCLIPPED = {"gradient_clip": 1e9, "value_clip": 1e9, "moa_clip": 1e9}
MOA = "moa."


def going_on():
    return True


def of_moa(tensors):
    return {name: tensor for name, tensor in tensors.items() if name.startswith(MOA)}


@pytest.fixture(params=["ppo", "vtrace"])
def gradients(request, make_trainer, make_segment):
    """The gradients that an update with this weight of the MOA went down, by parameter name."""

    def used(moa_weight):
        experiment = INFLUENCE | {"moa_weight": moa_weight}
        trainer = make_trainer(algorithm=request.param, experiment=experiment, **UNCLIPPED)
        batch, weights = stack_games([make_segment(trainer)], CPU), trainer.scheduled_values()
        if request.param == "ppo":
            (part,) = make_chunks(trainer, [batch], weights, 8)[0].shuffled(1)
            loss, _ = ppo.losses(trainer, part, weights, moa=True)
        else:
            settings = trainer.experiment, trainer.learning, weights
            loss = vtrace_losses(trainer.network, batch, trainer.shape, *settings).total
        trainer.update(loss, weights)
        return {name: weight.grad for name, weight in trainer.network.named_parameters()}

    return used


def test_its_weight_is_its_pull_on_the_shared_convolution(gradients):
    none, once, twice, much = (gradients(weight) for weight in (0.0, 1.0, 2.0, 100.0))
    for name in ("conv.weight", "conv.bias"):
        pull = once[name] - none[name]
        assert pull.any()
        largest = twice[name].abs().max().item()
        torch.testing.assert_close(
            twice[name] - none[name], 2 * pull, rtol=1e-3, atol=1e-4 * largest
        )
        torch.testing.assert_close(
            much[name] - none[name], 100 * pull, rtol=1e-2, atol=1e-2 * largest
        )


def test_its_own_weights_learn_alike_whatever_its_pull(gradients):
    weak, strong = (of_moa(gradients(weight)) for weight in (0.5, 15.0))
    for name, gradient in weak.items():
        assert gradient.any(), name
        torch.testing.assert_close(strong[name], gradient, rtol=1e-3, atol=1e-7)


def test_without_a_pull_it_learns_nothing(gradients):
    assert not any(gradient.any() for gradient in of_moa(gradients(0.0)).values())


def test_its_pull_reaches_nothing_of_the_policy_s_own(gradients):
    weak, strong = gradients(0.5), gradients(15.0)
    for name, gradient in weak.items():
        if not name.startswith((MOA, "conv.")):
            torch.testing.assert_close(strong[name], gradient, rtol=1e-4, atol=1e-7)


@pytest.fixture
def learnt(make_trainer, make_segment):
    """Makes a trainer, and has it learn a segment in two minibatches a pass."""

    def make(**learning):
        trainer = make_trainer(algorithm="ppo", minibatch=20, chunk=4, **learning)
        torch.manual_seed(3)
        report = train(trainer, [make_segment(trainer)], going_on)
        weights = {name: tensor.copy() for name, tensor in trainer.tensors().items()}
        return weights, report

    return make


class TestItsPasses:
    """The first of a batch, as many as it is given."""

    def test_none_leave_it_as_it_was_and_judged_all_the_same(self, make_trainer, learnt):
        before = of_moa(make_trainer(algorithm="ppo").tensors())
        weights, report = learnt(passes=2, moa_passes=0)
        assert all((weights[name] == before[name]).all() for name in before)
        assert report.moa_gradient_norm is None
        assert report.moa_loss > 0

    def test_are_the_first(self, learnt):
        one, _ = learnt(passes=1, moa_passes=4)
        three, _ = learnt(passes=3, moa_passes=1)
        for name in of_moa(one):
            assert (one[name] == three[name]).all(), name
        assert not (one["conv.weight"] == three["conv.weight"]).all()

    def test_are_at_most_all(self, learnt):
        some, _ = learnt(passes=2, moa_passes=2)
        more, _ = learnt(passes=2, moa_passes=9)
        assert all((some[name] == more[name]).all() for name in some)
        fewer, _ = learnt(passes=2, moa_passes=1)
        assert not all((some[name] == fewer[name]).all() for name in of_moa(some))

    def test_weigh_its_gradient_s_norm_by_its_own_updates_alone(self, learnt):
        _, one = learnt(passes=1, moa_passes=1)
        _, three = learnt(passes=3, moa_passes=1)
        assert three.moa_gradient_norm == pytest.approx(one.moa_gradient_norm, rel=1e-5)


def judged(trainer, segment):
    """Its loss and the entropy of habits on a segment, in loops, by the weights as they are."""
    batch = stack_games([segment], CPU)
    with torch.no_grad():
        unroll = trainer.network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )
    only_visible = trainer.experiment.moa_only_when_visible
    known = segment.actions, segment.is_first, segment.visible, trainer.shape.others
    loss, counted = literal.moa_loss(unroll.moa_logits, *known, only_visible)
    habits = 0.0
    for j in trainer.shape.others:
        counts = np.zeros(trainer.shape.num_actions)
        for t, b in np.ndindex(segment.reward.shape):
            if not segment.is_first[t + 1, b] and (segment.visible[t, b, j] or not only_visible):
                counts[segment.actions[t + 2, b, j]] += 1
        shares = counts[counts > 0] / counts.sum()
        habits -= counts.sum() / counted * (shares * np.log(shares)).sum()
    return loss, habits


@pytest.mark.parametrize("only_when_visible", [True, False])
@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_it_is_judged_on_what_it_has_not_been_trained_on(
    make_trainer, make_segment, algorithm, only_when_visible
):
    experiment = INFLUENCE | {"moa_only_when_visible": only_when_visible}
    trainer = make_trainer(
        algorithm=algorithm, experiment=experiment, moa_lr=0.1, passes=3, chunk=4, minibatch=10
    )
    for seed in (0, 1):
        segment = make_segment(trainer, seed)
        loss, habits = judged(trainer, segment)
        report = train(trainer, [segment], going_on)
        assert report.moa_loss == pytest.approx(loss, rel=1e-4)
        assert report.moa_marginal_entropy == pytest.approx(habits, rel=1e-4)
        assert report.moa_margin == pytest.approx(habits - loss, rel=1e-3, abs=1e-4)
        assert judged(trainer, segment)[0] != pytest.approx(loss, rel=1e-2)


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_nothing_is_told_of_it_where_nobody_was_in_view(make_trainer, make_segment, algorithm):
    trainer = make_trainer(algorithm=algorithm, experiment=INFLUENCE)
    segment = make_segment(trainer)
    alone = replace(segment, visible=np.zeros_like(segment.visible))
    before = of_moa({name: tensor.copy() for name, tensor in trainer.tensors().items()})
    report = train(trainer, [alone], going_on)
    assert (report.moa_loss, report.moa_marginal_entropy, report.moa_margin) == (None, None, None)
    assert np.isfinite(report.numbers).all()
    after = trainer.tensors()
    assert all((after[name] == before[name]).all() for name in before)


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_nothing_is_told_of_one_that_is_not_there(make_trainer, make_segment, algorithm):
    trainer = make_trainer(algorithm=algorithm, experiment={"influence": "off"})
    report = train(trainer, [make_segment(trainer)], going_on)
    told = report.moa_loss, report.moa_marginal_entropy, report.moa_margin
    assert told == (None, None, None)
    assert report.moa_gradient_norm is None


def test_its_margin_is_what_it_knows_beyond_habits():
    assert Report(moa_loss=1.5, moa_marginal_entropy=1.75).moa_margin == 0.25


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_it_learns_to_foresee_what_can_be_foreseen(make_trainer, make_segment, algorithm):
    trainer = make_trainer(
        algorithm=algorithm, opinion=1.0, lr_init=0.01, moa_lr=0.01, passes=2, moa_passes=2
    )
    segment = make_segment(trainer)
    actions = segment.actions.copy()
    for t in range(2, len(actions)):  # everyone answers agent 1, each in its own way
        for j in trainer.shape.others:
            actions[t, :, j] = (actions[t - 1, :, 1] + j) % 7
    answered = replace(segment, actions=actions)
    batches = 60 if algorithm == "vtrace" else 30
    reports = [train(trainer, [answered], going_on) for _ in range(batches)]
    assert reports[0].moa_loss > 0.95 * reports[0].moa_marginal_entropy
    assert reports[-1].moa_loss < 0.5 * reports[-1].moa_marginal_entropy
