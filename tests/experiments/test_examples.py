"""The documented examples of what a user may bring along live and learn as all others do."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ssd_learner.segments.batch import stack_games
from ssd_learner.trainer import Trainer
from ssd_learner.training import train
from ssd_run.presets import load_config
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import errors_in_section

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
RUN_FILES = sorted(EXAMPLES.glob("*/run.toml"))
SMALL = (
    "run.games=3",
    "run.segment=5",
    "game.horizon=10",
    "learning.horizon=20",
    "learning.matmul_dtype=float32",
    "network.lstm=24",
)
CPU = torch.device("cpu")


def small_config(path):
    return load_config(str(path), SMALL)


@pytest.fixture(scope="module", params=RUN_FILES, ids=[path.parent.name for path in RUN_FILES])
def config(request):
    return small_config(request.param)


@pytest.fixture(scope="module")
def played(config, arena):
    return arena(config).play(22)


def test_each_extension_point_has_an_example():
    named = [
        small_config(path).sections()[section][key]
        for path, (section, key) in zip(
            RUN_FILES,
            [("game", "name"), ("network", "kind"), ("experiment", "influence")],
            strict=True,
        )
    ]
    assert all(":" in name for name in named)


def test_an_example_learns(config, played):
    for player in played.players:
        trainer = Trainer(
            player.agent.shape, config.network, config.experiment, config.learning, CPU, seed=1
        )
        report = train(trainer, player.segments, lambda: True)
        assert np.isfinite(report.values).all()
        assert report.influence > 0


def test_its_learner_finds_its_actions_as_likely_as_its_actor_did(played):
    for player in played.players:
        for segment in player.segments:
            batch = stack_games([segment], CPU)
            with torch.no_grad():
                unroll = player.agent.network.unroll(
                    batch.pixels, batch.is_first_host, batch.actions, batch.state
                )
            log_policy = unroll.policy_logits[:-1].log_softmax(-1)
            own = batch.actions[1:-1, :, player.index, None]
            found = log_policy.gather(-1, own).squeeze(-1).numpy()
            assert found == pytest.approx(segment.log_prob, abs=1e-5)


def test_surprise_is_how_unlikely_the_own_model_thought_what_those_in_view_did(arena):
    played = arena(small_config(EXAMPLES / "own_reward" / "run.toml")).play(22)
    player = played.players[0]
    for segment in player.segments:
        batch = stack_games([segment], CPU)
        with torch.no_grad():
            unroll = player.agent.network.unroll(
                batch.pixels, batch.is_first_host, batch.actions, batch.state
            )
        log_p = unroll.moa_logits.log_softmax(-1).numpy()  # [T, B, J, A]
        for t, b in np.ndindex(segment.influence.shape):
            seen = [j for j in player.agent.role.others if segment.visible[t, b, j]]
            places = [player.agent.role.others.index(j) for j in seen]
            counted = [
                -log_p[t, b, p, segment.actions[t + 2, b, j]]
                for p, j in zip(places, seen, strict=True)
            ]
            wanted = np.mean(counted) if counted and not segment.is_first[t + 1, b] else 0.0
            assert segment.influence[t, b] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ("experiment.influence='nowhere.at:All'", r"nowhere\.at:All: wanted a subclass of Intr"),
        ("experiment.influence='ssd_wire.codec:encode'", "wanted a subclass of Intrinsic, found"),
        ("network.kind='ssd_wire.codec:Nothing'", "wanted a subclass of AgentNetwork, found"),
    ],
)
def test_what_cannot_be_loaded_is_named(arena, assignment, fault):
    path = EXAMPLES / "own_reward" / "run.toml"
    config = load_config(str(path), [*SMALL, assignment])
    with pytest.raises(RunFileError, match=fault), errors_in_section("experiment"):
        arena(config)
