"""The lengths of all axes are defined in one place."""

from ssd_envs.spec import GameSettings, game_spec
from ssd_wire.dims import Dims
from ssd_wire.fields import CONSTANT_AXES, layout
from ssd_wire.messages import MESSAGES

GAME = game_spec(GameSettings(name="cleanup", agents=4))


def test_dims_have_every_axis_of_the_messages():
    arrays = [field for kind in MESSAGES.values() for field in layout(kind).arrays]
    axes = {axis for field in arrays for axis, _ in field.axes}
    axes |= {axis for field in arrays for axis in (field.below, field.present_if) if axis}
    assert axes - set(CONSTANT_AXES) - {"bytes"} == set(Dims.of(GAME, games=16).lengths)


def test_dims_are_those_of_the_game_and_the_given_others():
    dims = Dims.of(GAME, games=16, T=50, L=3)
    assert (16, 4, 9, 15, len(GAME.palette)) == (dims.B, dims.N, dims.A, dims.W, dims.P)
    assert (dims.T, dims.L) == (50, 3)
    assert {axis for axis, length in dims.lengths.items() if length == 0} == set("SVQDKJCR")
