"""Cuts processes off for 30 s, and measures how soon after that their run goes on.

Over tcp, with keys, between hosts: the environment and one actor are on the first, the learners on
the second, the other actor on the third. Over ipc, processes are frozen, and meanwhile their
connections are cut.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
from tests.chaos import connections
from tests.chaos.network import Host, network
from tests.chaos.recorded_run import RecordedRun
from tests.system.runs import BIN, ManualRun

AGENTS = 2
SECONDS = 30.0  # of each separation
SETTLED = 10.0  # seconds into a separation after which nothing may go on
LONGEST = 10.0  # seconds after its end until everything has gone on
GIVEN_UP = 90.0

Counts = Callable[[], Mapping[str, int]]


def over_tcp(root: Path) -> Iterator[str]:
    """Cut off each host in turn, in two ways; yields findings."""
    with network("env", "learners", "actor") as hosts:
        run = ManualRun(root, "harvest-moa")
        try:
            start(run, *hosts)
            run.wait("all to learn", lambda: all(updates(run).values()), 300)
            for host in hosts:
                for separate, heal in (
                    (host.take_down, host.bring_up),
                    (host.drop_packets, host.pass_packets),
                ):
                    what = f"tcp, host {host.name}: {separate.__name__.replace('_', ' ')}"
                    separate()
                    yield from check_separated(what, lambda: updates(run))
                    heal()
                    yield from check_recovery(what, lambda: updates(run))
        finally:
            run.end()


def start(run: ManualRun, env: Host, learners: Host, actor: Host) -> None:
    """Start all processes of a run, each on its host."""
    run.keys = run.root / "keys"
    subprocess.run([BIN / "ssd-keys", run.keys, "--agents", str(AGENTS)], check=True)
    run.within, run.address = env.within, f"tcp://{env.address}:0"
    run.env()
    run.within, run.address = learners.within, f"tcp://{learners.address}:0"
    for agent in range(AGENTS):
        run.learner(agent)
    for agent, host in enumerate((env, actor)):
        run.within = host.within
        run.actor(agent)


def updates(run: ManualRun) -> dict[str, int]:
    """Durable updates of each agent."""
    return {f"agent {agent}": run.ledger(agent)["updates"] for agent in range(AGENTS)}


def over_ipc(run: RecordedRun) -> Iterator[str]:
    """Freeze a process of each kind, and cut its connections meanwhile; yields findings."""
    for role in ("learner-0", "actor-0-1", "env-0"):
        pid = run.pid(role)
        if pid is None:
            yield f"{role} is not up"
            continue
        os.kill(pid, signal.SIGSTOP)
        for descriptor in connections.zmq_connections(pid):
            connections.cut(pid, descriptor)
        time.sleep(SECONDS)
        os.kill(pid, signal.SIGCONT)
        yield from check_recovery(f"ipc, {role}: frozen, its connections cut", run.progress)


def check_separated(what: str, counts: Counts) -> Iterator[str]:
    """Wait through a separation; a finding if anything goes on."""
    time.sleep(SETTLED)
    before = counts()
    time.sleep(SECONDS - SETTLED)
    if counts() != before:
        yield f"{what}: wanted nothing to go on, found {before}, then {counts()}"


def check_recovery(what: str, counts: Counts) -> Iterator[str]:
    """Wait until all counts have grown, and print how long that took; a finding if too long."""
    began, before = time.monotonic(), counts()
    while any(count <= before[name] for name, count in counts().items()):
        if time.monotonic() - began > GIVEN_UP:
            yield f"{what}: no progress within {GIVEN_UP:.0f} s"
            return
        time.sleep(0.05)
    seconds = time.monotonic() - began
    click.echo(f"{what}: progress again after {seconds:.1f} s")
    if seconds > LONGEST:
        yield f"{what}: progress again after {seconds:.1f} s, wanted at most {LONGEST:.0f}"
