"""What a learner is built from, also if it is started without ssd-train."""

import pytest
import torch
from tests.learner.conftest import CPU, SIZES
from tests.learner.harness import ListLinks

from ssd_envs.spec import GameSettings
from ssd_influence.settings import ExperimentSettings
from ssd_learner.build import RunSections, build_learner, build_trainer, resume
from ssd_learner.settings import LearningSettings
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import RunSettings


@pytest.fixture
def make_sections():
    def make(deterministic=False, **learning):
        run = RunSettings(deterministic=deterministic)
        others = ExperimentSettings(), SIZES, LearningSettings(**learning)
        return RunSections(run, GameSettings(name="harvest"), *others)

    return make


def test_a_deterministic_run_is_trained_on_the_cpu_only(make_sections):
    with pytest.raises(RunFileError, match="deterministic run: wanted --device cpu, found cuda:1"):
        build_trainer(make_sections(deterministic=True), 0, torch.device("cuda:1"))
    build_trainer(make_sections(deterministic=True), 0, CPU)
    build_trainer(make_sections(deterministic=False), 0, torch.device("meta"))


@pytest.mark.parametrize("deterministic", [True, False])
def test_the_receiver_of_a_deterministic_run_takes_segments_of_one_actor(
    make_sections, tmp_path, deterministic
):
    sections = make_sections(deterministic)
    receiver, _ = resume(sections, build_trainer(sections, 0, CPU), tmp_path, None)
    assert receiver.deterministic == deterministic


@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        ({}, True),
        ({"wait_for_arenas": False}, False),
        ({"algorithm": "vtrace"}, False),
        ({"deterministic": True}, False),
    ],
)
def test_training_with_ppo_waits_for_arenas_unless_told_otherwise(
    make_sections, tmp_path, settings, waits
):
    sections = make_sections(**settings)
    trainer = build_trainer(sections, 0, CPU)
    receiver, checkpointer = resume(sections, trainer, tmp_path, None)
    learner = build_learner(sections, ListLinks(), trainer, receiver, checkpointer, None)
    assert learner.wait_for_arenas == waits
