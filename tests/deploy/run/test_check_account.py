"""The account of a folder that no launcher has made."""

import json

import pytest
from click.testing import CliRunner

from ssd_run.check_account import main
from ssd_run.presets import load_config

CONFIG = load_config("harvest-moa", ["game.agents=2"])
EPOCH = 255


@pytest.fixture
def folder(tmp_path):
    """A run directory with the ledgers of two learners and their actors, which all agree."""
    (tmp_path / "run.toml").write_text(CONFIG.toml())
    (tmp_path / "ledgers").mkdir()
    for agent in range(2):
        write_actor(tmp_path, agent)
        write_learner(tmp_path, agent)
    return tmp_path


def write_actor(folder, agent, made=3, drained=True):
    actor = {"arena": 0, "agent": agent, "epoch": EPOCH, "made": made, "resent": 0, "discarded": 0}
    path = folder / "ledgers" / f"actor-0-{agent}-{EPOCH:016x}.json"
    path.write_text(json.dumps(actor | {"drained": drained}))


def write_learner(folder, agent, trained=3):
    epoch = {"arena": 0, "epoch": EPOCH, "received": trained, "trained": trained}
    ledger = {
        "agent": agent,
        "learner": 1,
        "own_steps": trained * CONFIG.segment_steps,
        "updates": trained,
        "complete": False,
        "segments": {"received": trained, "trained": trained, "surplus": 0, "duplicate": 0},
        "epochs": [epoch | {"durable": trained, "surplus": 0}],
    }
    (folder / "ledgers" / f"learner-{agent}.json").write_text(json.dumps(ledger))


def check(folder):
    result = CliRunner().invoke(main, [str(folder)])
    return result.exit_code, result.output


def test_an_account_that_adds_up_is_printed_and_ends_with_0(folder):
    code, output = check(folder)
    assert code == 0
    assert "6 made = 6 trained + 0 surplus + 0 lost: the account adds up" in output


def test_what_a_killed_actor_made_last_is_lost_and_the_account_adds_up(folder):
    write_actor(folder, 1, made=5, drained=False)
    code, output = check(folder)
    assert code == 0
    assert "8 made = 6 trained + 0 surplus + 2 lost: the account adds up" in output


def test_what_an_actor_made_that_says_it_ended_cleanly_must_be_there(folder):
    write_actor(folder, 1, made=5)
    code, output = check(folder)
    assert code == 1
    assert "THE ACCOUNT DOES NOT ADD UP" in output
    assert "the actor ended cleanly, but 2 segments were not trained" in output


def test_the_records_of_an_actor_that_were_not_collected_are_missed(folder):
    (folder / "ledgers" / f"actor-0-1-{EPOCH:016x}.json").unlink()
    code, output = check(folder)
    assert code == 1
    assert "3 segments that no actor made" in output


def test_the_records_of_a_learner_that_were_not_collected_are_missed(folder):
    (folder / "ledgers" / "learner-1.json").unlink()
    code, output = check(folder)
    assert code == 1
    assert "learner-1: no ledger" in output


def test_a_damaged_ledger_is_named(folder):
    (folder / "ledgers" / "learner-0.json").write_text("{")
    code, output = check(folder)
    assert code == 1
    assert "learner-0.json is not a valid ledger" in output


def test_a_folder_without_a_run_file_is_refused(tmp_path):
    code, output = check(tmp_path)
    assert code == 78
    assert "it has no run.toml" in output


def test_the_folder_is_not_changed(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    check(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
