import json

import pytest

from ssd_run.account import (
    ActorLedger,
    EpochEntry,
    ForgottenEpochs,
    LearnerLedger,
    SegmentCounts,
    read_ledgers,
    reconcile,
)

STEPS = 800  # own-steps in a segment


def actor(made, agent=0, epoch=1, arena=0, resent=0, discarded=0):
    return ActorLedger(arena, agent, epoch, made, resent, discarded)


def entry(trained, epoch=1, arena=0, surplus=0, given_up=0):
    handled = trained + surplus + given_up
    return EpochEntry(
        arena,
        epoch,
        received=handled,
        trained=trained,
        durable=handled,
        surplus=surplus,
        given_up=given_up,
    )


def learner(*epochs, agent=0, trained=None, own_steps=None, duplicate=0, forgotten=None):
    forgotten = forgotten or ForgottenEpochs()
    totals = (*epochs, forgotten)
    total = sum(of.trained for of in totals) if trained is None else trained
    surplus = sum(of.surplus for of in totals)
    return LearnerLedger(
        agent=agent,
        learner=99,
        own_steps=total * STEPS if own_steps is None else own_steps,
        updates=total,
        complete=False,
        segments=SegmentCounts(total + surplus, total, surplus, duplicate),
        epochs=epochs,
        forgotten=forgotten,
    )


def test_account_adds_up_when_everything_made_was_trained():
    account = reconcile([actor(10)], [learner(entry(10))], {(0, 0, 1)}, STEPS)
    assert (account.made, account.trained, account.lost, account.missing) == (10, 10, 0, 0)
    assert account.adds_up


def test_segments_after_the_budget_are_surplus_and_balance():
    account = reconcile([actor(12)], [learner(entry(10, surplus=2))], {(0, 0, 1)}, STEPS)
    assert (account.trained, account.surplus) == (10, 2)
    assert account.adds_up


def test_training_lost_with_a_damaged_checkpoint_is_counted_and_balances():
    account = reconcile([actor(12)], [learner(entry(10, given_up=2))], {(0, 0, 1)}, STEPS)
    assert (account.made, account.trained, account.lost, account.missing) == (12, 10, 2, 0)
    assert account.adds_up


def test_segments_that_a_killed_actor_did_not_deliver_are_lost_and_the_account_adds_up():
    actors = [actor(7, epoch=1), actor(5, epoch=2)]
    ledger = learner(entry(4, epoch=1), entry(5, epoch=2))
    account = reconcile(actors, [ledger], {(0, 0, 2)}, STEPS)
    assert (account.made, account.trained, account.lost) == (12, 9, 3)
    assert account.adds_up


def test_a_killed_actor_that_never_reached_its_learner_lost_all_it_made():
    account = reconcile([actor(2)], [learner()], set(), STEPS)
    assert (account.lost, account.adds_up) == (2, True)


def test_a_killed_learner_costs_only_repeats():
    account = reconcile(
        [actor(10, resent=4)], [learner(entry(10), duplicate=3)], {(0, 0, 1)}, STEPS
    )
    assert (account.resent, account.duplicate, account.lost) == (4, 3, 0)
    assert account.adds_up


def test_segments_missing_from_an_actor_that_ended_cleanly_break_the_account():
    account = reconcile([actor(10)], [learner(entry(8))], {(0, 0, 1)}, STEPS)
    assert (account.missing, account.lost) == (2, 0)
    assert "ended cleanly, but 2 segments were not trained" in account.faults[0]


def test_segments_trained_that_no_actor_made_break_the_account():
    account = reconcile([actor(10)], [learner(entry(11))], {(0, 0, 1)}, STEPS)
    assert "1 segments more than the actor made" in account.faults[0]


def test_an_epoch_without_an_actor_breaks_the_account():
    account = reconcile([actor(10)], [learner(entry(10), entry(1, epoch=2))], {(0, 0, 1)}, STEPS)
    assert "1 segments that no actor made" in account.faults[0]


def test_excess_in_one_epoch_does_not_hide_a_lack_in_another():
    actors = [actor(10, epoch=1), actor(10, epoch=2)]
    ledger = learner(entry(11, epoch=1), entry(9, epoch=2))
    account = reconcile(actors, [ledger], {(0, 0, 1), (0, 0, 2)}, STEPS)
    assert len(account.faults) == 2


def test_epochs_must_sum_to_what_the_learner_counted():
    account = reconcile([actor(10)], [learner(entry(10), trained=9)], {(0, 0, 1)}, STEPS)
    assert account.faults == ("learner-0: 10 segments trained by epoch, 9 counted",)


def test_segments_of_forgotten_epochs_balance_as_a_total():
    actors = [actor(9, epoch=1), actor(5, epoch=2), actor(10, epoch=3)]
    ledger = learner(entry(10, epoch=3), forgotten=ForgottenEpochs(2, 11, 1, 1))
    account = reconcile(actors, [ledger], {(0, 0, 2), (0, 0, 3)}, STEPS)
    assert (account.made, account.trained, account.surplus) == (24, 21, 1)
    assert (account.lost, account.missing, account.adds_up) == (2, 0, True)


def test_forgotten_segments_that_no_actor_made_break_the_account():
    ledger = learner(entry(10), forgotten=ForgottenEpochs(1, 2))
    account = reconcile([actor(10)], [ledger], {(0, 0, 1)}, STEPS)
    assert account.faults == ("learner-0: 2 segments of forgotten epochs that no actor made",)


def test_forgotten_epochs_do_not_hide_what_an_actor_that_ended_cleanly_lacks():
    actors = [actor(9, epoch=1), actor(10, epoch=2)]
    ledger = learner(entry(10, epoch=2), forgotten=ForgottenEpochs(1, 8))
    account = reconcile(actors, [ledger], {(0, 0, 1), (0, 0, 2)}, STEPS)
    assert (account.missing, account.adds_up) == (1, False)


def test_own_steps_must_be_the_segments_trained():
    account = reconcile([actor(10)], [learner(entry(10), own_steps=7999)], {(0, 0, 1)}, STEPS)
    assert "10 segments of 800 own-steps trained, but 7999 own-steps" in account.faults[0]


def test_agents_and_arenas_with_the_same_epoch_number_are_kept_apart():
    actors = [actor(3, agent=0), actor(4, agent=1), actor(5, agent=1, arena=1)]
    ledgers = [learner(entry(3), agent=0), learner(entry(4), entry(5, arena=1), agent=1)]
    clean = {(0, 0, 1), (0, 1, 1), (1, 1, 1)}
    account = reconcile(actors, ledgers, clean, STEPS)
    assert (account.made, account.trained, account.adds_up) == (12, 12, True)


def test_ledgers_are_read_from_where_processes_leave_them(tmp_path):
    number = {"arena": 0, "agent": 1, "epoch": 2**62 - 1, "made": 3, "resent": 1, "discarded": 0}
    padded = json.dumps(number) + 200 * " "  # an actor rewrites its ledger in place
    (tmp_path / f"actor-0-1-{2**62 - 1:016x}.json").write_text(padded)
    ledger = {
        "agent": 1,
        "learner": 5,
        "own_steps": 2400,
        "updates": 2,
        "complete": True,
        "segments": {"received": 3, "trained": 3, "surplus": 0, "duplicate": 1},
        "epochs": [
            {
                "arena": 0,
                "epoch": 2**62 - 1,
                "received": 3,
                "trained": 3,
                "durable": 3,
                "surplus": 0,
            }
        ],
    }
    (tmp_path / "learner-1.json").write_text(json.dumps(ledger))
    actors, learners, faults = read_ledgers(tmp_path)
    assert reconcile(actors, learners, {(0, 1, 2**62 - 1)}, STEPS).adds_up
    assert faults == ()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"arena": 0}'])
def test_a_ledger_that_cannot_be_read_is_a_fault(tmp_path, content):
    (tmp_path / "learner-0.json").write_text(content)
    assert "learner-0.json is not a valid ledger" in read_ledgers(tmp_path)[2][0]
