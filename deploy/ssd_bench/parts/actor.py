"""What an actor computes: actions, whole steps with influence, and the counterfactuals alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count, cycle

import numpy as np

from ssd_actors.lane import Lane
from ssd_bench.parts import inputs
from ssd_bench.parts.timing import Part, Work
from ssd_envs.spec import game_spec
from ssd_influence.inference.kernel_inference import KernelInference
from ssd_wire.codec import encode


def parts(game: str) -> Iterator[Part]:
    """In batches of 16, 64 and 256 games."""
    for name, work, ceiling in (
        (f"act/{game}/baseline", _act, "baseline/act"),
        (f"step/{game}/baseline", partial(_step, "baseline"), "baseline/step"),
        (f"step/{game}/moa", partial(_step, "moa"), "moa/step"),
        (f"counterfactuals/{game}/moa", _counterfactuals, "moa/counterfactuals"),
    ):
        for games in inputs.GAMES:
            part = partial(work, game, games)
            yield Part(f"{name}/B{games}", part, f"torch/{game}/{ceiling}")


@contextmanager
def _act(game: str, games: int) -> Iterator[Work]:
    """The policy alone, from views to sampled actions."""
    agent = inputs.agent_of(inputs.config_for(game, "baseline", games))
    played = cycle(inputs.timesteps(game, games))
    state = agent.initial_state()
    yield Work(lambda: agent.decide(next(played), state), games)


@contextmanager
def _step(kind: str, game: str, games: int) -> Iterator[Work]:
    """All that an actor does in a step, except for its sockets.

    It completes the last step with its influence, acts, and stores the step; every T steps it
    encodes a segment and loads new weights.
    """
    config = inputs.config_for(game, kind, games)
    agent = inputs.agent_of(config)
    lane = Lane(0, agent, replace(agent.dims, T=config.run.segment))
    learned = inputs.weights_of(inputs.agent_of(config).network, 0)
    played, versions = cycle(inputs.timesteps(game, games)[: inputs.STEPS]), count(1)

    def call() -> None:
        timestep = next(played)
        segment = lane.complete_step(timestep)
        if segment is not None:
            encode(segment.build(epoch=1, seq=1, lane=lane.index))
        if lane.needs_segment:
            lane.begin_segment(timestep, replace(learned, version=next(versions)))
        lane.act(timestep)

    yield Work(call, games)


@contextmanager
def _counterfactuals(game: str, games: int) -> Iterator[Work]:
    """As actors compute them, for all games, whether or not any agent is in view."""
    config = inputs.config_for(game, "moa", games)
    inference = KernelInference(inputs.agent_of(config).network, games)
    timestep, state = inputs.timesteps(game, games)[0], inference.initial_state()
    noise = np.ones((games, game_spec(config.game).num_actions), np.float32)
    inference.decide(timestep.pixels, timestep.actions, timestep.is_first, noise, state)
    happened = (timestep.actions, np.zeros(games, np.bool_), state, np.arange(games))
    yield Work(lambda: inference.predict_others(*happened), games)
