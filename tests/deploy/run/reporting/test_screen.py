import io
from dataclasses import replace

import pytest
from rich.console import Console

from ssd_envs.spec import GameSettings
from ssd_influence.settings import ExperimentSettings
from ssd_run.progress.episodes import COUNTS, counts_of, outcome
from ssd_run.progress.progress import METRIC_NAMES, AgentProgress, Progress
from ssd_run.reporting.agent_columns import number
from ssd_run.reporting.screen import Dashboard, PlainOutput, RunInfo, render, screen, status_line

MOA = ExperimentSettings(influence="moa")
CLEANUP, HARVEST, BOX_TRAPPED = (
    counts_of(GameSettings(name=name).events) for name in ("cleanup", "harvest", "box-trapped")
)
INFO = RunInfo("cleanup-moa", "runs/cleanup-moa-20250101-120000", 2_000_000, MOA, CLEANUP)
BASELINE = replace(INFO, experiment=ExperimentSettings())
TALKERS = ExperimentSettings(influence="moa_communication", symbols=9)
ALL = replace(INFO, experiment=TALKERS)
MEASURED = dict.fromkeys(METRIC_NAMES, 0.1) | {
    "influence_nats": 0.0234,
    "moa_loss_nats": 1.234,
    "moa_margin_nats": -0.021,
    "kl_nats": 0.0042,
    "explained_variance": -0.35,
    "policy_entropy_nats": 2.1,
    "policy_lag_updates": 1.5,
}
DID = dict.fromkeys(COUNTS) | {"apples": 8.6, "cleaned": 467.25, "fires": 0.5, "opened": 0.44}
AGENT = AgentProgress(202_400, 1_253, episode_return=-385.1, counts=DID, metrics=MEASURED)
OUTCOME = outcome([{"returns": [-385.1] * 5, "collective_return": -1908.1, "equality": 0.62}])
PROGRESS = Progress(
    elapsed=3725.0,
    agents=(AGENT,) * 5,
    outcome=OUTCOME,
    episodes=1234,
    speed=5541.0,
    waiting={},
    restarts={"actor-0-3": 2, "env-0": 0},
)
START = Progress(0.0, (AgentProgress(),) * 5, outcome([]), 0, None, {}, {})


def drawn(progress, info, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(render(progress, info, width))
    return console.file.getvalue()


def test_the_table_shows_every_agent_and_the_run():
    text = drawn(PROGRESS, INFO, 80)
    for shown in (
        "cleanup-moa",
        "agent-steps 1,012,000",
        "per second 5,541",
        "collective return -1,908.10",
        "equality 0.62",
        "50.6% of 2,000,000",
        "1:02:05",
        "agent 4",
        "202,400",
        "0.023",
        "-0.021",
        "restarts actor-0-3 2",
    ):
        assert shown in text


LARGE = replace(
    AGENT,
    own_steps=98_765_432,
    updates=123_456,
    episode_return=-1234.56,
    counts=DID | {"fires": 111.1},
    metrics=MEASURED | {"explained_variance": -12345.6, "influence_nats": 3.14e-5, "kl_nats": 1e-6},
)


@pytest.mark.parametrize("width", [80, 99, 100, 120, 160, 240])
@pytest.mark.parametrize(
    "progress",
    [PROGRESS, START, replace(PROGRESS, agents=(LARGE,) * 5)],
    ids=["under way", "at the start", "in large numbers"],
)
@pytest.mark.parametrize("info", [INFO, BASELINE, ALL], ids=["moa", "a3c", "all"])
def test_the_table_fits_the_terminal_without_breaking_or_cutting_a_line(progress, info, width):
    lines = drawn(progress, info, width).splitlines()
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line.startswith("agent ")]
    assert len(rows) == 5
    columns = next(line for line in lines if "own steps" in line)
    assert all(len(row.rstrip()) == len(columns.rstrip()) for row in rows)
    assert not any("…" in line for line in (columns, *rows))


def test_a_terminal_of_80_columns_shows_counts_and_influence():
    text = drawn(PROGRESS, INFO, 80)
    names = next(" ".join(line.split()) for line in text.splitlines() if "own steps" in line)
    assert names == "own steps return apples cleaned fires influence margin entropy lag"
    row = next(line.split() for line in text.splitlines() if line.startswith("agent 3"))
    assert row == [
        "agent",
        "3",
        "202,400",
        "-385.10",
        "8.6",
        "467.2",
        "0.5",
        "0.023",
        "-0.021",
        "2.100",
        "1.5",
    ]


def test_only_what_the_game_has_is_shown():
    for show in (
        lambda info: drawn(PROGRESS, info, 240),
        lambda info: status_line(PROGRESS, info),
    ):
        assert "cleaned" in show(INFO)
        assert "opened" not in show(INFO)
        harvest, box = (replace(INFO, counts=counts) for counts in (HARVEST, BOX_TRAPPED))
        assert "cleaned" not in show(harvest)
        assert "fires" in show(harvest)
        assert "fires" not in show(box)
        assert "opened" in show(box)


def test_the_status_line_shows_counts_of_all_agents_together():
    assert "apples 43  cleaned 2,336  fires 2" in status_line(PROGRESS, INFO)
    opener = replace(PROGRESS, agents=(AGENT, AgentProgress()))
    assert "opened 44%" in status_line(opener, replace(INFO, counts=BOX_TRAPPED))
    assert "apples –  cleaned –  fires –" in status_line(START, INFO)


def test_a_wide_terminal_shows_kl_and_explained_variance():
    text = drawn(PROGRESS, INFO, 120)
    names = next(line.split() for line in text.splitlines() if "own steps" in line)
    row = next(line.split() for line in text.splitlines() if line.startswith("agent 3"))
    assert "0.0042" in row
    assert "-0.35" in row
    assert {"KL", "EV"} <= set(names)
    assert not {"KL", "EV"} & set(drawn(PROGRESS, INFO, 80).split())


def test_the_status_line_shows_the_moa_margin_beside_influence():
    assert "influence 0.023  MOA margin -0.021" in status_line(PROGRESS, INFO)
    assert "MOA margin –" in status_line(START, INFO)


def test_a_run_without_moa_has_no_columns_for_it():
    text = drawn(PROGRESS, BASELINE, 120)
    assert "influence" not in text
    assert "MOA" not in text
    assert "margin" not in text
    assert "MOA" not in status_line(PROGRESS, BASELINE)


def test_a_run_with_symbols_shows_their_entropy():
    assert "entropy of symbols 0.100" in status_line(PROGRESS, ALL)
    assert "symbols" in drawn(PROGRESS, ALL, 120)
    assert "symbols" not in status_line(PROGRESS, INFO) + drawn(PROGRESS, INFO, 120)


def test_a_run_without_a_limit_shows_until_ctrl_c():
    assert "until Ctrl-C" in drawn(PROGRESS, replace(INFO, steps=None), 80)


def test_an_equality_defined_in_few_episodes_shows_their_number():
    lines = [
        {"returns": [1.0, 1.0], "collective_return": 2.0, "equality": 1.0},
        {"returns": [-1.0, 1.0], "collective_return": 0.0, "equality": None},
    ]
    some = replace(PROGRESS, outcome=outcome(lines))
    assert "equality 1.00 (in 1)" in status_line(some, INFO)
    assert "equality 1.00 (in 1)" in drawn(replace(some, agents=()), INFO, 80)
    assert "(in" not in status_line(PROGRESS, INFO)


def test_unknown_values_are_shown_as_a_dash_and_not_as_zero():
    assert "return –" in status_line(START, INFO)
    assert "equality –" in status_line(START, INFO)


def test_before_the_first_update_the_phase_is_shown_instead_of_zeros():
    starting = replace(START, phase="starting: 3 of 11 processes are up")
    assert status_line(starting, INFO) == "starting: 3 of 11 processes are up"
    text = drawn(starting, INFO, 80)
    assert "starting: 3 of 11 processes are up" in text
    assert "agent 0" not in text
    assert "per second" not in text


def test_nothing_of_a_larger_table_is_left_when_the_terminal_shrinks():
    console = Console(
        file=io.StringIO(), width=120, height=40, force_terminal=True, color_system=None
    )
    clear = "\x1b[H\x1b[2J"
    with Dashboard(console, INFO) as shown:
        shown.show(PROGRESS)
        console.width = 160
        shown.show(PROGRESS)
        assert clear not in console.file.getvalue()
        console.width = 80
        shown.show(PROGRESS)
        assert console.file.getvalue().count(clear) == 1
        shown.show(PROGRESS)
        assert console.file.getvalue().count(clear) == 1


def test_of_many_unresponsive_processes_only_some_are_named():
    silent = tuple(f"actor-0-{number}" for number in range(11))
    text = status_line(replace(START, unresponsive=silent), INFO)
    assert "no answer from actor-0-0, actor-0-1, actor-0-2 and 8 more" in text


def test_processes_that_cannot_write_are_named():
    text = status_line(replace(START, cannot_write=("env-0", "learner-1")), INFO)
    assert "cannot write to disk: env-0, learner-1" in text


def test_a_pipe_gets_plain_lines_and_a_terminal_a_table():
    assert isinstance(screen(Console(file=io.StringIO()), INFO), PlainOutput)
    terminal = Console(file=io.StringIO(), force_terminal=True)
    assert isinstance(screen(terminal, INFO), Dashboard)


def test_plain_lines_come_every_ten_seconds_and_are_never_broken():
    console = Console(file=io.StringIO(), width=20)
    with PlainOutput(console, INFO) as lines:
        for second in range(25):
            lines.show(replace(PROGRESS, elapsed=float(second)))
        lines.log("env-0 started again")
    first, *shown, last = console.file.getvalue().splitlines()
    assert first == "cleanup-moa in runs/cleanup-moa-20250101-120000"
    assert [line.split()[0] for line in shown] == ["0:00:00", "0:00:10", "0:00:20"]
    assert "1,012,000 of 2,000,000 agent-steps  5,541/s  return -1,908.10 (1 episodes)" in shown[0]
    assert last == "0:00:24  env-0 started again"


def test_messages_scroll_above_the_table():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with Dashboard(console, INFO) as shown:
        shown.show(PROGRESS)
        shown.log("env-0 [was] killed")
    assert "env-0 [was] killed" in console.file.getvalue()


@pytest.mark.parametrize(
    ("influence", "shown"), [(None, "–"), (0.0234, "0.023"), (3.14e-5, "3.1e-05"), (0.0, "0")]
)
def test_influence_is_never_rounded_away(influence, shown):
    assert number(influence, places=None) == shown
