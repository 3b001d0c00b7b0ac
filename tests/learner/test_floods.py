"""A peer that sends as fast as it can does not stop training on the segments of others."""

from itertools import count, cycle, repeat

import pytest
from tests.learner.harness import ACTOR, FINGERPRINT, Harness

from ssd_learner.learner import MAX_MESSAGES, MAX_WEIGHTS
from ssd_wire.codec import encode
from ssd_wire.messages import Bye, Hello, Join, Welcome

FLOODS = {
    "junk": lambda _: repeat([b"\xc1", b"junk"]),
    "new epochs of other arenas": lambda _: (Hello(1, n, n, FINGERPRINT) for n in count(100)),
    "new epochs of one arena": lambda _: (Hello(1, 99, n, FINGERPRINT) for n in count(100)),
    "another run": lambda _: (Hello(1, 0, n, "another") for n in count()),
    "goodbyes": lambda _: (Bye(n) for n in count()),
    "messages for an environment": lambda _: (Join(1, n, FINGERPRINT) for n in count()),
    "segments too many": cycle,
}


@pytest.fixture(params=FLOODS.values(), ids=FLOODS)
def flooded(request, tmp_path, make_trainer, make_message):
    """A learner to which an actor's messages arrive between those of a flood."""
    trainer = make_trainer()
    harness = Harness(tmp_path, trainer)
    segments = [make_message(trainer, number, epoch=9)[1] for number in (5, 6)]
    flood = request.param(segments)
    harness.taken = 0

    def receive():
        while True:
            yield from harness.links._arrived[:1]
            del harness.links._arrived[:1]
            harness.taken += 1
            message = next(flood)
            frames = message if isinstance(message, list) else encode(message)
            yield b"hostile", [bytes(frame) for frame in frames]

    def arrive(peer, message):
        return peer, [bytes(frame) for frame in encode(message)]

    harness.links.receive = receive
    harness.messages = [arrive(*make_message(trainer, number)) for number in range(4)]
    return harness


def test_segments_of_others_are_trained_on_and_made_durable(flooded):
    first, *others = flooded.messages
    links = flooded.run([first], *([one] for one in others))
    assert links.progress(ACTOR)[-1] == (3, 3, 3)
    assert flooded.taken <= 10 * MAX_MESSAGES  # four rounds, and one after each update


def test_hellos_without_weights_are_answered_with_them_so_many_times_in_a_row(flooded):
    flooded.run([flooded.messages[0]], [flooded.messages[1]])
    welcomes = [one for _, one in flooded.links.sent if isinstance(one, Welcome)]
    rounds = flooded.taken // MAX_MESSAGES + 1
    assert 0 < len(welcomes) <= rounds * MAX_WEIGHTS


def test_what_a_flood_leaves_in_a_checkpoint_is_small(flooded):
    flooded.run([flooded.messages[0]], *([] for _ in range(20)))
    assert (flooded.folder / "ledger.json").stat().st_size < 1_000_000
