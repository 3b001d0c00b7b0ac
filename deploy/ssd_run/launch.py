"""One launch of a run: start its processes, restart and watch them until the end, stop them."""

from __future__ import annotations

import select
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ssd_run.account import LearnerLedger, read_ledgers, reconcile
from ssd_run.processes.history import History
from ssd_run.processes.programs import Endpoints, RunSize, all_programs
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
from ssd_run.reporting.scrape_targets import ScrapeTargets
from ssd_run.reporting.screen import Screen
from ssd_run.reporting.summary import Summary
from ssd_run.run_config import RunConfig
from ssd_run.run_directory import RunDir
from ssd_run.slurm.step_spawner import StepSpawner, start_steps
from ssd_wire.process.stop import Stop

COMPLETE = "complete"
STOPPED = "stopped"
CHECK_PERIOD = 0.2  # seconds between checks of the processes
SHOW_PERIOD = 1.0  # seconds between updates of the screen


@dataclass
class Launch:
    """All parts of one launch.

    Attributes:
        config: Of the run.
        run_dir: Of the run.
        size: Agents, arenas, steps and devices of this launch.
        screen: Shows the progress.
        stop: Whether the user has asked to stop.
        spawner: Starts the processes.
        history: Starts and ends of processes, of earlier launches too.
        supervisor: Restarts the processes.
        scraper: Reads their metrics.
        collector: Combines metrics and episodes into the progress of the run.
        records: Writes the progress to files.
        targets: Tells Prometheus where the processes' metrics are.
        log_tail: End of the log of the process that ended the run, if one did.
        failure_code: Exit code of this launcher where the run does not end well.
    """

    config: RunConfig
    run_dir: RunDir
    size: RunSize
    screen: Screen
    stop: Stop
    spawner: Spawner | StepSpawner
    history: History
    supervisor: Supervisor
    scraper: Scraper
    collector: ProgressCollector
    records: Records
    targets: ScrapeTargets
    log_tail: str = ""
    failure_code: int = 1
    _shown: float = field(default=float("-inf"))
    _recorded: float = field(default=0.0)
    _progress: Progress | None = None
    _fault: OSError | None = None

    def observe(self) -> Progress:
        """Collect the progress about once a second; show and record it when that is due."""
        if self._progress is None or self.collector.elapsed - self._shown >= SHOW_PERIOD:
            self._progress = self.collector.collect()
            self._shown = self.collector.elapsed
            self.screen.show(self._progress)
            self.targets.update(self.supervisor.alive())
        if self.collector.elapsed - self._recorded >= RECORD_PERIOD:
            self._recorded = self.collector.elapsed
            self.records.write(self._progress)
            self._report_fault(self.records.fault or self.history.fault or self.targets.fault)
        return self._progress

    def _report_fault(self, fault: OSError | None) -> None:
        """Report once that records cannot be written, and once that they can be written again."""
        if fault is not None and self._fault is None:
            self.screen.log(f"records of this run cannot be written ({fault}); trying again")
        if fault is None and self._fault is not None:
            self.screen.log("records of this run are written again")
        self._fault = fault

    def pause(self) -> bool:
        """Wait until the next check; whether the user has asked to stop."""
        awaited = (*self.stop.descriptors, *self.spawner.descriptors)
        select.select(awaited, [], [], CHECK_PERIOD)
        return self.stop.check()

    def close(self, ended: str, seconds: float) -> tuple[str, ...]:
        """Stop all processes.

        Args:
            ended: Why. If the user has asked for it, asking again kills the processes.
            seconds: After that, processes that still run are killed.

        Returns:
            Roles of the processes that were killed.
        """
        asked = int(ended == STOPPED)
        self.stop.requested = False
        hint = " (Ctrl-C again kills them)" if asked else ""
        self.collector.stopping = True
        self.screen.log(f"stopping actors, then learners, then environments{hint}")

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
        self.targets.remove()
        self.records.write(self.collector.collect())
        self.records.close()
        self.history.close()
        return killed

    def summary(self, ended: str, killed: tuple[str, ...]) -> Summary:
        """The results of the run, once all processes have ended."""
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
    """The progress of each agent's learner in its last ledger; 0 if it has none."""
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
    prometheus: Path | None = None,
    nodes: Sequence[str] = (),
) -> Launch:
    """Prepare a launch: the fork server begins to load; no other process is started yet.

    Args:
        config: Of the run.
        run_dir: Of the run.
        size: Agents, arenas, steps and devices of this launch.
        history: Of the run so far.
        screen: Shows the progress.
        sockets: A private directory with a short path, for the sockets.
        prometheus: A folder for another copy of the file that tells Prometheus where the processes'
            metrics are.
        nodes: Of the Slurm job over which the processes are spread; by default they run here.

    Raises:
        EndpointError: when the directory for the sockets has too long a path, or a step of the job
            does not start.
    """
    spawner: Spawner | StepSpawner
    if nodes:
        spawner, endpoints = start_steps(run_dir, size, nodes)
    else:
        spawner, endpoints = Spawner(run_dir), Endpoints.ipc(sockets, size)
    programs = all_programs(size, run_dir, endpoints, deterministic=config.run.deterministic)
    scraper = Scraper(run_dir.processes)
    restart_progress = RestartProgress(scraper)
    supervisor = Supervisor(
        programs, spawner, history, time.monotonic, screen.log, restart_progress.made_progress
    )
    counts = counts_of(config.game.events)
    episodes = Episodes(run_dir.episodes, config.game.horizon, counts)
    before = progress_in_ledgers(read_ledgers(run_dir.ledgers)[1], size.agents)
    elapsed = elapsed_before(run_dir)
    copies = [] if prometheus is None else [prometheus / f"{run_dir.name}.json"]
    target_files = [run_dir.prometheus, *copies]
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
        targets=ScrapeTargets(run_dir.name, run_dir.processes, target_files),
    )


def run(launch: Launch) -> str:
    """Run until all steps are trained, the user stops it, or it has failed. Start reading here.

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
        launch.failure_code = fault.code
        launch.screen.log(str(fault))
        return f"failed: {fault}"
    return STOPPED
