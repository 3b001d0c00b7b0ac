"""What holds for every experiment: each preset lives and learns in one process, in small."""

import numpy as np
import pytest
import torch

from ssd_learner.segments.batch import stack_games
from ssd_learner.trainer import Trainer
from ssd_learner.training import train
from ssd_run.presets import load_config, preset_names

TICKS = 22  # four segments of 5 steps and two ticks: two episodes of 10 steps in every game
SMALL = (
    "run.games=3",
    "run.segment=5",
    "run.lanes=1",
    "game.horizon=10",
    "learning.horizon=20",
    "learning.matmul_dtype=float32",  # what the actor takes them in
    "network.lstm=24",
    "network.moa_lstm=28",
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=preset_names())
def config(request):
    return load_config(request.param, SMALL)


@pytest.fixture(scope="module")
def played(config, arena):
    return arena(config).play(TICKS)


def trainer_of(config, player):
    """The agent's learner, at the weights that the agent acted with."""
    sections = config.network, config.experiment, config.learning
    trainer = Trainer(player.agent.shape, *sections, CPU, config.run.seed)
    for name, parameter in trainer.network.named_parameters():
        parameter.data.copy_(torch.from_numpy(player.weights.tensors[name].copy()))
    return trainer


def test_every_agent_hands_in_all_that_it_lived(played):
    assert [len(player.segments) for player in played.players] == [4] * len(played.players)
    assert all(segment.is_first[1:].any() for p in played.players for segment in p.segments[::2])


def test_the_learner_finds_what_was_chosen_as_likely_as_the_actor_did(config, played):
    for player in played.players:
        trainer = trainer_of(config, player)
        for segment in player.segments:
            batch = stack_games([segment], CPU)
            with torch.no_grad():
                unroll = trainer.network.unroll(
                    batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
                )
            k = player.index
            chosen = [(unroll.policy_logits, batch.actions[1:-1, :, k], segment.log_prob)]
            if segment.symbols is not None:
                said = batch.symbols[1:, :, k]
                chosen.append((unroll.symbol_logits, said, segment.symbol_log_prob))
            for logits, choice, wanted in chosen:
                log_policy = logits[:-1].log_softmax(-1)
                found = log_policy.gather(-1, choice.unsqueeze(-1)).squeeze(-1).numpy()
                assert found == pytest.approx(wanted, abs=2e-5)


def test_every_weight_learns_and_every_loss_is_finite(config, played):
    for player in played.players:
        trainer = trainer_of(config, player)
        before = {name: w.detach().clone() for name, w in trainer.network.named_parameters()}
        report = train(trainer, player.segments, lambda: True)
        assert np.isfinite(report.values).all()
        for name, weight in trainer.network.named_parameters():
            assert not torch.equal(weight, before[name]), name


def test_a_learner_goes_on_from_its_state_as_if_nothing_had_happened(config, played):
    player = played.players[-1]
    one, other = (trainer_of(config, player) for _ in range(2))
    train(one, player.segments[:2], lambda: True)
    kept = {name: tensor.clone() for name, tensor in one.state().items()}
    clocks = one.own_steps, one.version
    train(one, player.segments[2:], lambda: True)
    other.restore(kept, *clocks)
    train(other, player.segments[2:], lambda: True)
    assert (one.own_steps, one.version) == (other.own_steps, other.version)
    for (name, mine), theirs in zip(
        one.network.named_parameters(), other.network.parameters(), strict=True
    ):
        assert torch.equal(mine, theirs), name


def test_influence_is_rewarded_where_the_part_says_so_and_nowhere_else(config, played):
    for player in played.players:
        influence = player.of_segments("influence")
        part = player.agent.role
        assert np.isfinite(influence).all()
        assert influence.any() == (part.is_rewarded or part.receives_log_probs)
        if config.experiment.divergence != "pmi":
            assert influence.min() > -1e-6
        if config.experiment.influence.startswith(("moa", "communication")):
            assert not influence[player.of_segments("is_first")[_steps(player)]].any()


def _steps(player):
    """Where, among the T+1 firsts of each segment, those stand that follow a step: 1 … T."""
    length = len(player.segments[0].is_first)
    return np.arange(len(player.segments) * length) % length > 0


def test_nobody_is_told_what_the_experiment_does_not_tell_it(config, played):
    disclosed = config.experiment.influence in ("basic", "communication")
    for player in played.players:
        for seen in player.timesteps:
            assert (seen.all_rewards is not None) == (config.experiment.reward != "own")
            assert (seen.symbols is not None) == (config.experiment.symbols > 0)
            assert disclosed or (seen.responses is None and seen.leader_log_probs is None)
            assert (seen.leader_actions is not None) == bool(player.agent.role.leaders)


def test_the_reward_that_a_scheme_shapes_is_its_formula_of_what_everyone_earned(config, played):
    kind = config.experiment.reward
    if kind == "own":
        assert all(segment.shaped_reward is None for p in played.players for segment in p.segments)
        return
    clip = config.experiment.reward_clip
    earned = np.stack([p.of_segments("reward") for p in played.players], -1)  # [steps, B, N]
    earned = earned.clip(-clip, clip)
    firsts = np.concatenate([segment.is_first[1:] for segment in played.players[0].segments])
    agents = len(played.players)
    smooth = np.zeros_like(earned[0])
    for step, is_first in enumerate(firsts):
        smooth = config.experiment.smoothing * smooth + earned[step]
        for player in played.players:
            k = player.index
            others = [i for i in range(agents) if i != k]
            if kind == "prosocial":
                wanted = earned[step, :, k] + 0.85 * earned[step][:, others].sum(1)
            else:
                behind = sum(np.maximum(smooth[:, i] - smooth[:, k], 0) for i in others)
                ahead = sum(np.maximum(smooth[:, k] - smooth[:, i], 0) for i in others)
                fair = 5 * behind / (agents - 1) + 0.05 * ahead / (agents - 1)
                wanted = earned[step, :, k] - fair
            assert player.of_segments("shaped_reward")[step] == pytest.approx(
                wanted, rel=1e-5, abs=1e-5
            )
        smooth[is_first] = 0
    assert earned.any()
