"""One launch of a run: its processes are kept alive and watched until it ends, then stopped."""

from __future__ import annotations

import select
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ssd_run.account import LearnerLedger, read_ledgers, reconcile
from ssd_run.processes.history import History
from ssd_run.processes.programs import RunSize, all_programs
from ssd_run.processes.shutdown import shut_down
from ssd_run.processes.spawner import RunFailedError, Spawner
from ssd_run.processes.supervisor import Supervisor
from ssd_run.progress.collector import ProgressCollector
from ssd_run.progress.episodes import Episodes, counts_of
from ssd_run.progress.progress import AgentProgress, Progress
from ssd_run.progress.restart_progress import RestartProgress
from ssd_run.progress.scraper import Scraper
from ssd_run.reporting.records import PERIOD as RECORD_PERIOD
from ssd_run.reporting.records import Records, elapsed_before
from ssd_run.reporting.screen import Screen
from ssd_run.reporting.summary import Summary
from ssd_run.run_config import RunConfig
from ssd_run.run_directory import RunDir
from ssd_wire.stop import Stop

COMPLETE = "complete"
STOPPED = "stopped"
CHECK_PERIOD = 0.2  # seconds between looks at who died
SHOW_PERIOD = 1.0  # seconds between pictures of the whole run


@dataclass
class Launch:
    """Everything one launch holds on to.

    Attributes:
        config: What the run is.
        run_dir: Where it is.
        size: How large it is here.
        screen: What the user sees.
        stop: What the user wants.
        spawner: Starts the processes.
        history: Knows what was started, in earlier launches too.
        supervisor: Keeps the processes alive.
        scraper: Asks them how they are.
        collector: Puts together what they say.
        records: Keeps it.
        log_tail: Of the process that ended the run, when one did.
    """

    config: RunConfig
    run_dir: RunDir
    size: RunSize
    screen: Screen
    stop: Stop
    spawner: Spawner
    history: History
    supervisor: Supervisor
    scraper: Scraper
    collector: ProgressCollector
    records: Records
    log_tail: str = ""
    _shown: float = field(default=float("-inf"))
    _recorded: float = field(default=0.0)
    _progress: Progress | None = None
    _fault: OSError | None = None

    def observe(self) -> Progress:
        """Look at the run, about once a second; show and record it when that is due."""
        if self._progress is None or self.collector.elapsed - self._shown >= SHOW_PERIOD:
            self._progress = self.collector.collect()
            self._shown = self.collector.elapsed
            self.screen.show(self._progress)
        if self.collector.elapsed - self._recorded >= RECORD_PERIOD:
            self._recorded = self.collector.elapsed
            self.records.write(self._progress)
            self._report_fault(self.records.fault or self.history.fault)
        return self._progress

    def _report_fault(self, fault: OSError | None) -> None:
        """Tell the user, once, that records cannot be written, and that they can be again."""
        if fault is not None and self._fault is None:
            self.screen.say(f"records of this run cannot be written ({fault}); trying again")
        if fault is None and self._fault is not None:
            self.screen.say("records of this run are written again")
        self._fault = fault

    def pause(self) -> bool:
        """Wait until it is time to look again; whether the user has asked to stop."""
        awaited = (*self.stop.descriptors, *self.spawner.descriptors)
        select.select(awaited, [], [], CHECK_PERIOD)
        return self.stop.check()

    def close(self, ended: str, seconds: float) -> tuple[str, ...]:
        """Stop everything; tells who had to be killed.

        Args:
            ended: Why it stops. When the user asked for it, asking once more kills.
            seconds: After which what still runs is killed.
        """
        asked = int(ended == STOPPED)
        self.stop.requested = False
        hint = "; Ctrl-C once more kills them" if asked else ""
        self.collector.stopping = True
        self.screen.say(f"stopping actors, then learners, then worlds{hint}")

        def wait() -> bool:
            nonlocal asked
            self.observe()
            if self.pause():
                self.stop.requested = False
                asked += 1
            return asked > 1

        killed = shut_down(self.supervisor, seconds, time.monotonic, wait)
        self.spawner.close()
        self.scraper.stop()
        self.records.write(self.collector.collect())
        self.records.close()
        self.history.close()
        return killed

    def summary(self, ended: str, killed: tuple[str, ...]) -> Summary:
        """What the run has come to, once all processes are gone."""
        actors, learners, unreadable = read_ledgers(self.run_dir.ledgers)
        account = reconcile(actors, learners, self.history.clean_epochs, self.config.segment_steps)
        progress = self.collector.collect()
        agents = progress_in_ledgers(learners, self.size.agents)
        own_steps = tuple(agent.own_steps for agent in agents)
        return Summary(
            preset=self.config.preset.name,
            run_dir=str(self.run_dir.root),
            ended=ended,
            wall_seconds=round(self.collector.elapsed, 3),
            agent_steps_per_second=self.collector.throughput.steady,
            agent_steps=sum(own_steps),
            own_steps=own_steps,
            updates=tuple(agent.updates for agent in agents),
            episodes=progress.episodes,
            outcome=progress.outcome,
            restarts=progress.restarts,
            killed=killed,
            account=replace(account, faults=(*account.faults, *unreadable)),
        )


def progress_in_ledgers(
    learners: Iterable[LearnerLedger], agents: int
) -> tuple[AgentProgress, ...]:
    """Where each agent's learner stood when it last wrote its ledger; at 0 if it never did."""
    known = {
        ledger.agent: AgentProgress(own_steps=ledger.own_steps, updates=ledger.updates)
        for ledger in learners
    }
    return tuple(known.get(agent, AgentProgress()) for agent in range(agents))


def prepare(
    config: RunConfig,
    run_dir: RunDir,
    size: RunSize,
    history: History,
    screen: Screen,
    sockets: Path,
) -> Launch:
    """Make ready to launch: the fork server begins to load, nothing else is started yet.

    Args:
        config: What the run is.
        run_dir: Where it is.
        size: How large it is here.
        history: Of the run so far.
        screen: What the user sees.
        sockets: A short private directory for the processes' sockets.
    """
    programs = all_programs(size, run_dir, sockets)
    spawner = Spawner(run_dir)
    scraper = Scraper(run_dir.processes)
    restart_progress = RestartProgress(scraper)
    supervisor = Supervisor(
        programs, spawner, history, time.monotonic, screen.say, restart_progress.made_progress
    )
    counts = counts_of(config.game.events)
    episodes = Episodes(run_dir.episodes, config.game.horizon, counts)
    before = progress_in_ledgers(read_ledgers(run_dir.ledgers)[1], size.agents)
    elapsed = elapsed_before(run_dir)
    return Launch(
        config=config,
        run_dir=run_dir,
        size=size,
        screen=screen,
        stop=Stop(),
        spawner=spawner,
        history=history,
        supervisor=supervisor,
        scraper=scraper,
        collector=ProgressCollector(supervisor.alive, scraper, episodes, history, before, elapsed),
        records=Records(run_dir),
    )


def run(launch: Launch) -> str:
    """Run until the steps are trained, the user stops it, or it cannot go on. Start reading here.

    Returns:
        How it ended: `COMPLETE`, `STOPPED`, or what went wrong.
    """
    launch.history.record_launch(launch.size.arenas)
    launch.scraper.start()
    try:
        while not launch.stop.requested:
            launch.supervisor.check()
            if launch.observe().complete:
                return COMPLETE
            launch.pause()
    except RunFailedError as fault:
        launch.log_tail = launch.spawner.log_tail(fault.role)
        launch.screen.say(str(fault))
        return f"failed: {fault}"
    return STOPPED
