import json

import pytest

from ssd_run.processes.history import History
from ssd_wire.codec import PROTOCOL_VERSION
from ssd_wire.errors import RunFileError


@pytest.fixture
def ledgers(tmp_path):
    (tmp_path / "ledgers").mkdir()
    return tmp_path / "ledgers"


@pytest.fixture
def reopen(tmp_path, ledgers):
    return lambda: History(tmp_path / "history.jsonl", ledgers)


def ledger(folder, agent, epoch, arena=0):
    (folder / f"actor-{arena}-{agent}-{epoch:016x}.json").write_text("{}")


def test_starts_are_numbered_over_all_launches_so_no_environment_gets_a_number_twice(reopen):
    first = reopen()
    assert [
        first.record_start("env-0", restart=False),
        first.record_start("env-0", restart=True),
    ] == [0, 1]
    assert first.record_start("env-1", restart=False) == 0
    assert reopen().record_start("env-0", restart=False) == 2


def test_only_starts_after_a_death_are_restarts(reopen):
    history = reopen()
    history.record_start("learner-0", restart=False)
    history.record_start("learner-0", restart=True)
    again = reopen()
    again.record_start("learner-0", restart=False)
    assert again.restarts["learner-0"] == 1


def test_new_epochs_belong_to_the_process_that_ends(reopen, ledgers):
    history = reopen()
    ledger(ledgers, agent=1, epoch=10)
    history.record_end("actor-0-1", pid=5, code=-9)
    ledger(ledgers, agent=1, epoch=20)
    history.record_end("actor-0-1", pid=6, code=0)
    assert history.clean_epochs == {(0, 1, 20)}
    assert reopen().clean_epochs == {(0, 1, 20)}


def test_agents_1_and_11_are_not_confused(reopen, ledgers):
    history = reopen()
    ledger(ledgers, agent=1, epoch=10)
    ledger(ledgers, agent=11, epoch=20)
    history.record_end("actor-0-1", pid=5, code=0)
    assert history.clean_epochs == {(0, 1, 10)}


def test_epochs_of_a_killed_launcher_do_not_count_as_clean(reopen, ledgers):
    reopen()
    ledger(ledgers, agent=0, epoch=10)  # then the launcher was killed
    history = reopen()
    ledger(ledgers, agent=0, epoch=20)
    history.record_end("actor-0-0", pid=7, code=0)
    assert history.clean_epochs == {(0, 0, 20)}


def test_a_resumed_run_has_as_many_arenas_as_before(reopen):
    assert reopen().arenas == 1
    reopen().record_launch(arenas=3)
    assert reopen().arenas == 3


def test_a_run_of_this_protocol_may_be_resumed(reopen):
    reopen().record_launch(arenas=1)
    reopen().check_protocol()


def test_a_run_that_was_never_launched_may_be_resumed(reopen):
    reopen().check_protocol()


@pytest.mark.parametrize(
    ("noted", "found"), [({"protocol": 1}, "version 1"), ({}, "version 4 or earlier")]
)
def test_a_run_of_another_protocol_is_refused_with_both_versions(reopen, noted, found):
    history = reopen()
    history.path.write_text(json.dumps({"event": "launch", "arenas": 1, **noted}) + "\n")
    with pytest.raises(RunFileError) as refusal:
        reopen().check_protocol()
    assert f"made with protocol {found}, and this ssd-train has version" in str(refusal.value)
    assert str(PROTOCOL_VERSION) in str(refusal.value)
