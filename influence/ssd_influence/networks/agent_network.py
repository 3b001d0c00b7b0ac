"""One agent's network: a convolution, a policy on it, and where wanted a model of other agents.

Time, as in the paper: at t the agent sees s_t, acts a_t and says m_t; everyone's a_t and m_t are
known with s_{t+1}, and only what those do whom it follows is known with s_t. Stepping (`features`,
`policy_step`, and the model's `step` or `counterfactuals`) is how an agent lives; `unroll` is how
it learns. Both give the same numbers.

A network of one's own is a subclass: see `make_network`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ssd_influence.networks.agent_shape import KERNEL_SIZE, AgentShape
from ssd_influence.networks.layers import RELU_GAIN
from ssd_influence.networks.lstm import Lstm, LstmState
from ssd_influence.networks.model_of_others import ModelOfOthers
from ssd_influence.networks.policy import Policy, PolicyStep
from ssd_influence.networks.policy_inputs import Told
from ssd_influence.networks.view_encoder import see
from ssd_influence.plugins import own_class
from ssd_influence.roles import part_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings


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
    state: Tensor  # [B, state_size] after the last view, and the last prediction
    symbol_logits: Tensor | None = None  # [T+1, B, V]; None for one who says nothing
    symbol_values: Tensor | None = None  # [T+1, B]


class AgentNetwork(nn.Module):
    """The network of figures 3 and 6; with neither head nor MOA, of the A3C agents.

    Args:
        shape: who the agent is.
        network, experiment: sections of the run file.

    Raises:
        ValueError: the experiment is not for so many agents.

    Attributes:
        shape, experiment: as given.
        part: what the agent has to do with the others.
    """

    palette: Tensor
    products = torch.float32

    def __init__(
        self, shape: AgentShape, network: NetworkSettings, experiment: ExperimentSettings
    ) -> None:
        super().__init__()
        if experiment.has_moa and shape.num_agents < 2:
            raise ValueError("a model of other agents needs another agent")
        self.shape, self.experiment = shape, experiment
        self.part = part_of(experiment, shape.agent, shape.num_agents)
        colours = torch.from_numpy(shape.palette.astype(np.float32) / 255)
        self.register_buffer("palette", colours, persistent=False)  # [P, 3]
        self.conv = nn.Conv2d(3, network.conv_channels, KERNEL_SIZE)
        nn.init.orthogonal_(self.conv.weight, RELU_GAIN)
        nn.init.zeros_(self.conv.get_parameter("bias"))
        seen = network.conv_channels * (shape.view - KERNEL_SIZE + 1) ** 2
        self.policy = Policy(
            inputs=seen,
            hidden=network.hidden,
            cells=network.lstm,
            num_actions=shape.num_actions,
            told=Told(self.part, experiment, shape.num_actions),
            symbols=experiment.symbols,
            embedding=network.communication_embedding,
        )
        self.moa = self._model_of_others(seen, network) if experiment.has_moa else None

    def _model_of_others(self, inputs: int, network: NetworkSettings) -> ModelOfOthers:
        return ModelOfOthers(
            inputs=inputs,
            hidden=network.hidden,
            cells=network.moa_lstm,
            agent=self.shape.agent,
            num_agents=self.shape.num_agents,
            num_actions=self.shape.num_actions,
            symbols=self.experiment.symbols,
            imagines_symbols=self.experiment.influence == "moa_communication",
        )

    def take_products_in(self, kind: torch.dtype) -> None:
        """Have the matrix products of `unroll` taken in this type; all else stays float32.

        Args:
            kind: float32, or bfloat16 where it is faster.
        """
        self.products = kind
        for module in self.modules():
            if isinstance(module, Lstm):
                module.products = kind

    @property
    def cells(self) -> list[int]:
        """Floats per game of h and of c: of the policy, then of the MOA."""
        sizes = [self.policy.lstm.hidden_size] * 2
        return sizes if self.moa is None else sizes + [self.moa.lstm.hidden_size] * 2

    @property
    def state_size(self) -> int:
        """Floats of recurrent state per game: [h | c] of the policy, then [h | c] of the MOA."""
        return sum(self.cells)

    def initial_state(self, batch: int) -> Tensor:
        """[B, state_size] zeros, where the network's weights are."""
        return self.palette.new_zeros(batch, self.state_size)

    def split_state(self, flat: Tensor) -> AgentState:
        """[B, state_size] taken apart, without a copy."""
        h, c, *moa = flat.split_with_sizes(self.cells, -1)
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
            products=self.products,
        ).view(*pixels.shape[:-2], -1)
        policy, *moa = (t(x) for t, x in zip(torsos, seen.chunk(len(torsos), -1), strict=True))
        return Features(policy, moa[0] if moa else None)

    def policy_step(
        self,
        features_t: Tensor,
        actions_tm1: Tensor,
        is_first_t: Tensor,
        state: LstmState,
        leaders_t: Tensor | None = None,
        symbols_tm1: Tensor | None = None,
    ) -> PolicyStep:
        """Logits and values of s_t; see `Policy.step`."""
        return self.policy.step(features_t, actions_tm1, is_first_t, state, leaders_t, symbols_tm1)

    def unroll(
        self,
        pixels: Tensor,
        is_first: Tensor,
        actions: Tensor,
        state: Tensor,
        symbols: Tensor | None = None,
        predictions: int | None = None,
    ) -> Unroll:
        """A sequence of views at once, differentiably: V views, and predictions after P of them.

        A whole segment of T steps has V = T + 1 views, the last of which only bootstraps, and
        P = T; a part of one that others follow has as many of both.

        Args:
            pixels: [V, B, W, W] uint8, s_0 … s_{V−1}.
            is_first: [V, B] bool **on the host**: where episodes start decides how the sequence is
                cut, and a device would have to be waited for. Pinned memory is copied unwaited.
            actions: [V+1, B, N] integer, a_{−1} … a_{V−1}; the last is an input to a policy only
                as what leaders do.
            state: [B, state_size] before s_0, and before any reset at s_0.
            symbols: [V, B, N] or [V+1, B, N] integer, m_{−1} and on; None where nothing is said.
            predictions: P, how often the MOA predicts; V − 1 by default.

        Raises:
            ValueError: `is_first` is on a device.
        """
        if is_first.device.type != "cpu":
            raise ValueError(f"is_first must be on the host, to be read, not on {is_first.device}")
        views = len(pixels)
        last = views - 1 if predictions is None else predictions
        starts = [t for t, games in enumerate(is_first.tolist()) if t > 0 and any(games)]
        is_first = is_first.to(pixels.device, non_blocking=True)
        features = self.features(pixels)
        memory = self.split_state(state)
        policy, policy_state = self.policy.unroll(
            features.policy,
            actions[:views],
            is_first,
            starts,
            memory.policy,
            actions[1 : views + 1].index_select(-1, self.policy.told.leaders),
            None if symbols is None else symbols[:views],
        )
        moa_logits, moa_state = None, memory.moa
        if self.moa is not None and features.moa is not None and memory.moa is not None and last:
            moa_logits, moa_state = self.moa.unroll(
                features.moa[:last],
                actions[1 : last + 1],
                is_first[:last],
                [t for t in starts if t < last],
                memory.moa,
                None if symbols is None else symbols[1 : last + 1],
            )
        after = self.join_state(AgentState(policy_state, moa_state))
        return Unroll(policy.logits, policy.values, moa_logits, after, *policy[2:])


def make_network(
    shape: AgentShape, network: NetworkSettings, experiment: ExperimentSettings
) -> AgentNetwork:
    """The network that a run file asks for: ours, or of a class of the user's own.

    Such a class takes the same three arguments; its own settings are in `network.own`. It may
    make other `features`, or other parts of a policy or model; whatever it overrides, what it
    remembers of a game is [h | c] of the policy, then of the MOA, as `cells` says.

    Raises:
        ValueError: there is no such class, or the experiment is not for so many agents.
    """
    return network_class(network)(shape, network, experiment)


def network_class(network: NetworkSettings) -> type[AgentNetwork]:
    """The class of the network that a run file asks for.

    Raises:
        ValueError: there is no such class.
    """
    ours = network.kind == "paper"
    return AgentNetwork if ours else own_class(network.kind, AgentNetwork)
