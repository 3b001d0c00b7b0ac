"""Which agent a network is for, and the sizes of its inputs and outputs. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

KERNEL_SIZE = 3  # side of the convolution's windows, in pixels


@dataclass(frozen=True, eq=False)
class AgentShape:
    """What a network must know of the world: who it is, and how wide everything is.

    Attributes:
        agent: the number k of the agent, 0 … num_agents − 1.
        num_agents: N.
        num_actions: A.
        view: side of the square view, in pixels.
        palette: [P, 3] uint8, the colour of each palette index.
    """

    agent: int
    num_agents: int
    num_actions: int
    view: int
    palette: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if not 0 <= self.agent < self.num_agents:
            raise ValueError(f"agent {self.agent} is not one of 0 … {self.num_agents - 1}")
        if self.num_actions < 1:
            raise ValueError(f"an agent needs an action to take, not {self.num_actions}")
        if self.view < KERNEL_SIZE:
            raise ValueError(f"a view is at least {KERNEL_SIZE} pixels wide, not {self.view}")
        if self.palette.dtype != np.uint8 or self.palette.shape != (len(self.palette), 3):
            raise ValueError(
                f"a palette is uint8 [P, 3], not {self.palette.dtype} {list(self.palette.shape)}"
            )

    @property
    def others(self) -> tuple[int, ...]:
        """The numbers of the J = N − 1 other agents, ascending: the order of every J axis."""
        return tuple(j for j in range(self.num_agents) if j != self.agent)
