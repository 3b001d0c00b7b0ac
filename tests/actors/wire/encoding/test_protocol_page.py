"""PROTOCOL.md agrees with the code: its tables, examples and limits are compared."""

import hashlib
import json
import re
import tomllib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import zmq

import ssd_wire
from ssd_envs.games import GAMES, MOVES
from ssd_envs.spec import GameSettings
from ssd_influence.roles import optional_axes, role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire import codec, endpoints, fields, messages
from ssd_wire.codec import decode, encode
from ssd_wire.fields import layout
from ssd_wire.messages import MESSAGES, Act
from ssd_wire.pub_sub import Publisher, Subscriber
from ssd_wire.run_file import RunSettings, fingerprint
from ssd_wire.sockets import Dealer, Router
from ssd_wire.weights import Weights, decode_weights, encode_weights

PAGE = (Path(ssd_wire.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")
SCALARS = {int: "natural", str: "text", bool: "flag"}
WRITE_ONLY = {
    "CONFLATE",
    "ROUTER_HANDOVER",
    "ROUTER_MANDATORY",
}  # ZeroMQ does not return them; their effects are tested


def text_under(title):
    """The text under a title, up to the next title."""
    [text] = re.findall(rf"^#+ {title}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return text


def rows(text):
    """The cells of all tables in a text, without their heads."""
    bodies = re.sub(r"^\|.*\n\|-.*\n", "", text, flags=re.MULTILINE)
    lines = re.findall(r"^\| (.*) \|$", bodies, re.MULTILINE)
    return [tuple(cell.strip() for cell in line.split(" | ")) for line in lines]


def hex_blocks(text):
    """The bytes of all examples in a text, without their comments."""
    for block in re.findall(r"^```hex\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines()))


def described(kind):
    """A message's fields as the page must describe them."""
    message = layout(kind)
    for field in message.scalars:
        bound = f" < {field.below}" if field.below <= fields.MAX_NATURAL else ""
        yield field.name, f"{SCALARS[field.kind]}{bound}"
    for field in message.arrays:
        axes = ", ".join(f"{axis}+{more}" if more else axis for axis, more in field.axes)
        bounded = field.below and field.dtype == np.uint8
        bound = f" < {field.below}" if bounded else ""
        bound += " ≤ 0" if field.high == messages.LARGEST_LOG_PROB else ""
        presence = f"; if {field.present_if}" if field.present_if else ""
        yield field.name, f"{field.dtype} [{axes}]{bound}{presence}"


def test_the_page_describes_every_message_in_order():
    titles = re.findall(r"^### (\w+)$", text_under("Every message") + PAGE, re.MULTILINE)
    assert [title for title in titles if title.lower() in MESSAGES] == [
        kind.__name__ for kind in MESSAGES.values()
    ]


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES)
def test_the_page_describes_every_field_in_order_with_its_type_and_axes(kind):
    table = rows(text_under(kind.__name__))
    assert [(name, of) for name, of, _ in table] == list(described(kind))
    assert all(meaning for _, _, meaning in table)


def test_the_page_names_every_axis():
    named = {row[0] for row in rows(text_under("Encoding")) if len(row) == 3}
    arrays = [field for kind in MESSAGES.values() for field in layout(kind).arrays]
    used = {axis for field in arrays for axis, _ in field.axes}
    used |= {field.below for field in arrays} | {field.present_if for field in arrays}
    assert named == {axis for axis in used if axis.isupper()}


def test_the_example_of_an_act_is_its_bytes():
    frames = list(hex_blocks(text_under("An example")))
    act = Act(
        env_incarnation=1, lane=0, tick=7, learner_complete=False, action=np.array([4, 8], np.uint8)
    )
    assert [bytes(frame) for frame in encode(act)] == frames
    assert decode(frames, (Act,), {"B": 2, "A": 9}).action.tolist() == [4, 8]


def test_the_example_of_an_act_that_discloses_is_its_bytes():
    [header] = hex_blocks(text_under("A second example"))
    symbol, responses = np.array([2, 0], np.uint8), np.full((2, 1, 3, 9), -np.log(9), np.float32)
    act = Act(1, 0, 7, False, np.array([4, 8], np.uint8), symbol, responses=responses)
    frames = [bytes(frame) for frame in encode(act)]
    arrays = re.findall(r"then (?:(\d+) times )?`([0-9a-f ]+)`", text_under("A second example"))
    assert frames == [header, *(int(times or 1) * bytes.fromhex(one) for times, one in arrays)]


def test_the_page_is_of_the_current_protocol_version():
    versions = re.findall(r"protocol version (\d+)|: int, (\d+)\.|`\[\"weights\", (\d+),", PAGE)
    assert len(versions) == 3
    assert {int("".join(one)) for one in versions} == {codec.PROTOCOL_VERSION}


def test_the_page_has_the_lengths_of_the_optional_axes_by_role():
    examples = [row for row in rows(text_under("Roles")) if len(row) == 10]
    assert len(examples) >= 10
    for settings, agent, *lengths in examples:
        experiment = ExperimentSettings(**tomllib.loads("\n".join(re.findall("`(.*?)`", settings))))
        found = optional_axes(role_of(experiment, int(agent), 4), experiment, 9)
        wanted = dict(zip("VLQDKJCR", map(int, lengths), strict=True))
        assert found == wanted, (settings, agent)


def test_the_page_has_the_actions_of_every_game():
    text = text_under("Actions")
    common = dict(re.findall(r"(\d)\s`(\w+)`", text))
    assert common == {str(number): name for number, name in enumerate(MOVES)}
    stated = {}
    for games, *others in rows(text):
        own = tuple(cell.strip("`") for cell in others if cell != "–")
        stated |= dict.fromkeys(re.findall("`(.*?)`", games), MOVES + own)
    assert stated == {name: game.actions for name, game in GAMES.items()}


def test_the_example_of_weights_is_its_bytes():
    [frame] = hex_blocks(text_under("Weights"))
    assert encode_weights(Weights(1, 2, 1600, {"w": np.array([[1, -2]], np.float32)})) == frame
    assert decode_weights(frame, {"w": (1, 2)}).tensors["w"].tolist() == [[1, -2]]


def test_the_page_has_the_limits_of_the_code():
    stated = {
        limit.split()[0].rstrip(","): json.loads(value)
        for limit, value in rows(text_under("Limits"))
    }
    holding = {**vars(codec), **vars(fields), **vars(endpoints), **vars(messages)}
    assert stated == {name: holding[name] for name in stated}
    assert len(stated) == 12


def test_the_page_has_the_socket_options_of_the_code(socket_dir):
    with (
        closing(Router(f"ipc://{socket_dir}/router")) as router,
        closing(Publisher(f"ipc://{socket_dir}/publisher")) as publisher,
        closing(Dealer(router.endpoint)) as dealer,
        closing(Subscriber(publisher.endpoint)) as subscriber,
    ):
        sockets = {"ROUTER": router, "PUB": publisher, "DEALER": dealer, "SUB": subscriber}
        stated = [row for row in rows(text_under("Transport")) if len(row) == 3]
        assert len(stated) == 16
        for option, value, where in stated:
            name = option.split()[0]
            for kind in kinds_for(where, sockets) if name not in WRITE_ONLY else ():
                found = sockets[kind].zmq_socket.getsockopt(getattr(zmq, name))
                assert found == int(value), (name, kind)


def kinds_for(where, sockets):
    if where == "all":
        return list(sockets)
    if where.startswith("all but "):
        return [name for name in sockets if name != where.removeprefix("all but ")]
    return [where]


def test_the_example_of_a_fingerprint_is_correct():
    text = text_under("Fingerprint")
    [canonical] = re.findall(r"^```json\n(.*?)\n```", text, re.MULTILINE | re.DOTALL)
    [wanted] = re.findall(r"has the fingerprint `(\w+)`", text)
    settings = [
        RunSettings(),
        GameSettings(name="harvest"),
        ExperimentSettings(),
        NetworkSettings(),
    ]
    dumped = [codec.PROTOCOL_VERSION, *(one.model_dump(mode="json") for one in settings)]
    assert json.loads(canonical) == dumped
    assert hashlib.sha256(canonical.encode("ascii")).hexdigest()[:16] == wanted
    assert fingerprint(*settings) == wanted
