"""Made-up segments are such as a learner takes for real ones."""

from __future__ import annotations

import numpy as np
import pytest

from ssd_bench.load.segments import cast, draw
from ssd_run.plan import validate
from ssd_run.presets import load_preset, preset_names
from ssd_wire.codec import decode, encode
from ssd_wire.messages import Segment
from ssd_wire.runfile import override

SMALL = ("run.games=6", "run.segment=7", "game.horizon=21", "learning.horizon=7")
FEW = "game.agents=3"


def small(*assignments):
    plan = validate(override(load_preset("harvest-moa"), [*SMALL, FEW, *assignments]))
    return cast(plan, agent=2)


def numbered(finished, seq=1):
    return finished.draft.finish(9, seq, 0, finished.last_actions)


@pytest.mark.parametrize("preset", preset_names())
def test_they_pass_all_checks_of_the_wire(preset):
    who = cast(validate(override(load_preset(preset), SMALL)), agent=1)
    for finished in draw(who, 3):
        frames = [bytes(frame) for frame in encode(numbered(finished))]
        assert isinstance(decode(frames, (Segment,), who.sizes), Segment)


def test_no_two_of_them_are_alike():
    views = [numbered(one).pixels.tobytes() for one in draw(small(), 5)]
    assert len(set(views)) == 5


def test_the_same_seed_draws_the_same():
    one, other = (numbered(draw(small(), 2, seed=3)[1]) for _ in range(2))
    assert all(np.array_equal(vars(one)[name], value) for name, value in vars(other).items())


def test_every_action_and_every_colour_may_occur():
    who = small()
    segments = [numbered(one) for one in draw(who, 20)]
    for field, axis in (("actions", "A"), ("pixels", "P")):
        assert {*np.unique([getattr(one, field) for one in segments])} == {*range(who.sizes[axis])}


def test_each_game_begins_an_episode_once_in_a_horizon_and_where_a_segment_may_begin():
    firsts = np.stack([numbered(one).first for one in draw(small(), 200)])  # [K, T+1, B]
    assert not firsts[:, 1:-1].any()  # episodes are apart by multiples of T
    assert firsts[:, 0].mean() == pytest.approx(7 / 21, abs=0.05)
    assert firsts[:, -1].mean() == pytest.approx(7 / 21, abs=0.05)


def test_an_episode_shorter_than_a_segment_begins_within_it():
    firsts = numbered(draw(small("game.horizon=3"), 1)[0]).first
    assert (firsts == (np.arange(8) % 3 == 0)[:, None]).all()


def test_the_last_step_of_an_episode_has_no_influence():
    for one in map(numbered, draw(small(), 20)):
        assert not one.influence[one.first[1:]].any()


def test_an_agent_always_sees_itself():
    assert all(numbered(one).visible[..., 2].all() for one in draw(small(), 3))


def test_the_same_one_may_be_numbered_again_and_again():
    [finished] = draw(small(), 1)
    assert [numbered(finished, seq).seq for seq in (1, 2, 3)] == [1, 2, 3]
