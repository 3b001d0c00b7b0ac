"""What must be true when all processes have been stopped, after the last fault."""

from collections import defaultdict

from tests.simulation.checks.rules import require

from ssd_run.account import read_ledgers, reconcile


def check_end(record, disk):
    """Check the surviving checkpoints, and the account of the ledgers.

    Args:
        record: Of the history.
        disk: With all files.
    """
    for view in record.views.values():
        _check_epoch(record, view)
    for chain in record.chains.values():
        _check_lanes(record, chain)
    _check_account(record, disk)


def _check_epoch(record, view):
    """No durable segment is lost, and none of an actor that ended cleanly."""
    consumed = record.chains[view.agent].consumed.get(view.epoch, 0)
    require(view.durable <= consumed, "no durable segment is lost", view.durable, consumed)
    require(consumed <= view.made, "no segment is trained that was not made", consumed, view.made)
    if view.is_drained:
        require(consumed == view.made, "an actor that ended cleanly loses nothing", consumed)
    least = most = 0
    for (epoch, _, _), steps in record.decisions.items():
        if epoch == view.epoch:  # the timestep after the last decision may have arrived, or not
            least += max(0, (len(steps) - 2) // record.settings.segment)
            most += max(0, (len(steps) - 1) // record.settings.segment)
    require(least <= view.made <= most, "each step is in one segment", least, view.made, most)


def _check_lanes(record, chain):
    """The segments of a lane are trained on in the order in which they were played."""
    for numbers in chain.by_epoch().values():
        indices = defaultdict(list)
        for number in numbers:
            segment = record.trained[number]
            indices[segment.env_incarnation, segment.lane].append(segment.index)
        for found in indices.values():
            wanted = sorted(found) if chain.is_damaged else list(range(len(found)))
            require(found == wanted, "no segment is missing in a lane", found)


def _check_account(record, disk):
    actors, learners, faults = read_ledgers(disk.path(None, "ledgers"))
    require(not faults, "all ledgers can be read", faults)
    views = record.views.values()
    clean = {(view.arena, view.agent, view.epoch) for view in views if view.is_drained}
    account = reconcile(actors, learners, clean, record.settings.segment_steps)
    require(account.adds_up, "the account adds up", *account.faults)
    for ledger in actors:
        view = record.views[ledger.epoch]
        require(
            # A killed actor's last segment may be in neither; it was not sent to anyone.
            view.sent <= ledger.made <= view.made and (view.was_killed or ledger.made == view.made),
            "an actor's ledger counts its segments",
            (view.sent, ledger.made, view.made),
        )
    handled = account.trained + account.surplus + account.lost
    require(handled == account.made, "made = trained + surplus + lost", account)
    require(account.missing == 0, "no segment is missing", account)
    trained = sum(len(chain.numbers) for chain in record.chains.values())
    require(account.trained == trained, "trained are those in the checkpoints", account, trained)
