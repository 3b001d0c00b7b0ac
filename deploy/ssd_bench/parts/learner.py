"""The learner's update, and what brings segments to it and weights back to actors."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Literal

import torch

from ssd_bench.parts import inputs, plans
from ssd_bench.parts.ceilings import PASS_AIM
from ssd_bench.parts.plans import Kind
from ssd_bench.parts.timing import Part, Work
from ssd_learner.ppo.losses import minibatch_loss
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import stack_games
from ssd_learner.trainer import Trainer
from ssd_learner.vtrace.update import vtrace_update
from ssd_wire.links import Publisher, Subscriber
from ssd_wire.messages import Segment
from ssd_wire.weights import Shapes, decode_weights, encode_weights

Products = Literal["float32", "bfloat16"]

BATCHES = ((50, 32), (50, 128), (100, 32))  # T and B of V-trace's updates
MINIBATCHES = ((50, 48), (50, 240), (20, 600))  # C and M of PPO's
PRODUCTS: tuple[Products, ...] = ("float32", "bfloat16")
LANE = 16  # B of one segment; larger batches lie side by side
LISTENERS = (1, 5, 20)
CPU = torch.device("cpu")
SMALLEST_RATE = 1e-12  # so that thousands of updates on one batch lead nowhere
PATIENCE_MS = 30_000
AGAIN_MS = 50  # a healthy delivery takes a tenth of it


def parts(game: str) -> Iterator[Part]:
    """PPO's passes and V-trace's updates with and without MOA, collation, and weights to actors."""
    for kind in plans.KINDS:
        for products in PRODUCTS:
            for steps, games in MINIBATCHES:
                name = f"pass/{game}/{kind}/{products}/C{steps}-M{games}"
                work = partial(_passing, game, kind, products, steps, games)
                yield Part(name, work, f"{PASS_AIM}/{game}/{kind}")
            look = partial(_looking, game, kind, products)
            yield Part(f"look/{game}/{kind}/{products}", look)
    for kind in plans.KINDS:
        for steps, games in BATCHES:
            work = partial(_learning, game, kind, steps, games)
            name = f"learn/{game}/{kind}/T{steps}-B{games}"
            yield Part(name, work, f"torch/{game}/{kind}/learn")
    for steps, games in BATCHES:
        yield Part(f"stack_games/{game}/T{steps}-B{games}", partial(_collating, game, steps, games))
    for listeners in LISTENERS:
        yield Part(f"weights/{game}/{listeners}-actors", partial(_publishing, game, listeners))


@contextmanager
def _passing(game: str, kind: Kind, products: Products, steps: int, games: int) -> Iterator[Work]:
    """A minibatch, all of it: shuffled, looked at, and learned from."""
    trainer, segments = _learner(game, kind, steps, games, products)
    weights = trainer.scheduled_values()
    chunks, _ = make_chunks(trainer, [stack_games(segments, CPU)], weights, steps)

    def go() -> None:
        for part in chunks.shuffled_minibatches(1):
            loss, _ = minibatch_loss(trainer, part, weights, with_moa=True)
            trainer.update(loss, weights)

    yield Work(go, steps * games, also={"updates": 1})


@contextmanager
def _looking(game: str, kind: Kind, products: Products) -> Iterator[Work]:
    """What comes before the passes: values, advantages, chunks."""
    steps, games = MINIBATCHES[0]
    trainer, segments = _learner(game, kind, steps, games, products)
    batch, weights = stack_games(segments, CPU), trainer.scheduled_values()
    yield Work(lambda: make_chunks(trainer, [batch], weights, steps), steps * games)


@contextmanager
def _learning(game: str, kind: Kind, steps: int, games: int) -> Iterator[Work]:
    trainer, segments = _learner(game, kind, steps, games)
    batch = stack_games(segments, CPU)
    yield Work(lambda: vtrace_update(trainer, batch), steps * games, also={"updates": 1})


@contextmanager
def _collating(game: str, steps: int, games: int) -> Iterator[Work]:
    _, segments = _learner(game, "moa", steps, games)
    yield Work(lambda: stack_games(segments, CPU), steps * games)


def _learner(
    game: str, kind: Kind, steps: int, games: int, products: Products = "float32"
) -> tuple[Trainer, list[Segment]]:
    """A trainer, and segments that make a batch of so many games."""
    plan = plans.plan_for(game, kind)
    rates = {"lr_init": SMALLEST_RATE, "lr_end": 0.0, "moa_lr": SMALLEST_RATE}
    learning = plan.learning.model_copy(update=rates | {"matmul_dtype": products})
    shape = inputs.shape_of(plan)
    trainer = Trainer(shape, plan.network, plan.experiment, learning, CPU, plan.run.seed)
    segment = inputs.segment_of(game, steps, LANE, trainer.network.state_size)
    return trainer, [segment] * (games // LANE)


@contextmanager
def _publishing(game: str, listeners: int) -> Iterator[Work]:
    """Encoded once and published; every subscriber reads and checks them. All in one process."""
    network = inputs.mind_of(plans.plan_for(game, "moa")).network
    learned, versions = inputs.weights_of(network, 0), count(1)
    shapes: Shapes = {name: tensor.shape for name, tensor in learned.tensors.items()}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ssd-"))
        publisher = stack.enter_context(closing(Publisher(f"ipc://{folder}/weights")))
        subscribers = [
            stack.enter_context(closing(Subscriber(publisher.endpoint))) for _ in range(listeners)
        ]

        def go() -> None:
            version = next(versions)
            frame = encode_weights(replace(learned, version=version))
            publisher.publish(frame)
            for subscriber in subscribers:
                _hear(subscriber, version, shapes, partial(publisher.publish, frame))

        go()  # until all subscriptions have reached the publisher
        gigabytes = listeners * len(encode_weights(learned)) / 1e9
        yield Work(go, listeners, "messages", also={"GB": gigabytes}, clock=time.perf_counter)


def _hear(subscriber: Subscriber, version: int, shapes: Shapes, again: Callable[[], None]) -> None:
    """Read until it is this version; what a subscriber has missed is published again."""
    for _ in range(PATIENCE_MS // AGAIN_MS):
        if not subscriber.socket.poll(AGAIN_MS):
            again()
            continue
        frame = subscriber.newest()
        if frame is not None and decode_weights(frame, shapes).version == version:
            return
    raise RuntimeError(f"weights {version} did not arrive in {PATIENCE_MS / 1000:.0f} s")
