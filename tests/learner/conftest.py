"""A small agent, and segments for it. All its axes differ, so that no two can be mixed up."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from tests.learner.harness import FINGERPRINT

from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.segments.batch import Batch, stack_games
from ssd_learner.settings import LearningSettings
from ssd_learner.trainer import Trainer
from ssd_wire.messages import Hello, Message, Segment

AGENTS, ACTIONS, STEPS, GAMES, VIEW, COLOURS = 4, 7, 8, 5, 6, 11
SIZES = NetworkSettings(conv_channels=2, hidden=13, lstm=12, moa_lstm=14)
CPU = torch.device("cpu")
DEFAULTS = {  # products are not rounded, weights do not decay
    "algorithm": "vtrace",
    "matmul_dtype": "float32",
    "weight_decay": 0.0,
}
EXPERIMENT = {"influence": "moa", "reward_clip": float("inf")}
Stream = tuple[Segment, list[Segment]]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(20)


@pytest.fixture
def make_shape() -> Callable[..., AgentShape]:
    def make(agent: int = 1) -> AgentShape:
        palette = np.random.default_rng(3).integers(0, 256, (COLOURS, 3)).astype(np.uint8)
        return AgentShape(agent, AGENTS, ACTIONS, VIEW, palette)

    return make


@pytest.fixture
def make_trainer(make_shape: Callable[..., AgentShape]) -> Callable[..., Trainer]:
    """Trainers with larger logits than those of a new agent, whose policies are near uniform."""

    def make(
        agent: int = 1,
        seed: int = 5,
        sizes: NetworkSettings = SIZES,
        experiment: dict[str, object] | None = None,
        logit_scale: float = 400.0,
        device: torch.device = CPU,
        **learning: object,
    ) -> Trainer:
        trainer = Trainer(
            make_shape(agent),
            sizes,
            ExperimentSettings.model_validate(EXPERIMENT | (experiment or {})),
            LearningSettings.model_validate(DEFAULTS | learning),
            device,
            seed,
        )
        policy, moa = trainer.network.policy, trainer.network.moa
        with torch.no_grad():
            policy.logits.weight.mul_(logit_scale)
            if moa is not None:
                moa.logits.weight.mul_(logit_scale)
            if policy.communication is not None:
                policy.communication.logits.weight.mul_(logit_scale)
        return trainer

    return make


@pytest.fixture
def make_segment() -> Callable[..., Segment]:
    """Random segments; episodes start at step 0, inside, and at the view after the last step."""

    def make(
        trainer: Trainer, seed: int = 0, steps: int = STEPS, epoch: int = 1, seq: int = 1
    ) -> Segment:
        rng = np.random.default_rng(seed)
        starts = ((0, 0), (steps // 2, 1), (steps // 2, 3), (steps, 2))
        is_first = np.zeros((steps + 1, GAMES), np.bool_)
        is_first[tuple(zip(*starts, strict=True))] = True
        views = (steps + 1, GAMES)
        actions = rng.integers(0, ACTIONS, (steps + 2, GAMES, AGENTS)).astype(np.uint8)
        symbols, experiment = trainer.experiment.symbols, trainer.experiment
        all_symbols = rng.integers(0, max(1, symbols), (*views, AGENTS)).astype(np.uint8)
        symbol_log_prob = -rng.exponential(1.0, (steps, GAMES)).astype(np.float32)
        shaped_reward = rng.normal(0, 1, (steps, GAMES)).astype(np.float32)
        return Segment(
            epoch=epoch,
            seq=seq,
            lane=0,
            learner_incarnation=1,
            weights_version=0,
            pixels=rng.integers(0, COLOURS, (*views, VIEW, VIEW)).astype(np.uint8),
            is_first=is_first,
            visible=rng.random((*views, AGENTS)) < 0.5,
            actions=actions,
            log_prob=-rng.exponential(1.0, (steps, GAMES)).astype(np.float32),
            reward=rng.normal(0, 1, (steps, GAMES)).astype(np.float32),
            influence=rng.exponential(1, (steps, GAMES)).astype(np.float32),
            state=rng.normal(0, 1, (GAMES, trainer.network.state_size)).astype(np.float32),
            symbols=all_symbols if symbols else None,
            symbol_log_prob=symbol_log_prob if symbols else None,
            shaped_reward=None if experiment.reward == "own" else shaped_reward,
        )

    return make


@pytest.fixture
def make_stream(make_segment: Callable[..., Segment]) -> Callable[..., Stream]:
    """One long segment of a lane, and the consecutive segments that an actor would have sent.

    Episodes start at its first step, inside a segment, at a segment's first step, at its second,
    and at the view after the last step; in one game none starts. The recurrent state at the start
    of each later segment is random, as if other weights had computed it.
    """

    def make(
        trainer: Trainer, count: int = 3, steps: int = 4, seed: int = 0, lane: int = 0
    ) -> Stream:
        whole = make_segment(trainer, seed, count * steps)
        is_first = np.zeros_like(whole.is_first)
        for step, game in ((0, 0), (2, 0), (steps, 1), (steps + 1, 2), (2, 3), (count * steps, 3)):
            is_first[min(step, count * steps), game] = True
        whole = replace(whole, is_first=is_first, lane=lane)
        parts = [cut_segment(whole, begin, steps) for begin in range(0, count * steps, steps)]
        states = np.random.default_rng(seed + 99).normal(0, 1, (count, *whole.state.shape))
        others = states.astype(np.float32)[1:]
        return whole, [
            parts[0],
            *(replace(part, state=of) for part, of in zip(parts[1:], others, strict=True)),
        ]

    return make


def cut_segment(whole: Segment, begin: int, steps: int) -> Segment:
    """Some steps of a segment, as a segment of their own."""
    extra = {"pixels": 1, "is_first": 1, "visible": 1, "actions": 2, "symbols": 1}
    arrays = {
        field.name: array[begin : begin + steps + extra.get(field.name, 0)]
        for field in fields(Segment)
        if isinstance(array := getattr(whole, field.name), np.ndarray) and field.name != "state"
    }
    return replace(whole, **arrays, seq=1 + begin // steps)


@pytest.fixture
def make_message(make_segment: Callable[..., Segment]) -> Callable[..., tuple[bytes, Message]]:
    """What an actor sends: its Hello for number 0, otherwise its segment of that number."""

    def make(
        trainer: Trainer, number: int, epoch: int = 7, arena: int = 0
    ) -> tuple[bytes, Message]:
        actor = f"actor {epoch}".encode()
        if number == 0:
            return actor, Hello(trainer.shape.agent, arena, epoch, FINGERPRINT)
        return actor, make_segment(trainer, seed=100 * epoch + number, epoch=epoch, seq=number)

    return make


@pytest.fixture
def make_batch(make_segment: Callable[..., Segment]) -> Callable[..., Batch]:
    def make(trainer: Trainer, seed: int = 0, steps: int = STEPS) -> Batch:
        return stack_games([make_segment(trainer, seed, steps)], CPU)

    return make
