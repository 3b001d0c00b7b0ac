"""The lengths of all axes of a run's messages, in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sized
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol


class GameShape(Protocol):
    """What a game and its agents agree on: `ssd_envs.spec.GameSpec` has it, `AgentShape` too."""

    @property
    def num_agents(self) -> int:
        """N."""

    @property
    def num_actions(self) -> int:
        """A."""

    @property
    def view(self) -> int:
        """W."""

    @property
    def palette(self) -> Sized:
        """P colours."""


@dataclass(frozen=True)
class Dims:
    """The length of each axis of one agent's messages.

    An optional axis has length 0 where the agent's messages lack the arrays that have it.

    Attributes:
        B: games in a lane.
        N: agents.
        A: actions.
        W: cells on each side of a view.
        P: palette colours.
        T: steps in a segment; 0 in a process that handles no segments.
        S: floats of recurrent state per game; 0 in a process that handles no segments.
        V: symbols that an agent can send. Optional, like all that follow.
        L: leaders: agents whose actions of the same step this agent sees before it acts.
        Q: leaders that also reveal their log-probabilities: L or 0.
        D: 1 if this agent reveals its log-probabilities to its followers.
        K: agents to which this agent sends its responses.
        J: agents that send their responses to this agent.
        C: alternatives (actions or symbols) that a response covers.
        R: agents whose rewards this agent receives: N or 0.
    """

    B: int
    N: int
    A: int
    W: int
    P: int
    T: int = 0
    S: int = 0
    V: int = 0
    L: int = 0
    Q: int = 0
    D: int = 0
    K: int = 0
    J: int = 0
    C: int = 0
    R: int = 0

    @classmethod
    def of(cls, game: GameShape, games: int, **others: int) -> Dims:
        """The dims of an agent's messages.

        Args:
            game: The game, or the agent's shape.
            games: B.
            **others: T, S and the optional axes, where they are not 0.
        """
        return cls(
            B=games,
            N=game.num_agents,
            A=game.num_actions,
            W=game.view,
            P=len(game.palette),
            **others,
        )

    @cached_property
    def lengths(self) -> Mapping[str, int]:
        """The length of each axis by its letter, as the codec takes it."""
        return dataclasses.asdict(self)
