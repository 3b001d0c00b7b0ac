"""One lane as an agent lives it: its memory, its open segment, and what is not yet reckoned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd_actors.agent import Agent
from ssd_actors.intrinsic.transition import Moment, Past
from ssd_actors.segment_builder import SegmentBuilder, SegmentShape
from ssd_wire.messages import Act, Timestep
from ssd_wire.weights import Weights


@dataclass(frozen=True, eq=False)
class _Debt:
    """An intrinsic reward still to be written into a draft, once one more timestep is here."""

    draft: SegmentBuilder
    step: int
    past: Past


@dataclass(frozen=True, eq=False)
class Finished:
    """A segment of which everything is known; it only wants a number."""

    draft: SegmentBuilder
    last_actions: NDArray[np.uint8]


class Lane:
    """What agent k knows of one lane of games.

    Args:
        number: Which lane.
        mind: This lane's own: an open segment keeps the weights it began with.
        shape: Of its segments.

    Attributes:
        tick: The last one answered, −1 for none.
        env_incarnation: The world incarnation it is in, 0 for none.
        discarded: Segments given up because the world started anew.
    """

    def __init__(self, number: int, mind: Agent, shape: SegmentShape) -> None:
        self.number = number
        self.mind = mind
        self.shape = shape
        self.discarded = 0
        self._open: SegmentBuilder | None = None
        self._closed: SegmentBuilder | None = None
        self.enter(env_incarnation=0)

    def enter(self, env_incarnation: int) -> None:
        """Begin in a world, remembering nothing; an open segment of another world is given up."""
        self.discarded += sum(draft is not None for draft in (self._open, self._closed))
        self.env_incarnation = env_incarnation
        self.tick = -1
        self._memory = self.mind.fresh_state()
        self._social = self.mind.fresh_social_reward()
        self._open = None
        self._closed = None
        self._moment: Moment | None = None
        self._debt: _Debt | None = None

    @property
    def wants_segment(self) -> bool:
        """Whether the next step will be the first of a new segment."""
        return self._open is None or self._open.is_full

    def reckon(self, seen: Timestep) -> Finished | None:
        """Settle what the timestep t + 1 tells about the steps before it.

        Everyone moved at the same instant, so what step t was worth, in reward and in influence,
        can be written down only now that t + 1 is here; and with a_t here, so are the influence of
        t − 1 where it waits for that, and the end of a segment whose last step was t − 1.

        Returns:
            The segment that this completes, if it does.
        """
        if self._debt is not None:
            self._pay(self._debt, seen)
            self._debt = None
        finished = None
        if self._closed is not None:
            finished = Finished(self._closed, seen.actions)
            self._closed = None
        if self._open is not None and self._moment is not None:
            self._reward(self._open, seen)
            self._reckon_influence(self._open, self._moment, seen)
        return finished

    def begin_segment(self, seen: Timestep, weights: Weights) -> None:
        """Close the full segment with its last view, and begin the next with the newest weights."""
        if self._open is not None:
            self._open.see(seen)
            self._closed = self._open
        if (self.mind.learner_incarnation, self.mind.version) != (
            weights.learner_incarnation,
            weights.version,
        ):
            self.mind.take(weights)
        state = self._memory.joined()
        self._open = SegmentBuilder(
            self.shape, self.mind.learner_incarnation, self.mind.version, state
        )

    def act(self, seen: Timestep) -> Act:
        """Decide what to do in every game at this timestep, and remember it."""
        if self._open is None:
            raise ValueError("no segment is open: begin one first")
        self._moment = self.mind.decide(seen, self._memory)
        self._open.see(seen)
        self._open.act(self._moment.decision)
        self.tick = seen.tick
        return self.mind.act(self._moment)

    def _reward(self, draft: SegmentBuilder, seen: Timestep) -> None:
        draft.reward[draft.steps - 1] = seen.reward
        if (
            self._social is not None
            and draft.shaped_reward is not None
            and seen.all_rewards is not None
        ):
            draft.shaped_reward[draft.steps - 1] = self._social.shape(
                seen.all_rewards, seen.is_first
            )

    def _reckon_influence(self, draft: SegmentBuilder, moment: Moment, seen: Timestep) -> None:
        past = self.mind.recall(moment, seen, self._memory)
        intrinsic = self.mind.intrinsic
        if intrinsic is None:
            return
        debt = _Debt(draft, draft.steps - 1, past)
        if intrinsic.waits:
            self._debt = debt
        else:
            self._pay(debt, None)

    def _pay(self, debt: _Debt, after: Timestep | None) -> None:
        debt.draft.influence[debt.step] = self.mind.reward(debt.past, after)
