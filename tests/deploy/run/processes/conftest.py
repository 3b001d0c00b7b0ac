import pytest
from tests.deploy.run.processes.fake_starter import FakeStarter

from ssd_run.processes.history import History
from ssd_run.processes.programs import Program
from ssd_run.processes.supervisor import Supervisor


@pytest.fixture
def starter():
    return FakeStarter()


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "history.jsonl", tmp_path)


@pytest.fixture
def supervisor(starter, history):
    programs = [
        Program("learner-0", "", ()),
        Program("env-0", "", (), numbered=True),
        Program("actor-0-0", "", ()),
    ]
    return Supervisor(
        programs, starter, history, starter.clock, starter.messages.append, starter.made_progress
    )
