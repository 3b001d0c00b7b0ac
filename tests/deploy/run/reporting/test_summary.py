import json
from dataclasses import replace

from ssd_run.account import Account
from ssd_run.progress.episodes import outcome
from ssd_run.reporting.summary import Summary

ACCOUNT = Account(
    made=12, trained=9, surplus=1, lost=2, missing=0, resent=4, duplicate=3, discarded=1, faults=()
)
FULL = {"returns": [1.0, 3.0], "collective_return": 4.0, "equality": 0.75}
FULL["counts"] = {"cleaned": [200, 1]}
SUMMARY = Summary(
    preset="cleanup-moa",
    run_dir="runs/x",
    ended="complete",
    wall_seconds=3725.0,
    agent_steps_per_second=240.4,
    agent_steps=7200,
    own_steps=(3200, 4000),
    updates=(4, 5),
    episodes=7,
    outcome=outcome([FULL, {**FULL, "equality": None}], ("cleaned",)),
    restarts={"learner-0": 1, "env-0": 0},
    killed=(),
    account=ACCOUNT,
)


def text_of(summary):
    return "\n".join(summary.lines())


def test_summary_json_has_what_studies_read():
    content = json.loads(json.dumps(SUMMARY.content(), allow_nan=False))
    assert content["agent_steps"] == 7200
    assert content["wall_seconds"] == 3725.0
    assert content["agent_steps_per_second"] == 240.4
    assert (content["collective_return"], content["equality"]) == (4.0, 0.75)
    assert (content["last_episodes"], content["equality_defined"]) == (2, 1)
    assert content["counts"] == {"cleaned": [200.0, 1.0]}
    assert content["updates"] == [4, 5]
    assert content["restarts"] == {"learner-0": 1, "env-0": 0}
    assert content["segments"] == {
        "made": 12,
        "trained": 9,
        "surplus": 1,
        "lost": 2,
        "missing": 0,
        "resent": 4,
        "duplicate": 3,
        "discarded": 1,
    }
    assert content["account_adds_up"] is True


def test_the_summary_for_people_has_the_same_values():
    text = text_of(SUMMARY)
    assert "cleanup-moa: complete, after 1:02:05" in text
    assert "7,200, 240 per second in the steady part" in text
    assert "collective return 4.00, equality 0.750 (defined in 1)" in text
    assert "restarts     learner-0 1" in text
    assert "12 made = 9 trained + 1 surplus + 2 lost: the account adds up" in text


def test_on_a_terminal_long_lines_are_wrapped_between_words():
    found = list(SUMMARY.lines(80))
    assert max(map(len, found)) <= 80
    assert [word for line in found for word in line.split()] == text_of(SUMMARY).split()
    assert len(found) > len(list(SUMMARY.lines()))


def test_a_run_without_a_full_episode_has_no_return():
    short = replace(SUMMARY, outcome=outcome([]))
    assert short.content()["collective_return"] is None
    assert short.content()["equality"] is None
    assert "none of full length yet" in text_of(short)


def test_undefined_equality_is_shown_as_undefined():
    poor = replace(SUMMARY, outcome=outcome([{**FULL, "equality": None}]))
    assert "equality undefined in all of them" in text_of(poor)


def test_an_account_that_does_not_add_up_is_shown_in_capitals_with_the_reasons():
    broken = replace(SUMMARY, account=replace(ACCOUNT, missing=3, faults=("actor-0-1: …",)))
    assert broken.content()["account_adds_up"] is False
    assert "+ 3 missing: THE ACCOUNT DOES NOT ADD UP" in text_of(broken)
    assert "actor-0-1: …" in text_of(broken)


def test_killed_processes_are_named():
    assert "killed       actor-0-2: still running" in text_of(
        replace(SUMMARY, killed=("actor-0-2",))
    )


def test_a_run_too_short_for_a_speed_says_so():
    brief = replace(SUMMARY, agent_steps_per_second=None)
    assert brief.content()["agent_steps_per_second"] is None
    assert "too short to measure a steady speed" in text_of(brief)
