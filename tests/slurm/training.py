"""Jobs on a real Slurm cluster: `make test-slurm`. As root, and too long for the suite.

One run goes through what may happen to a job, one test after the other.
"""

import tempfile
from pathlib import Path

import pytest
from tests.slurm.cluster import Cluster, missing
from tests.slurm.job import AGENTS, SMALL, Job, own_steps, resumed_at, summary
from tests.system.runs import set_options
from tests.until import until

from ssd_run.check_account import account_of

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing() or "it can run"),
    pytest.mark.timeout(180),
]

NOT_COMPLETE = "75:0"
TRAIN = ("harvest-moa", *set_options(*SMALL))


@pytest.fixture(scope="module")
def cluster():
    with (
        tempfile.TemporaryDirectory(prefix="ssd-slurm-") as folder,
        Cluster(Path(folder)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def run_dir(cluster):
    return cluster.folder / "run"


@pytest.fixture(scope="module")
def jobs(cluster, run_dir):
    """Submits jobs that train the same run."""
    submitted = []

    def submit(*arguments, options=()):
        submitted.append(Job(cluster, run_dir, *TRAIN, *arguments, options=options))
        return submitted[-1]

    submit.last = lambda: submitted[-1]
    return submit


def assert_drained(run_dir, trained_before):
    """Check that a run was stopped in order: all that was made is trained, and in a checkpoint."""
    ended, account = summary(run_dir), account_of(run_dir)
    assert (ended["ended"], ended["killed"]) == ("stopped", [])
    assert account.faults == ()
    assert account.made == account.trained
    assert own_steps(run_dir) == min(ended["own_steps"]) > trained_before


def test_a_job_trains_over_two_nodes_with_keys(cluster, run_dir, jobs):
    job = jobs()
    job.until_it_trains()
    steps = cluster.run("squeue", "--steps", "--noheader", "--format=%j %N")
    placed = {tuple(line.split()) for line in steps.splitlines()}
    nodes = {("learners", "node1"), ("arenas-node1", "node1"), ("arenas-node2", "node2")}
    assert nodes <= placed
    assert (run_dir / "keys" / "public.toml").is_file()
    for arena in (0, 1):
        assert until((run_dir / "episodes" / f"arena-{arena}.jsonl").exists)


def test_a_process_that_is_killed_on_another_node_is_restarted(cluster, jobs):
    cluster.run("pkill", "-KILL", "--full", "ssd-actor --agent=2 --arena=0", node="node2")
    until(lambda: "actor-0-2 restarted" in jobs.last().log)


def test_a_requeued_job_goes_on_from_its_checkpoints(cluster, run_dir, jobs):
    job = jobs.last()
    cluster.run("scontrol", "requeue", job.number)
    until(lambda: job.state == "PENDING")
    stopped_at = own_steps(run_dir)
    assert_drained(run_dir, 0)
    job.until_it_trains(start=2)
    assert resumed_at(run_dir) == stopped_at


def test_a_cancelled_job_ends_with_everything_in_checkpoints(cluster, run_dir, jobs):
    job, before = jobs.last(), resumed_at(run_dir)
    cluster.run("scancel", job.number)
    job.until_it_has_ended()
    assert (job.state, job.exit_code) == ("CANCELLED", NOT_COMPLETE)
    assert_drained(run_dir, before)


def test_a_job_stops_in_order_before_its_time_limit(run_dir, jobs):
    before = own_steps(run_dir)
    job = jobs(options=("--time=1", "--signal=B:USR1@10"))
    job.until_it_has_ended(seconds=90)
    assert (job.state, job.exit_code) == ("FAILED", NOT_COMPLETE)
    assert_drained(run_dir, before)


def test_a_job_may_requeue_itself_before_its_time_limit(cluster, run_dir, jobs):
    before = own_steps(run_dir)
    job = jobs(options=("--export=ALL,REQUEUE_AT_TIME_LIMIT=1",))
    job.until_it_trains()
    cluster.run("scancel", "--batch", "--signal=USR1", job.number)
    until(lambda: job.state == "PENDING")
    stopped_at = own_steps(run_dir)
    assert_drained(run_dir, before)
    job.until_it_trains(start=2)
    assert resumed_at(run_dir) == stopped_at


def test_a_job_of_which_a_step_ends_requeues_itself(cluster, run_dir, jobs):
    job, before = jobs.last(), own_steps(run_dir)
    cluster.run("pkill", "-KILL", "--full", "step_process .* arenas-node2", node="node2")
    until(lambda: job.state == "PENDING")
    stopped_at = own_steps(run_dir)
    assert account_of(run_dir).faults == ()
    job.until_it_trains(start=3)
    assert resumed_at(run_dir) == stopped_at >= before
    cluster.run("scancel", job.number)
    job.until_it_has_ended()


def test_a_job_whose_node_fails_is_started_again_and_goes_on(cluster, run_dir, jobs):
    before = own_steps(run_dir)
    job = jobs()
    job.until_it_trains()
    cluster.kill_node("node2")
    until(lambda: job.state == "PENDING", seconds=90)
    stopped_at = own_steps(run_dir)
    cluster.start_node("node2")
    job.until_it_trains(start=2)
    assert resumed_at(run_dir) == stopped_at
    assert stopped_at > before


def test_a_preempted_job_goes_on_when_there_is_room_again(cluster, run_dir, jobs):
    job, before = jobs.last(), own_steps(run_dir)
    urgent = ("sbatch", "--partition=urgent", "--nodes=1", "--cpus-per-task=8", "--time=1")
    cluster.run(*urgent, f"--output={cluster.folder}/urgent.log", "--wrap=sleep 1")
    until(lambda: job.state == "PENDING")
    stopped_at = own_steps(run_dir)
    job.until_it_trains(start=3)
    assert resumed_at(run_dir) == stopped_at
    assert stopped_at > before
    cluster.run("scancel", job.number)
    job.until_it_has_ended()


def test_a_job_ends_well_once_all_steps_are_trained(run_dir, jobs):
    budget = own_steps(run_dir) + 4000
    job = jobs(f"--steps={AGENTS * budget}")
    job.until_it_has_ended()
    assert (job.state, job.exit_code) == ("COMPLETED", "0:0")
    assert summary(run_dir)["ended"] == "complete"
    assert own_steps(run_dir) >= budget
    assert account_of(run_dir).faults == ()


def test_a_complete_run_that_is_submitted_again_has_nothing_to_do(run_dir, jobs):
    job = jobs(f"--steps={AGENTS * own_steps(run_dir)}")
    job.until_it_has_ended()
    assert (job.state, job.exit_code) == ("COMPLETED", "0:0")
    assert "nothing to do" in job.log


def test_a_job_of_one_node_trains(cluster):
    one_node = ("--nodes=1", "--time=2", "--signal=B:USR1@1")
    run = cluster.folder / "one"
    job = Job(cluster, run, *TRAIN, "--steps=5000", options=one_node)
    job.until_it_has_ended()
    assert (job.state, job.exit_code) == ("COMPLETED", "0:0")
    assert account_of(run).faults == ()


@pytest.mark.parametrize(
    ("folder", "arguments", "message"),
    [
        ("local/run", TRAIN, "is not on node2: wanted a directory that all nodes share"),
        ("nowhere/run", TRAIN, "there is no folder"),
        ("new", ("no-such-file.toml",), "error: no-such-file.toml: cannot be read"),
        ("new", (), "error: wanted sbatch train.sbatch RUN_DIR PRESET"),
    ],
    ids=["not shared", "no folder", "no run file", "no preset"],
)
def test_a_job_with_bad_input_fails_with_one_clear_error(cluster, folder, arguments, message):
    job = Job(cluster, cluster.folder / folder, *arguments)
    job.until_it_has_ended()
    assert job.state == "FAILED"
    assert message in job.log
    assert "Traceback" not in job.log
