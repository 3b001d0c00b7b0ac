"""The faults. Each is a function of the cluster; what it hits is drawn when it happens."""

import errno
import fnmatch
from dataclasses import replace

from tests.simulation.world.disk import ROOT
from tests.simulation.world.scheduler import Trigger
from tests.simulation.world.sockets import Dealer, Subscriber

from ssd_wire.sockets import HEARTBEAT_TIMEOUT_MS

# After which a peer closes the connections of a frozen process.
HEARTBEAT_SECONDS = HEARTBEAT_TIMEOUT_MS / 1000


def kill(cluster):
    """A process is killed."""
    if process := _any_process(cluster):
        cluster.record.on_fault("kill", process.name)
        process.kill()


def kill_at_an_effect(cluster):
    """A process is killed soon: between two sends, in an update, or while it writes a file."""
    if process := _any_process(cluster):
        kind, effects = cluster.rng.choice((None, "send", "disk")), cluster.rng.randrange(12)
        process.trigger = Trigger(effects, kind, _killing(cluster))


def kill_in_a_checkpoint(cluster):
    """A learner is killed while it writes a checkpoint or its ledger."""
    learner = cluster.rng.choice(cluster.alive("learner") or [None])
    if learner:
        learner.trigger = Trigger(cluster.rng.randrange(14), "disk", _killing(cluster))


def kill_two(cluster):
    """Two processes are killed at once."""
    kill(cluster)
    kill(cluster)


def stop(cluster):
    """A process is asked to stop."""
    if process := _any_process(cluster):
        cluster.record.on_fault("stop", process.name)
        process.stop()


def freeze(cluster):
    """A process does not run for a while."""
    if process := _any_process(cluster):
        _freeze(cluster, process, _seconds(cluster))


def freeze_at_an_effect(cluster):
    """A process is frozen soon: between two sends, or while it writes a file."""
    if process := _any_process(cluster):
        seconds, effects = _seconds(cluster), cluster.rng.randrange(12)
        process.trigger = Trigger(effects, None, lambda one: _freeze(cluster, one, seconds))


def start_another_actor(cluster):
    """A second actor takes the place of one that still runs."""
    if actors := cluster.alive("actor"):
        actor = cluster.rng.choice(actors)
        cluster.record.on_fault("start another actor", actor.name)
        cluster.start(actor.role)


def cut(cluster):
    """A connection is cut."""
    if client := _any_client(cluster, (Dealer, Subscriber)):
        cluster.record.on_fault("cut", client.process.name, client.server)
        client.cut(may_arrive_late=True)


def cut_all(cluster):
    """All connections of a server are cut."""
    server = cluster.rng.choice([one for one in cluster.roles if not one.startswith("actor")])
    cluster.record.on_fault("cut all", server)
    for client in cluster.network.clients:
        if client.server == server:
            client.cut(may_arrive_late=True)


def partition(cluster):
    """A client and its server cannot reach each other for a while."""
    if client := _any_client(cluster, (Dealer, Subscriber)):
        seconds = _seconds(cluster)
        cluster.record.on_fault("partition", client.process.name, client.server, seconds)
        client.unreachable_until = cluster.scheduler.now + seconds


def refuse_sends(cluster):
    """A socket accepts no messages for a while."""
    if client := _any_client(cluster, Dealer):
        seconds = _seconds(cluster)
        cluster.record.on_fault("refuse sends", client.process.name, client.server, seconds)
        client.refuses_until = cluster.scheduler.now + seconds


def lose_weights(cluster):
    """Published weights do not arrive for a while."""
    if client := _any_client(cluster, Subscriber):
        seconds = _seconds(cluster)
        cluster.record.on_fault("lose weights", client.process.name, seconds)
        client.loses_until = cluster.scheduler.now + seconds


def lose_messages(cluster):
    """Many messages are lost, in all of the network, for a while."""
    _worsen(cluster, "lose messages", loss=0.5)


def delay_messages(cluster):
    """Many messages are late, in all of the network, for a while."""
    _worsen(cluster, "delay messages", spike=0.3)


def repeat_messages(cluster):
    """Many messages arrive twice, in all of the network, for a while."""
    _worsen(cluster, "repeat messages", repetition=0.6)


def damage_a_checkpoint(cluster):
    """A learner is killed, and its newest checkpoint is damaged; an older one is left."""
    agent = cluster.rng.randrange(cluster.settings.agents)
    process, chain = cluster.processes.get(f"learner-{agent}"), cluster.record.chains[agent]
    files = cluster.disk.files
    names = fnmatch.filter(sorted(files), f"*/learner-{agent}/update-*.safetensors")
    ledger = files.get(f"{ROOT}/ledgers/learner-{agent}.json")
    if process is None or len(names) < 2 or not ledger or not chain.agrees_with(ledger):
        if cluster.has_faults:  # soon there may be two checkpoints
            cluster.scheduler.at(cluster.scheduler.now + 0.3, damage_a_checkpoint, cluster)
        return
    cluster.record.on_fault("damage a checkpoint", names[-1])
    process.kill()
    files[names[-1]] = files[names[-1]][:-1] + b"?"
    chain.go_back(files[names[-2]])


def break_a_disk(cluster):
    """A process cannot write files for a while."""
    if process := _any_process(cluster):
        number = cluster.rng.choice((errno.ENOSPC, errno.EROFS, errno.EIO))
        seconds = _seconds(cluster)
        cluster.record.on_fault("break a disk", process.role, errno.errorcode[number], seconds)
        cluster.disk.faults[process.role] = (cluster.scheduler.now + seconds, number)


FAULTS = (
    kill,
    kill_at_an_effect,
    kill_in_a_checkpoint,
    kill_two,
    stop,
    freeze,
    freeze_at_an_effect,
    start_another_actor,
    cut,
    cut_all,
    partition,
    refuse_sends,
    lose_weights,
    lose_messages,
    delay_messages,
    repeat_messages,
    break_a_disk,
    damage_a_checkpoint,
)


def kill_a_learner(cluster):
    """A learner is killed, now or at one of its next effects."""
    learner = cluster.rng.choice(cluster.alive("learner") or [None])
    if learner:
        learner.trigger = Trigger(cluster.rng.randrange(8), None, _killing(cluster))


def stop_a_learner(cluster):
    """A learner is asked to stop."""
    learner = cluster.rng.choice(cluster.alive("learner") or [None])
    if learner:
        cluster.record.on_fault("stop", learner.name)
        learner.stop()


# Those that a deterministic run survives: it cannot go on without its games and recurrent states.
FAULTS_OF_DETERMINISTIC_RUNS = (
    kill_a_learner,
    kill_a_learner,
    kill_in_a_checkpoint,
    stop_a_learner,
    freeze,
    freeze_at_an_effect,
    cut,
    cut_all,
    partition,
    refuse_sends,
    lose_weights,
    lose_messages,
    delay_messages,
    repeat_messages,
)


def schedule(cluster, kinds):
    """Draw the faults of a history, and when they happen."""
    settings, rng = cluster.settings, cluster.rng
    for _ in range(settings.faults if kinds else 0):
        fault = rng.choice(kinds)
        cluster.scheduler.at(settings.seconds * rng.random(), fault, cluster)


def end_all(cluster, latency):
    """No fault lasts any longer: from now on the network only delays messages, by little."""
    cluster.has_faults = False
    conditions = replace(cluster.settings.conditions, spike=0.0, loss=0.0, repetition=0.0)
    cluster.network.conditions = replace(conditions, latency=latency, capacity=64)
    for pipe in cluster.network.pipes:
        pipe.hurry(cluster.scheduler.now + latency)
    cluster.disk.faults.clear()
    for process in cluster.alive():
        process.trigger = None
        process.thaw()
    for client in cluster.network.clients:
        client.unreachable_until = 0.0
        if isinstance(client, Subscriber):
            client.loses_until = 0.0
        else:
            client.refuses_until = 0.0


def _any_process(cluster):
    alive = cluster.alive()
    return cluster.rng.choice(alive) if alive else None


def _any_client(cluster, kind):
    clients = cluster.clients(kind)
    return cluster.rng.choice(clients) if clients else None


def _seconds(cluster):
    """How long a fault lasts: mostly as long as retries take, sometimes much longer."""
    rng = cluster.rng
    return rng.choice((0.5, 2.0, 2.0, 7.0, 7.0, 20.0, 100.0)) * rng.uniform(0.5, 1.0)


def _killing(cluster):
    def kill_here(process):
        cluster.record.on_fault("kill at an effect", process.name)
        process.kill()

    return kill_here


def _freeze(cluster, process, seconds):
    cluster.record.on_fault("freeze", process.name, seconds)
    if seconds > HEARTBEAT_SECONDS:
        cluster.scheduler.at(cluster.scheduler.now + HEARTBEAT_SECONDS, _time_out, cluster, process)
    process.freeze(seconds)


def _time_out(cluster, process):
    for client in list(cluster.network.clients):
        if process.is_frozen and (client.process is process or client.server == process.role):
            client.cut(may_arrive_late=True)


def _worsen(cluster, kind, **changes):
    seconds = min(_seconds(cluster), 7.0)
    network, usual = cluster.network, cluster.settings.conditions
    cluster.record.on_fault(kind, seconds)
    network.conditions = replace(network.conditions, **changes)

    def end():
        if cluster.has_faults:
            before = {name: getattr(usual, name) for name in changes}
            network.conditions = replace(network.conditions, **before)

    cluster.scheduler.at(cluster.scheduler.now + seconds, end)
