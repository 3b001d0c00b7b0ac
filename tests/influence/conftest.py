"""Small agents and segments. All axes have different sizes, so that mixing two up fails."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from ssd_influence.networks.agent_network import AgentNetwork
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.settings import ExperimentSettings, NetworkSettings

STEPS, GAMES, COLOURS, VIEW = 11, 5, 12, 9
SIZES = NetworkSettings(conv_channels=2, hidden=13, lstm=17, moa_lstm=19, communication_embedding=8)


@dataclass(frozen=True, eq=False)
class Segment:
    """T steps of B games, as a learner receives them."""

    pixels: Tensor  # [T+1, B, V, V] uint8
    is_first: Tensor  # [T+1, B] bool
    visible: Tensor  # [T+1, B, N] bool
    actions: Tensor  # [T+2, B, N] uint8, a_{−1} … a_T
    symbols: Tensor | None  # [T+1, B, N] uint8, m_{−1} … m_{T−1}
    state: Tensor  # [B, S]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """As in every process of a run; torch's threads are slow to synchronise on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(20)


@pytest.fixture
def make_shape() -> Callable[..., AgentShape]:
    def make(agent: int = 1, num_agents: int = 4, num_actions: int = 7) -> AgentShape:
        palette = np.random.default_rng(3).integers(0, 256, (COLOURS, 3)).astype(np.uint8)
        return AgentShape(agent, num_agents, num_actions, VIEW, palette)

    return make


@pytest.fixture
def make_network(make_shape: Callable[..., AgentShape]) -> Callable[..., AgentNetwork]:
    """An agent with large logits; a new agent's are near uniform."""

    def make(shape: AgentShape | None = None, **experiment: object) -> AgentNetwork:
        settings = ExperimentSettings.model_validate({"influence": "moa", **experiment})
        network = AgentNetwork(shape or make_shape(), SIZES, settings)
        with torch.no_grad():
            network.policy.logits.weight.mul_(100)
            if network.moa is not None:
                network.moa.logits.weight.mul_(100)
            if network.policy.communication is not None:
                network.policy.communication.logits.weight.mul_(100)
                network.policy.communication.embedding.bias.normal_()
        return network

    return make


@pytest.fixture
def make_segment() -> Callable[..., Segment]:
    """Random views, actions, symbols and state; episodes start at 0, in the middle, at the end."""

    def make(network: AgentNetwork, shape: AgentShape) -> Segment:
        is_first = torch.zeros(STEPS + 1, GAMES, dtype=torch.bool)
        is_first[0, 0] = is_first[4, 1] = is_first[4, 3] = is_first[7, 3] = True
        is_first[STEPS - 1, 2] = is_first[STEPS, 4] = True
        steps = (STEPS + 1, GAMES)
        by_agent = (*steps, shape.num_agents)
        symbols = network.experiment.symbols
        return Segment(
            pixels=torch.randint(0, COLOURS, (*steps, VIEW, VIEW), dtype=torch.uint8),
            is_first=is_first,
            visible=torch.rand(by_agent) < 0.5,
            actions=torch.randint(
                0, shape.num_actions, (STEPS + 2, GAMES, shape.num_agents), dtype=torch.uint8
            ),
            symbols=torch.randint(0, symbols, by_agent, dtype=torch.uint8) if symbols else None,
            state=torch.randn(GAMES, network.state_size),
        )

    return make
