"""One agent's network: a convolution, a policy, and where needed a model of other agents.

Timing, as in the paper: at t the agent sees s_t, takes action a_t and sends symbol m_t. It learns
all agents' a_t and m_t with s_{t+1}; only its leaders' actions of step t are known with s_t.
Actors use the step functions: `features`, `policy_step`, and the model's `step` or
`counterfactuals`. Learners use `unroll`. Both give the same numbers.

A custom network is a subclass: see `make_network`.
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
from ssd_influence.networks.policy_inputs import PolicyInputs
from ssd_influence.networks.view_encoder import encode_views
from ssd_influence.plugins import load_class
from ssd_influence.roles import role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings


class Features(NamedTuple):
    """The inputs of both LSTMs that come from views: each [..., hidden] float."""

    policy: Tensor
    moa: Tensor | None  # None without a MOA


class NetworkState(NamedTuple):
    """The recurrent state of a network in B games."""

    policy: LstmState
    moa: LstmState | None  # None without a MOA


class Unroll(NamedTuple):
    """The network's outputs for a segment of T steps."""

    policy_logits: Tensor  # [T+1, B, A]
    values: Tensor  # [T+1, B]
    moa_logits: Tensor | None  # [T, B, J, A] of a_{t+1} at t = 0 … T−1; None without a MOA
    state: Tensor  # [B, state_size] after the last view, and the last prediction
    symbol_logits: Tensor | None = None  # [T+1, B, V]; None without communication
    symbol_values: Tensor | None = None  # [T+1, B]


class AgentNetwork(nn.Module):
    """The network of figures 3 and 6; without communication head and MOA, that of the A3C agents.

    Args:
        shape: which agent, and its sizes.
        network, experiment: sections of the run file.

    Raises:
        ValueError: the experiment does not fit this number of agents.

    Attributes:
        shape, experiment: as given.
        role: how the agent interacts with the others.
        matmul_dtype: dtype of the largest products of `unroll`; see `set_matmul_dtype`.
    """

    palette: Tensor
    matmul_dtype = torch.float32

    def __init__(
        self, shape: AgentShape, network: NetworkSettings, experiment: ExperimentSettings
    ) -> None:
        super().__init__()
        if experiment.has_moa and shape.num_agents < 2:
            raise ValueError("a model of other agents needs another agent")
        self.shape, self.experiment = shape, experiment
        self.role = role_of(experiment, shape.agent, shape.num_agents)
        colours = torch.from_numpy(shape.palette.astype(np.float32) / 255)
        self.register_buffer("palette", colours, persistent=False)  # [P, 3]
        self.conv = nn.Conv2d(3, network.conv_channels, KERNEL_SIZE)
        nn.init.orthogonal_(self.conv.weight, RELU_GAIN)
        nn.init.zeros_(self.conv.get_parameter("bias"))
        inputs = network.conv_channels * (shape.view - KERNEL_SIZE + 1) ** 2
        self.policy = Policy(
            inputs=inputs,
            hidden=network.hidden,
            cells=network.lstm,
            num_actions=shape.num_actions,
            policy_inputs=PolicyInputs(self.role, experiment, shape.num_actions),
            symbols=experiment.symbols,
            embedding=network.communication_embedding,
        )
        self.moa = self._model_of_others(inputs, network) if experiment.has_moa else None

    def _model_of_others(self, inputs: int, network: NetworkSettings) -> ModelOfOthers:
        return ModelOfOthers(
            inputs=inputs,
            hidden=network.hidden,
            cells=network.moa_lstm,
            agent=self.shape.agent,
            num_agents=self.shape.num_agents,
            num_actions=self.shape.num_actions,
            symbols=self.experiment.symbols,
            counterfactual_symbols=self.experiment.influence == "moa_communication",
        )

    def set_matmul_dtype(self, dtype: torch.dtype) -> None:
        """Set the dtype of the largest matrix products of `unroll`; all else stays float32.

        These are the products of the first dense layers, which read the convolution, and on the
        host those of the LSTMs. On a GPU `Lstm` calls torch's, in float32.

        Args:
            dtype: float32, or bfloat16 where it is faster.
        """
        self.matmul_dtype = dtype
        for module in self.modules():
            if isinstance(module, Lstm):
                module.matmul_dtype = dtype

    @property
    def cells(self) -> list[int]:
        """Sizes of h and c per game: of the policy's LSTM, then of the MOA's."""
        sizes = [self.policy.lstm.hidden_size] * 2
        return sizes if self.moa is None else sizes + [self.moa.lstm.hidden_size] * 2

    @property
    def state_size(self) -> int:
        """Floats of recurrent state per game: [h | c] of the policy, then [h | c] of the MOA."""
        return sum(self.cells)

    def initial_state(self, batch: int) -> Tensor:
        """[B, state_size] zeros, on the network's device."""
        return self.palette.new_zeros(batch, self.state_size)

    def split_state(self, flat: Tensor) -> NetworkState:
        """The parts of a flat state [B, state_size], without a copy."""
        h, c, *moa = flat.split_with_sizes(self.cells, -1)
        return NetworkState(LstmState(h, c), LstmState(*moa) if moa else None)

    def join_state(self, state: NetworkState) -> Tensor:
        """The flat form [B, state_size] of a state."""
        return torch.cat([*state.policy, *(state.moa or ())], -1)

    def features(self, pixels: Tensor) -> Features:
        """The features of views for policy and MOA, from one convolution.

        Args:
            pixels: [..., V, V] uint8 palette indices.
        """
        torsos = [self.policy.torso] if self.moa is None else [self.policy.torso, self.moa.torso]
        encoded = encode_views(
            pixels.flatten(0, -3),
            self.palette,
            self.conv.weight,
            self.conv.get_parameter("bias"),
            torch.cat([torso.fc1.weight for torso in torsos]),
            torch.cat([torso.fc1.bias for torso in torsos]),
            gradient_factors=self._gradient_factors(),
            matmul_dtype=self.matmul_dtype,
        ).view(*pixels.shape[:-2], -1)
        parts = encoded.chunk(len(torsos), -1)
        policy, *moa = (torso(x) for torso, x in zip(torsos, parts, strict=True))
        return Features(policy, moa[0] if moa else None)

    def _gradient_factors(self) -> Tensor | None:
        """How much of the gradient of each first dense layer's output enters the convolution.

        All of the policy's, then `moa_weight` times the MOA's; None without a MOA.
        """
        if self.moa is None:
            return None
        policy, moa = self.policy.torso.fc1.bias, self.moa.torso.fc1.bias
        moa_weight = self.experiment.moa_weight
        return torch.cat([torch.ones_like(policy), torch.full_like(moa, moa_weight)])

    def policy_step(
        self,
        features_t: Tensor,
        actions_tm1: Tensor,
        is_first_t: Tensor,
        state: LstmState,
        leader_actions_t: Tensor | None = None,
        symbols_tm1: Tensor | None = None,
    ) -> PolicyStep:
        """Logits and values of s_t; see `Policy.step`."""
        known = actions_tm1, is_first_t, state, leader_actions_t, symbols_tm1
        return self.policy.step(features_t, *known)

    def unroll(
        self,
        pixels: Tensor,
        is_first: Tensor,
        actions: Tensor,
        state: Tensor,
        symbols: Tensor | None = None,
        predictions: int | None = None,
        is_first_host: Tensor | None = None,
    ) -> Unroll:
        """A sequence of views, differentiable: V views, and the MOA's predictions after P of them.

        A whole segment of T steps has V = T + 1 views, the last of which only bootstraps, and
        P = T. A chunk that is followed by another has V = P.

        Args:
            pixels: [V, B, W, W] uint8, s_0 … s_{V−1}.
            is_first: [V, B] bool, where s_t is the first view of an episode.
            actions: [V+1, B, N] integer, a_{−1} … a_{V−1}; the last is an input of the policy only
                as leaders' actions.
            state: [B, state_size] before s_0, and before any reset at s_0.
            symbols: [V, B, N] or [V+1, B, N] integer, m_{−1} and on; None without communication.
            predictions: P, the number of the MOA's predictions; V − 1 by default.
            is_first_host: `is_first` on the host, which determines where the sequence is cut:
                reading it from a device would wait for the device. May be left out if `is_first`
                is on the host.

        Raises:
            ValueError: `is_first` is needed on the host, and is not there.
        """
        starts = _starts(is_first if is_first_host is None else is_first_host)
        views = len(pixels)
        last = views - 1 if predictions is None else predictions
        features = self.features(pixels)
        before = self.split_state(state)
        policy, policy_state = self.policy.unroll(
            features.policy,
            actions[:views],
            is_first,
            starts,
            before.policy,
            actions[1 : views + 1].index_select(-1, self.policy.policy_inputs.leaders),
            None if symbols is None else symbols[:views],
        )
        moa_logits, moa_state = None, before.moa
        if self.moa is not None and features.moa is not None and before.moa is not None and last:
            moa_logits, moa_state = self.moa.unroll(
                features.moa[:last],
                actions[1 : last + 1],
                is_first[:last],
                [t for t in starts if t < last],
                before.moa,
                None if symbols is None else symbols[1 : last + 1],
            )
        after = self.join_state(NetworkState(policy_state, moa_state))
        return Unroll(policy.logits, policy.values, moa_logits, after, *policy[2:])


def _starts(is_first_host: Tensor) -> list[int]:
    """Times above 0 at which an episode starts in any game."""
    if is_first_host.device.type != "cpu":
        raise ValueError(f"is_first_host: wanted it on the host, found {is_first_host.device}")
    return [t for t, games in enumerate(is_first_host.tolist()) if t > 0 and any(games)]


def make_network(
    shape: AgentShape, network: NetworkSettings, experiment: ExperimentSettings
) -> AgentNetwork:
    """The network that a run file describes: `AgentNetwork`, or a custom class.

    A custom class takes the same three arguments; its own settings are in `network.own`. It may
    override `features`, or replace parts of the policy or the model. A `features` of its own passes
    what the MOA shares with the policy through `moa_gradient.scale_gradient`, or `moa_weight` has
    no effect. Its recurrent state must be [h | c] of the policy, then of the MOA, with the sizes in
    `cells`.

    Raises:
        ValueError: there is no such class, or the experiment does not fit this number of agents.
    """
    return network_class(network)(shape, network, experiment)


def network_class(network: NetworkSettings) -> type[AgentNetwork]:
    """The class of the network that a run file describes.

    Raises:
        ValueError: there is no such class.
    """
    is_paper = network.kind == "paper"
    return AgentNetwork if is_paper else load_class(network.kind, AgentNetwork)
