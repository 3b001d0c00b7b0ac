"""Segments of random play are such as a learner takes for real ones."""

from __future__ import annotations

import numpy as np
import pytest

from ssd_bench.parts.inputs import shape_of
from ssd_bench.synthetic_actors import segments_of
from ssd_influence.networks.agent_network import make_network
from ssd_learner.build import dims_of
from ssd_run.presets import load_config, preset_names
from ssd_wire.codec import decode, encode
from ssd_wire.messages import Segment

SMALL = ("run.games=6", "run.segment=7", "game.horizon=21", "learning.horizon=7")


def small_config(preset, *assignments):
    return load_config(preset, [*SMALL, *assignments])


def network_of(config, agent=1):
    return make_network(shape_of(config, agent), config.network, config.experiment)


def drawn(*assignments):
    config = small_config("harvest-moa", "game.agents=3", *assignments)
    return segments_of(config, network_of(config, agent=2))


@pytest.mark.parametrize("preset", preset_names())
def test_segments_pass_all_checks_of_messages(preset):
    config = small_config(preset)
    network = network_of(config)
    dims = dims_of(config.run, shape_of(config, 1), config.experiment, network.state_size)
    for segment in segments_of(config, network):
        frames = [bytes(frame) for frame in encode(segment)]
        assert isinstance(decode(frames, (Segment,), dims.lengths), Segment)


def test_all_segments_are_different():
    views = [segment.pixels.tobytes() for segment in drawn()]
    assert len(set(views)) == len(views) == 4


def test_segments_are_reproducible():
    for one, other in zip(drawn(), drawn(), strict=True):
        assert all(np.array_equal(vars(one)[name], value) for name, value in vars(other).items())


def test_each_segment_continues_the_one_before():
    for one, after in zip(drawn()[:-1], drawn()[1:], strict=True):
        assert np.array_equal(one.pixels[-1], after.pixels[0])
        assert np.array_equal(one.actions[-2:], after.actions[:2])


def test_each_game_starts_one_episode_per_horizon_at_the_start_of_a_segment():
    firsts = np.stack([segment.is_first for segment in drawn()])  # [K, T+1, B]
    assert not firsts[:, 1:-1].any()  # episodes are apart by multiples of T
    assert (firsts[:3, 0].sum(0) == 1).all()


def test_an_episode_shorter_than_a_segment_starts_within_it():
    firsts = drawn("game.horizon=3")[0].is_first
    assert np.array_equal(firsts[3:], firsts[:-3])
    assert (firsts.sum(0) >= 2).all()


def test_the_last_step_of_an_episode_has_no_influence():
    for segment in drawn():
        assert not segment.influence[segment.is_first[1:]].any()


def test_an_agent_always_sees_itself():
    assert all(segment.visible[..., 2].all() for segment in drawn())
