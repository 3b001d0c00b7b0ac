import errno
import json
import subprocess
import sys
from dataclasses import replace

from tensorboardX.proto.event_pb2 import Event

from ssd_run.json_lines import read_lines
from ssd_run.progress.episodes import COUNTS, outcome
from ssd_run.progress.progress import METRIC_NAMES, AgentProgress, Progress
from ssd_run.reporting.records import Records, elapsed_before, record, scalars

MEASURED = dict.fromkeys(METRIC_NAMES) | {"moa_loss_nats": 1.5, "moa_margin_nats": -0.25}
DID = dict.fromkeys(COUNTS) | {"apples": 8.5, "cleaned": 467.0}
OUTCOME = outcome(
    [{"returns": [1.0, 3.0], "collective_return": 4.0, "equality": 0.75}],
)
PROGRESS = Progress(
    elapsed=12.0,
    agents=(
        AgentProgress(800, 2, episode_return=1.0, counts=DID, metrics=MEASURED),
        AgentProgress(1600, 4, episode_return=3.0),
    ),
    outcome=OUTCOME,
    episodes=9,
    speed=240.0,
    waiting={"env": 1.0, "learner": 2.0},
    restarts={"actor-0-0": 2},
)


def events(folder):
    """The scalars in a folder's event files, as (name, value, step): TFRecord framing."""
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + length])
            found += [(v.tag, v.simple_value, event.step) for v in event.summary.value]
            data = data[16 + length :]
    return found


def test_a_record_has_all_metrics_per_agent_in_order():
    line = record(PROGRESS, now=100.0)
    assert line["agent_steps"] == 2400
    assert line["own_steps"] == [800, 1600]
    assert line["moa_loss_nats"] == [1.5, None]
    assert line["moa_margin_nats"] == [-0.25, None]
    assert line["passes"] == [None, None]
    assert (line["collective_return"], line["equality"]) == (4.0, 0.75)
    assert line["restarts"] == 2


def test_a_record_has_counts_per_agent_and_null_for_those_that_the_game_lacks():
    line = record(PROGRESS, now=100.0)
    assert (line["apples"], line["cleaned"]) == ([8.5, None], [467.0, None])
    assert line["opened"] == line["opened_at"] == line["fires"] == [None, None]


def test_records_of_all_launches_are_in_one_file(run_dir):
    for _ in range(2):
        records = Records(run_dir)
        records.write(PROGRESS)
        records.close()
    lines = [json.loads(line) for line in run_dir.metrics.read_text().splitlines()]
    assert [line["agent_steps"] for line in lines] == [2400, 2400]


def test_the_elapsed_time_of_earlier_launches_is_read_from_their_records(run_dir):
    assert elapsed_before(run_dir) == 0.0
    records = Records(run_dir)
    records.write(PROGRESS)
    records.write(replace(PROGRESS, elapsed=22.5))
    records.close()
    assert elapsed_before(run_dir) == 22.5


def test_scalars_of_agents_are_over_own_steps_and_those_of_the_run_over_agent_steps():
    curves = {name: (value, step) for name, value, step in scalars(PROGRESS)}
    assert curves["run/collective_return"] == (4.0, 2400)
    assert curves["agent-0/moa_loss_nats"] == (1.5, 800)
    assert curves["agent-1/return"] == (3.0, 1600)
    assert curves["agent-0/cleaned"] == (467.0, 800)
    assert curves["run/apples"] == (8.5, 2400)


def test_tensorboard_gets_only_known_values(run_dir):
    records = Records(run_dir)
    records.write(PROGRESS)
    records.close()
    written = events(run_dir.tensorboard)
    assert ("agent-0/moa_loss_nats", 1.5, 800) in written
    assert ("agent-0/apples", 8.5, 800) in written
    assert not {"agent-0/fires", "run/fires"} & {name for name, _, _ in written}
    assert "agent-1/moa_loss_nats" not in {name for name, _, _ in written}


def test_the_launcher_does_not_import_torch(tmp_path):
    code = (
        "import sys, ssd_run.cli\n"
        "from pathlib import Path\n"
        "from ssd_run.reporting.tensorboard import TensorBoard\n"
        f"TensorBoard(Path({str(tmp_path)!r})).add([('a', 1.0, 1)], 0.0)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_records_continue_after_a_full_disk_has_space_again(run_dir, monkeypatch):
    records = Records(run_dir)
    records.write(PROGRESS)
    with monkeypatch.context() as patched:
        patched.setattr("ssd_wire.process.json_lines.os.write", no_space)
        patched.setattr("tensorboardX.record_writer.RecordWriter.flush", no_space)
        for _ in range(30):  # more than any queue of a writer holds
            records.write(PROGRESS)
            assert records.fault.errno == errno.ENOSPC
    records.write(PROGRESS)
    assert records.fault is None
    records.close()
    assert len(read_lines(run_dir.metrics)) == 32
    assert ("agent-0/moa_loss_nats", 1.5, 800) in events(run_dir.tensorboard)


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")
