"""One agent's network: a convolution, a policy on it, and where wanted a model of other agents.

Time, as in the paper: at t the agent sees s_t and acts a_t; everyone's a_t is known with s_{t+1}.
Stepping (`features`, `policy_step`, and the model's `step` or `counterfactuals`) is how an agent
lives; `unroll` is how it learns. Both give the same numbers.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ssd_influence.layers import RELU_GAIN, LstmState
from ssd_influence.moa import ModelOfOthers
from ssd_influence.policy import Policy, PolicyStep
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_influence.sight import see

KERNEL = 3


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
        if self.view < KERNEL:
            raise ValueError(f"a view is at least {KERNEL} pixels wide, not {self.view}")
        if self.palette.dtype != np.uint8 or self.palette.shape != (len(self.palette), 3):
            raise ValueError(
                f"a palette is uint8 [P, 3], not {self.palette.dtype} {list(self.palette.shape)}"
            )

    @property
    def others(self) -> tuple[int, ...]:
        """The numbers of the J = N − 1 other agents, ascending: the order of every J axis."""
        return tuple(j for j in range(self.num_agents) if j != self.agent)


class Features(NamedTuple):
    """What is made of views before anything is remembered: each [..., hidden] float."""

    policy: Tensor
    moa: Tensor | None  # None without a MOA


class AgentState(NamedTuple):
    """All that an agent remembers in B games."""

    policy: LstmState
    moa: LstmState | None  # None without a MOA


class Unroll(NamedTuple):
    """What a segment of T steps looks like to the network now."""

    policy_logits: Tensor  # [T+1, B, A]
    values: Tensor  # [T+1, B]
    moa_logits: Tensor | None  # [T, B, J, A] of a_{t+1} at t = 0 … T−1; None without a MOA


class AgentNetwork(nn.Module):
    """The network of figure 6; without a MOA, of the A3C and visible-actions agents."""

    palette: Tensor

    def __init__(
        self, shape: AgentShape, network: NetworkSettings, experiment: ExperimentSettings
    ) -> None:
        super().__init__()
        if experiment.has_moa and shape.num_agents < 2:
            raise ValueError("a model of other agents needs another agent")
        colours = torch.from_numpy(shape.palette.astype(np.float32) / 255)
        self.register_buffer("palette", colours, persistent=False)  # [P, 3]
        self.conv = nn.Conv2d(3, network.conv_channels, KERNEL)
        nn.init.orthogonal_(self.conv.weight, RELU_GAIN)
        nn.init.zeros_(self.conv.get_parameter("bias"))
        seen = network.conv_channels * (shape.view - KERNEL + 1) ** 2
        self.policy = Policy(
            inputs=seen,
            hidden=network.hidden,
            cells=network.lstm,
            others=shape.others if experiment.visible_actions else (),
            num_actions=shape.num_actions,
        )
        self.moa = (
            None
            if not experiment.has_moa
            else ModelOfOthers(
                inputs=seen,
                hidden=network.hidden,
                cells=network.moa_lstm,
                agent=shape.agent,
                num_agents=shape.num_agents,
                num_actions=shape.num_actions,
            )
        )

    @property
    def state_size(self) -> int:
        """Floats of recurrent state per game: [h | c] of the policy, then [h | c] of the MOA."""
        return sum(self._cells())

    def initial_state(self, batch: int) -> Tensor:
        """[B, state_size] zeros, where the network's weights are."""
        return self.palette.new_zeros(batch, self.state_size)

    def split_state(self, flat: Tensor) -> AgentState:
        """[B, state_size] taken apart, without a copy."""
        h, c, *moa = flat.split_with_sizes(self._cells(), -1)
        return AgentState(LstmState(h, c), LstmState(*moa) if moa else None)

    def join_state(self, state: AgentState) -> Tensor:
        """The flat form [B, state_size] of a state."""
        return torch.cat([*state.policy, *(state.moa or ())], -1)

    def features(self, pixels: Tensor) -> Features:
        """What the policy and the MOA make of views, from one convolution.

        Args:
            pixels: [..., V, V] uint8 palette indices.
        """
        torsos = [self.policy.torso] if self.moa is None else [self.policy.torso, self.moa.torso]
        seen = see(
            pixels.flatten(0, -3),
            self.palette,
            self.conv.weight,
            self.conv.get_parameter("bias"),
            torch.cat([torso.fc1.weight for torso in torsos]),
            torch.cat([torso.fc1.bias for torso in torsos]),
        ).view(*pixels.shape[:-2], -1)
        policy, *moa = (t(x) for t, x in zip(torsos, seen.chunk(len(torsos), -1), strict=True))
        return Features(policy, moa[0] if moa else None)

    def policy_step(
        self, features_t: Tensor, actions_tm1: Tensor, first_t: Tensor, state: LstmState
    ) -> PolicyStep:
        """Logits and value of s_t; see `Policy.step`."""
        return self.policy.step(features_t, actions_tm1, first_t, state)

    def unroll(self, pixels: Tensor, first: Tensor, actions: Tensor, state: Tensor) -> Unroll:
        """A whole segment at once, differentiably.

        Args:
            pixels: [T+1, B, V, V] uint8, s_0 … s_T.
            first: [T+1, B] bool **on the host**: where episodes start decides how the sequence is
                cut, and a device would have to be waited for. Pinned memory is copied unwaited.
            actions: [T+2, B, N] integer, a_{−1} … a_T; the last is nobody's input.
            state: [B, state_size] at the segment's start, before any reset at s_0.

        Raises:
            ValueError: `first` is on a device.
        """
        if first.device.type != "cpu":
            raise ValueError(f"first must be on the host, to be read, not on {first.device}")
        starts = [t for t, games in enumerate(first.tolist()) if t > 0 and any(games)]
        first = first.to(pixels.device, non_blocking=True)
        features = self.features(pixels)
        memory = self.split_state(state)
        logits, values = self.policy.unroll(
            features.policy, actions[:-1], first, starts, memory.policy
        )
        if self.moa is None or features.moa is None or memory.moa is None:
            return Unroll(logits, values, None)
        last = len(pixels) - 1
        moa_logits = self.moa.unroll(
            features.moa[:last],
            actions[1:-1],
            first[:last],
            [t for t in starts if t < last],
            memory.moa,
        )
        return Unroll(logits, values, moa_logits)

    def _cells(self) -> list[int]:
        sizes = [self.policy.lstm.hidden_size] * 2
        return sizes if self.moa is None else sizes + [self.moa.lstm.hidden_size] * 2
