"""Which agent a network is for, and the sizes of its inputs and outputs. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssd_influence.array_types import U8

KERNEL_SIZE = 3  # side of the convolution's windows, in pixels


@dataclass(frozen=True, eq=False)
class AgentShape:
    """Which agent, and the sizes of its environment.

    Attributes:
        agent: the agent's number k, 0 … num_agents − 1.
        num_agents: N.
        num_actions: A.
        view: side of the square view, in pixels.
        palette: [P, 3] uint8, the colour of each palette index.
    """

    agent: int
    num_agents: int
    num_actions: int
    view: int
    palette: U8

    def __post_init__(self) -> None:
        if not 0 <= self.agent < self.num_agents:
            raise ValueError(f"agent: wanted 0 … {self.num_agents - 1}, found {self.agent}")
        if self.num_actions < 1:
            raise ValueError(f"num_actions: wanted at least 1, found {self.num_actions}")
        if self.view < KERNEL_SIZE:
            raise ValueError(f"view: wanted at least {KERNEL_SIZE} pixels, found {self.view}")
        if self.palette.dtype != np.uint8 or self.palette.shape != (len(self.palette), 3):
            found = f"{self.palette.dtype} {list(self.palette.shape)}"
            raise ValueError(f"palette: wanted uint8 [P, 3], found {found}")

    @property
    def others(self) -> tuple[int, ...]:
        """The numbers of the J = N − 1 other agents, ascending: the order of every J axis."""
        return tuple(j for j in range(self.num_agents) if j != self.agent)
