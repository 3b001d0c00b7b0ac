import pytest
import torch
from tests.actors.actor.fakes.agent_setup import AgentSetup
from tests.actors.actor.fakes.connections import Clock, ListConnection
from tests.actors.actor.fakes.learner_side import ClientUnderTest


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(20)


@pytest.fixture
def connection():
    return ListConnection()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def unwelcome(connection, clock):
    """A learner client without a Welcome."""
    return ClientUnderTest(AgentSetup(), connection, clock)


@pytest.fixture
def welcomed(unwelcome):
    """A learner client with a Welcome from learner 1."""
    unwelcome.receive(unwelcome.welcome())
    return unwelcome
