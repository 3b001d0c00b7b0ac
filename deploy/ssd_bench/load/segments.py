"""Made-up segments: of the right shapes and in range, with episodes where a run has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd_actors.draft import Draft, SegmentShape
from ssd_actors.lane import Finished
from ssd_envs.spec import game_spec
from ssd_influence.network import AgentShape, make_network
from ssd_learner.cli import axes
from ssd_run.plan import Plan
from ssd_wire.weights import Shapes


@dataclass(frozen=True, eq=False)
class Cast:
    """What an actor of a run must know to speak with its learner.

    Attributes:
        plan: The run file.
        agent: Which agent.
        shape: Of its segments.
        tensors: Shapes of its network's tensors, by name.
        sizes: Lengths of the run's axes.
    """

    plan: Plan
    agent: int
    shape: SegmentShape
    tensors: Shapes
    sizes: dict[str, int]


def cast(plan: Plan, agent: int) -> Cast:
    """What agent `agent` of this run is like.

    Raises:
        ValueError: when there is no such agent.
    """
    spec, run = game_spec(plan.game), plan.run
    network = make_network(
        AgentShape(agent, spec.num_agents, spec.num_actions, spec.view, spec.palette),
        plan.network,
        plan.experiment,
    )
    return Cast(
        plan=plan,
        agent=agent,
        shape=SegmentShape.of(run, spec, plan.experiment, network.state_size),
        tensors={name: tuple(tensor.shape) for name, tensor in network.named_parameters()},
        sizes=axes(run, spec, plan.experiment, network.state_size),
    )


def draw(cast: Cast, count: int, seed: int = 0) -> tuple[Finished, ...]:
    """So many distinct segments, ready to be numbered, over and over.

    Views, visibility and actions are uniform, as random play's nearly are; rewards are rare, as
    apples are; log-probabilities are those of a uniform policy.
    """
    rng = np.random.default_rng((seed, cast.agent))
    return tuple(_segment(cast, rng) for _ in range(count))


def _segment(cast: Cast, rng: np.random.Generator) -> Finished:
    t, b, n = cast.shape.steps, cast.shape.games, cast.shape.agents
    colours, actions = cast.sizes["P"], cast.sizes["A"]
    draft = Draft(cast.shape, 0, 0, np.tanh(rng.normal(0, 1, (b, cast.shape.state))).astype("f4"))
    draft.pixels[:] = rng.integers(0, colours, draft.pixels.shape, np.uint8)
    draft.first[:] = _firsts(t, b, cast.plan.game.horizon, rng)
    draft.visible[:] = rng.random(draft.visible.shape) < 0.3
    draft.visible[:, :, cast.agent] = True
    draft.actions[:] = rng.integers(0, actions, draft.actions.shape, np.uint8)
    draft.log_prob[:] = -np.log(actions)
    draft.reward[:] = rng.random((t, b)) < 0.05
    draft.influence[:] = rng.exponential(1e-3, (t, b)) * ~draft.first[1:]
    if draft.symbols is not None and draft.symbol_log_prob is not None:
        symbols = cast.plan.experiment.symbols
        draft.symbols[:] = rng.integers(0, symbols, draft.symbols.shape, np.uint8)
        draft.symbol_log_prob[:] = -np.log(symbols)
    if draft.shaped is not None:
        draft.shaped[:] = draft.reward
    draft.steps = t
    return Finished(draft, rng.integers(0, actions, (b, n), np.uint8))


def _firsts(steps: int, games: int, horizon: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """[T+1, B] where episodes start: every `horizon` steps, games apart by multiples of T."""
    phase = steps * rng.integers(0, max(1, horizon // steps), games)
    firsts: NDArray[np.bool_] = (phase + np.arange(steps + 1)[:, None]) % horizon == 0
    return firsts
