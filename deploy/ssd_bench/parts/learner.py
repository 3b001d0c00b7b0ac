"""The learner's updates, by PPO and by V-trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

from ssd_bench.parts import inputs
from ssd_bench.parts.ceilings import PRODUCTS
from ssd_bench.parts.timing import Part, Work
from ssd_learner.ppo.losses import minibatch_loss
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import stack_games
from ssd_learner.trainer import Trainer
from ssd_learner.vtrace.update import vtrace_update
from ssd_wire.messages import Segment

BATCHES = ((50, 32), (50, 128), (100, 32))  # T and B of V-trace's updates
MINIBATCHES = ((50, 80), (50, 240), (20, 600))  # steps of a chunk, and chunks, of PPO's
LANE = 16  # B of one segment; a batch holds several
CPU = torch.device("cpu")
SMALLEST_RATE = 1e-12  # thousands of updates on one batch then change nothing


def parts(game: str) -> Iterator[Part]:
    """With and without a model of others."""
    for kind in inputs.KINDS:
        for products in PRODUCTS:
            limit = f"products/{game}/{kind}/{products}/learn"
            for steps, chunks in MINIBATCHES:
                name = f"ppo/{game}/{kind}/{products}/C{steps}-M{chunks}"
                yield Part(name, partial(_ppo, game, kind, products, steps, chunks), limit)
        for steps, games in BATCHES:
            name = f"vtrace/{game}/{kind}/T{steps}-B{games}"
            in_torch = f"torch/{game}/{kind}/learn"
            yield Part(name, partial(_vtrace, game, kind, steps, games), in_torch)


@contextmanager
def _ppo(game: str, kind: str, products: str, steps: int, games: int) -> Iterator[Work]:
    """One update from one minibatch, shuffling included."""
    trainer, segments = _learner(game, kind, steps, games, products)
    scheduled = trainer.scheduled_values()
    chunks, _ = make_chunks(trainer, [stack_games(segments, CPU)], scheduled, steps)

    def call() -> None:
        for minibatch in chunks.shuffled_minibatches(1):
            loss, _ = minibatch_loss(trainer, minibatch, scheduled, with_moa=True)
            trainer.update(loss, scheduled)

    yield Work(call, steps * games, also={"updates": 1})


@contextmanager
def _vtrace(game: str, kind: str, steps: int, games: int) -> Iterator[Work]:
    trainer, segments = _learner(game, kind, steps, games, "float32")
    batch = stack_games(segments, CPU)
    yield Work(lambda: vtrace_update(trainer, batch), steps * games, also={"updates": 1})


def _learner(
    game: str, kind: str, steps: int, games: int, products: str
) -> tuple[Trainer, list[Segment]]:
    """A trainer, and segments that make a batch of so many games."""
    config = inputs.config_for(game, kind)
    rates = {"lr_init": SMALLEST_RATE, "lr_end": 0.0, "moa_lr": SMALLEST_RATE}
    learning = config.learning.model_copy(update=rates | {"matmul_dtype": products})
    shape = inputs.shape_of(config)
    trainer = Trainer(shape, config.network, config.experiment, learning, CPU, config.run.seed)
    segment = inputs.segment_of(game, steps, LANE, trainer.network.state_size)
    return trainer, [segment] * (games // LANE)
