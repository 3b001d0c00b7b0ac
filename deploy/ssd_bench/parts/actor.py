"""What an actor computes: its decisions, a whole step with influence, and the counterfactuals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count, cycle

import numpy as np
import torch
from torch import Tensor

from ssd_actors.lane import Lane
from ssd_actors.segment_builder import SegmentShape
from ssd_bench.parts import inputs, plans
from ssd_bench.parts.plans import Kind
from ssd_bench.parts.timing import Part, Work
from ssd_influence.inference.kernel_inference import Inference
from ssd_influence.networks.lstm import LstmState
from ssd_influence.networks.model_of_others import ModelOfOthers
from ssd_wire.codec import encode

Imagine = Callable[[ModelOfOthers, Tensor, Tensor, Tensor, LstmState], object]


def parts(game: str) -> Iterator[Part]:
    """In batches of 16, 64 and 256 games."""
    act, live = f"torch/{game}/baseline/act", f"torch/{game}/moa/live"
    imagine = f"torch/{game}/moa/imagine"
    for name, work, ceiling in (
        (f"decide/{game}/baseline", _deciding, act),
        (f"live/{game}/baseline", partial(_living, "baseline"), act),
        (f"live/{game}/moa", partial(_living, "moa"), live),
        (f"imagine/{game}/actor", _recalling, imagine),
        (f"imagine/{game}/factorised", partial(_imagining, factorised), imagine),
        (f"imagine/{game}/brute", partial(_imagining, brute_force), imagine),
    ):
        for games in plans.GAMES:
            yield Part(f"{name}/B{games}", partial(work, game, games), ceiling)


@contextmanager
def _deciding(game: str, games: int) -> Iterator[Work]:
    """The policy alone, from views to drawn actions."""
    mind = inputs.mind_of(plans.plan_for(game, "baseline", games))
    shown = cycle(inputs.timesteps(game, games))
    state = mind.fresh_state()
    yield Work(lambda: mind.decide(next(shown), state), games)


@contextmanager
def _living(kind: Kind, game: str, games: int) -> Iterator[Work]:
    """All that an actor does in a step but reading and writing its sockets.

    It reckons the last step, its influence included, decides, and writes down; every T steps it
    encodes a segment and takes new weights.
    """
    plan = plans.plan_for(game, kind, games)
    mind = inputs.mind_of(plan)
    spec, state_size = plans.spec_of(plan), mind.network.state_size
    lane = Lane(0, mind, SegmentShape.of(plan.run, spec, plan.experiment, state_size))
    learned = inputs.weights_of(inputs.mind_of(plan).network, 0)
    shown, versions = cycle(inputs.timesteps(game, games)[: plans.STEPS]), count(1)

    def go() -> None:
        seen = next(shown)
        finished = lane.reckon(seen)
        if finished is not None:
            encode(finished.draft.finish(1, 1, lane.number, finished.last_actions))
        if lane.wants_segment:
            lane.begin_segment(seen, replace(learned, version=next(versions)))
        lane.act(seen)

    yield Work(go, games)


@contextmanager
def _recalling(game: str, games: int) -> Iterator[Work]:
    """As actors do it on a CPU, and for every game, whether or not anybody is in view."""
    plan = plans.plan_for(game, "moa", games)
    inference = Inference(inputs.mind_of(plan).network, games)
    seen, state = inputs.timesteps(game, games)[0], inference.fresh_state()
    noise = np.ones((games, plans.spec_of(plan).num_actions), np.float32)
    inference.decide(seen.pixels, seen.actions, seen.is_first, noise, state)
    is_first, everyone = np.zeros(games, np.bool_), np.arange(games)
    yield Work(lambda: inference.recall(seen.actions, is_first, state, everyone), games)


@contextmanager
def _imagining(imagine: Imagine, game: str, games: int) -> Iterator[Work]:
    """As the network itself does it, on any device."""
    mind = inputs.mind_of(plans.plan_for(game, "moa", games))
    model = mind.network.moa
    assert model is not None, "the preset has a model of others"  # noqa: S101 - told to mypy
    seen = inputs.timesteps(game, games)[0]
    with torch.inference_mode():
        features = mind.network.features(torch.from_numpy(seen.pixels)).moa
        state = LstmState(*(torch.rand(games, model.lstm.hidden_size) for _ in range(2)))
    assert features is not None, "and so are its features"  # noqa: S101 - told to mypy
    actions, is_first = torch.from_numpy(seen.actions), torch.from_numpy(np.zeros(games, np.bool_))
    yield Work(lambda: imagine(model, features, actions, is_first, state), games)


def factorised(
    model: ModelOfOthers, features: Tensor, actions: Tensor, is_first: Tensor, state: LstmState
) -> Tensor:
    """All own actions at once: [B, A, J, A] logits of a_{t+1}."""
    with torch.inference_mode():
        return model.counterfactuals(features, actions, is_first, state).logits


def brute_force(
    model: ModelOfOthers, features: Tensor, actions: Tensor, is_first: Tensor, state: LstmState
) -> Tensor:
    """The same, by asking the model once for each own action, and once for what was done."""
    imagined = []
    with torch.inference_mode():
        for own in range(model.num_actions):
            instead = actions.clone()
            instead[:, model.agent] = own
            imagined.append(model.step(features, instead, is_first, state).logits)
        model.step(features, actions, is_first, state)
        return torch.stack(imagined, 1)
