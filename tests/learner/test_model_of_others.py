"""How the model of others (MOA) is trained beside the policy, with weight and passes of its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.learner import literal
from tests.learner.conftest import SIZES

from ssd_learner.ppo.losses import minibatch_loss
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.reporting.report import Report
from ssd_learner.segments.batch import stack_games
from ssd_learner.training import train
from ssd_learner.vtrace.losses import batch_losses

CPU = torch.device("cpu")
INFLUENCE = {"influence": "moa", "beta": 0.6, "moa_only_when_visible": True}
UNCLIPPED = {"gradient_clip": 1e9, "value_clip": 1e9, "moa_clip": 1e9}
MOA = "moa."


def never_stop():
    return True


def moa_only(tensors):
    return {name: tensor for name, tensor in tensors.items() if name.startswith(MOA)}


@pytest.fixture(params=["paper", "own_network.network:TwoConvolutions"])
def sizes(request):
    return SIZES.model_copy(update={"kind": request.param})


@pytest.fixture(params=["ppo", "vtrace"])
def gradients(request, make_trainer, make_segment, sizes):
    """The gradients that an update with this `moa_weight` uses, by parameter name."""

    def compute(moa_weight, *, with_moa=True):
        experiment = INFLUENCE | {"moa_weight": moa_weight}
        trainer = make_trainer(
            algorithm=request.param, sizes=sizes, experiment=experiment, **UNCLIPPED
        )
        batch, scheduled = stack_games([make_segment(trainer)], CPU), trainer.scheduled_values()
        if request.param == "ppo":
            chunks, _ = make_chunks(trainer, [batch], scheduled, 8)
            torch.manual_seed(3)
            (minibatch,) = chunks.shuffled_minibatches(1)
            loss, _ = minibatch_loss(trainer, minibatch, scheduled, with_moa=with_moa)
        else:
            losses = batch_losses(trainer, batch, scheduled)
            loss = losses.total if with_moa else losses.total - losses.moa.loss
        trainer.update(loss, scheduled, with_moa=with_moa)
        return {name: weight.grad for name, weight in trainer.network.named_parameters()}

    return compute


def shared_only(tensors):
    """Those of the convolutions, which the MOA shares with the policy."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith("conv")}


def test_moa_weight_scales_its_gradient_in_the_shared_convolution(gradients):
    none, once, twice, hundred = (gradients(weight) for weight in (0.0, 1.0, 2.0, 100.0))
    for name in shared_only(none):
        of_moa = once[name] - none[name]
        assert of_moa.any()
        largest = twice[name].abs().max().item()
        torch.testing.assert_close(
            twice[name] - none[name], 2 * of_moa, rtol=1e-3, atol=1e-4 * largest
        )
        torch.testing.assert_close(
            hundred[name] - none[name], 100 * of_moa, rtol=1e-2, atol=1e-2 * largest
        )


def test_with_a_moa_weight_of_0_it_has_no_effect_on_the_shared_convolution(gradients):
    alone = shared_only(gradients(1.0, with_moa=False))
    for name, gradient in shared_only(gradients(0.0)).items():
        largest = gradient.abs().max().item()
        torch.testing.assert_close(gradient, alone[name], rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize("moa_weight", [0.0, 1e-42, 1e-6, 15.0])
def test_the_gradient_of_its_own_weights_does_not_depend_on_moa_weight(gradients, moa_weight):
    wanted, found = (moa_only(gradients(weight)) for weight in (0.5, moa_weight))
    for name, gradient in wanted.items():
        assert gradient.any(), name
        assert torch.equal(found[name], gradient), name


def test_moa_weight_does_not_affect_the_policy_s_own_weights(gradients):
    small, large = gradients(0.5), gradients(15.0)
    for name in small.keys() - moa_only(small).keys() - shared_only(small).keys():
        torch.testing.assert_close(large[name], small[name], rtol=1e-4, atol=1e-7)


@pytest.fixture
def train_once(make_trainer, make_segment):
    """Trains a new trainer on a segment, in two minibatches a pass."""

    def run(**learning):
        trainer = make_trainer(algorithm="ppo", minibatch=20, chunk=4, **learning)
        torch.manual_seed(3)
        report = train(trainer, [make_segment(trainer)], never_stop)
        weights = {name: tensor.copy() for name, tensor in trainer.tensors().items()}
        return weights, report

    return run


class TestMoaPasses:
    """The MOA learns in the first `moa_passes` passes over a batch."""

    def test_with_none_it_stays_the_same_and_is_evaluated_nevertheless(
        self, make_trainer, train_once
    ):
        before = moa_only(make_trainer(algorithm="ppo").tensors())
        weights, report = train_once(passes=2, moa_passes=0)
        assert all((weights[name] == before[name]).all() for name in before)
        assert report.moa_gradient_norm is None
        assert report.moa_loss > 0

    def test_they_are_the_first_passes(self, train_once):
        one, _ = train_once(passes=1, moa_passes=4)
        three, _ = train_once(passes=3, moa_passes=1)
        for name in moa_only(one):
            assert (one[name] == three[name]).all(), name
        assert not (one["conv.weight"] == three["conv.weight"]).all()

    def test_they_are_at_most_all_passes(self, train_once):
        two, _ = train_once(passes=2, moa_passes=2)
        more, _ = train_once(passes=2, moa_passes=9)
        assert all((two[name] == more[name]).all() for name in two)
        one, _ = train_once(passes=2, moa_passes=1)
        assert not all((two[name] == one[name]).all() for name in moa_only(two))

    def test_the_gradient_norm_is_the_mean_over_their_updates_only(self, train_once):
        _, one = train_once(passes=1, moa_passes=1)
        _, three = train_once(passes=3, moa_passes=1)
        assert three.moa_gradient_norm == pytest.approx(one.moa_gradient_norm, rel=1e-5)


def evaluate(trainer, segment):
    """The MOA's loss and the entropy of the action marginals on a segment, in loops."""
    batch = stack_games([segment], CPU)
    with torch.no_grad():
        unroll = trainer.network.unroll(
            batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
        )
    only_visible = trainer.experiment.moa_only_when_visible
    inputs = segment.actions, segment.is_first, segment.visible, trainer.shape.others
    loss, counted = literal.moa_loss(unroll.moa_logits, *inputs, only_visible)
    entropy = 0.0
    for j in trainer.shape.others:
        counts = np.zeros(trainer.shape.num_actions)
        for t, b in np.ndindex(segment.reward.shape):
            if not segment.is_first[t + 1, b] and (segment.visible[t, b, j] or not only_visible):
                counts[segment.actions[t + 2, b, j]] += 1
        shares = counts[counts > 0] / counts.sum()
        entropy -= counts.sum() / counted * (shares * np.log(shares)).sum()
    return loss, entropy


@pytest.mark.parametrize("only_when_visible", [True, False])
@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_it_is_evaluated_on_each_batch_before_training_on_it(
    make_trainer, make_segment, algorithm, only_when_visible
):
    experiment = INFLUENCE | {"moa_only_when_visible": only_when_visible}
    trainer = make_trainer(
        algorithm=algorithm, experiment=experiment, moa_lr=0.1, passes=3, chunk=4, minibatch=10
    )
    for seed in (0, 1):
        segment = make_segment(trainer, seed)
        loss, entropy = evaluate(trainer, segment)
        report = train(trainer, [segment], never_stop)
        assert report.moa_loss == pytest.approx(loss, rel=1e-4)
        assert report.moa_marginal_entropy == pytest.approx(entropy, rel=1e-4)
        assert report.moa_margin == pytest.approx(entropy - loss, rel=1e-3, abs=1e-4)
        assert evaluate(trainer, segment)[0] != pytest.approx(loss, rel=1e-2)


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_if_no_agent_was_in_view_the_report_has_no_moa_loss(make_trainer, make_segment, algorithm):
    trainer = make_trainer(algorithm=algorithm, experiment=INFLUENCE)
    segment = make_segment(trainer)
    alone = replace(segment, visible=np.zeros_like(segment.visible))
    before = moa_only({name: tensor.copy() for name, tensor in trainer.tensors().items()})
    report = train(trainer, [alone], never_stop)
    assert (report.moa_loss, report.moa_marginal_entropy, report.moa_margin) == (None, None, None)
    assert np.isfinite(report.values).all()
    after = trainer.tensors()
    assert all((after[name] == before[name]).all() for name in before)


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_without_a_moa_the_report_has_no_values_of_one(make_trainer, make_segment, algorithm):
    trainer = make_trainer(algorithm=algorithm, experiment={"influence": "off"})
    report = train(trainer, [make_segment(trainer)], never_stop)
    assert (report.moa_loss, report.moa_marginal_entropy, report.moa_margin) == (None, None, None)
    assert report.moa_gradient_norm is None


def test_its_margin_is_the_marginal_entropy_minus_its_loss():
    assert Report(moa_loss=1.5, moa_marginal_entropy=1.75).moa_margin == 0.25


@pytest.mark.parametrize("algorithm", ["ppo", "vtrace"])
def test_it_learns_to_predict_what_is_predictable(make_trainer, make_segment, algorithm):
    trainer = make_trainer(
        algorithm=algorithm, logit_scale=1.0, lr_init=0.01, moa_lr=0.01, passes=2, moa_passes=2
    )
    segment = make_segment(trainer)
    actions = segment.actions.copy()
    for t in range(2, len(actions)):  # every agent's action is a function of agent 1's last one
        for j in trainer.shape.others:
            actions[t, :, j] = (actions[t - 1, :, 1] + j) % 7
    predictable = replace(segment, actions=actions)
    batches = 60 if algorithm == "vtrace" else 30
    reports = [train(trainer, [predictable], never_stop) for _ in range(batches)]
    assert reports[0].moa_loss > 0.95 * reports[0].moa_marginal_entropy
    assert reports[-1].moa_loss < 0.5 * reports[-1].moa_marginal_entropy
