"""The capacity page says what follows from the figures beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from ssd_lab.load.capacity import main, page
from ssd_lab.load.findings import find
from ssd_lab.load.model import (
    HOLDING,
    LINE_OUT,
    TRAINING,
    Arena,
    Costs,
    Learner,
    asked,
    bottleneck,
    core_rate,
    costs_of,
    heard,
    hours,
    reached,
)
from ssd_wire.errors import RunFileError

COSTS = Costs(
    segment_bytes=240_000.0,
    segment_steps=800.0,
    weights_bytes=1_000_000.0,
    ingest_seconds=1e-6,
    publish_seconds=0.002,
    subscriber_seconds=0.0005,
    checkpoint_seconds=0.03,
    retained=256.0,
)
LEARNER = Learner("learner", 20_000.0, 4, 8.0, 15.0, assumed=False)
ARENA = Arena("arena", 8000.0, 5)


def test_an_arenas_own_steps_are_its_agent_steps_shared_by_its_agents():
    assert ARENA.own_steps_per_second == 1600.0


def test_what_arenas_ask_for_in_numbers():
    shares = asked(COSTS, LEARNER, ARENA, arenas=10)
    # 16,000 own-steps/s are 20 segments and 5 updates a second; the line takes 10⁹ bytes a second.
    assert shares == pytest.approx(
        {
            "training": 16_000 / 20_000,
            "taking in segments (of a core)": 0.016,
            "network, segments in": 20 * 240_000 / 1e9,
            "publishing weights (of a core)": 5 * (0.002 + 10 * 0.0005),
            "network, weights out": 5 * 10 * 1e6 / 1e9,
            "checkpoints": 0.03 / 15,
        }
    )


def test_a_fast_arena_makes_the_learner_write_checkpoints_before_their_time():
    fast = Arena("fast", 5 * 800 * 64.0, 5)  # 64 segments a second: half of 256 in 2 s
    assert asked(COSTS, LEARNER, fast, 1)["checkpoints"] == pytest.approx(0.03 / 2)


def test_the_bottleneck_is_what_is_asked_for_most():
    assert bottleneck(asked(COSTS, LEARNER, ARENA, 10)) == TRAINING
    assert bottleneck(asked(COSTS, LEARNER, ARENA, 1000)) == TRAINING
    fast = replace(LEARNER, own_steps_per_second=1e6)
    assert bottleneck(asked(COSTS, fast, ARENA, 1000)) == LINE_OUT


def test_arenas_run_freely_until_training_holds_them():
    assert reached(COSTS, LEARNER, ARENA, 10) == 16_000
    assert reached(COSTS, LEARNER, ARENA, 20) == pytest.approx(20_000)
    assert reached(COSTS, LEARNER, ARENA, 1000) == pytest.approx(20_000)


@pytest.mark.parametrize("arenas", [1, 7, 100, 1000])
def test_at_the_rate_reached_no_part_that_holds_is_asked_for_more_than_there_is(arenas):
    held = Arena("held", reached(COSTS, LEARNER, ARENA, arenas) * 5 / arenas, 5)
    shares = asked(COSTS, LEARNER, held, arenas)
    assert max(shares[part] for part in HOLDING) <= 1 + 1e-9


def test_publications_that_do_not_fit_are_not_heard_and_hold_nobody():
    assert heard(asked(COSTS, LEARNER, ARENA, 10)) == 1.0
    # At 20,000 own-steps/s, 6.25 updates a second each send 10⁹ bytes, a second's worth.
    assert heard(asked(COSTS, LEARNER, ARENA, 1000)) == pytest.approx(1 / (6.25 * 1.0), rel=1e-6)


def test_hours_of_env_steps():
    assert hours(3.6e6, 1000.0) == 1.0


def row(own_steps_per_second=19_000.0, cpu=50.0, actors=5):
    names = ("segments_per_second", "megabytes_per_second", "updates_per_second")
    figures = dict.fromkeys((*names, "busy_share", "waiting_share"), 0.5) | {
        "seconds": 5.0,
        "own_steps_per_second": own_steps_per_second,
        "cpu_microseconds": cpu,
    }
    sizes = {"games": 16, "lanes": 2, "steps": 50, "batch_segments": 4, "repeats": 3}
    weights = {"segment_bytes": 240_000, "weights_bytes": 1_000_000}
    weights["own_steps_per_second_each"] = 1600.0
    return {"preset": "cleanup-moa", "actors": actors, **sizes, **weights, "figures": figures}


def fan(subscribers):
    micro = 2000.0 + 500.0 * subscribers
    numbers = {"updates_per_second": 9.0, "megabytes_per_second": 9.0, "send_microseconds": 1.0}
    return {"subscribers": subscribers, "cpu_microseconds": micro, **numbers}


def test_costs_are_read_off_the_measured_rows():
    costs = costs_of(
        [row()], [row(cpu=1.0), row(cpu=3.0), row(cpu=0.5)], [fan(1), fan(9)], 0.03, 256
    )
    assert vars(costs) == pytest.approx(vars(COSTS))


def test_a_core_trains_what_its_processor_time_allows():
    assert core_rate([row(cpu=40.0), row(cpu=50.0), row(cpu=90.0)]) == pytest.approx(20_000)


TOML = """
notes = ["Nothing was measured."]
[arenas]
agents = 5
retained = 256
[[arenas.case]]
name = "slow"
agent_steps_per_second = 8000.0
[[assumed_learner]]
name = "a dream (assumed)"
own_steps_per_second = 1e6
batch_segments = 4
[network]
gigabits_per_second = 8.0
[checkpoint]
period = 15.0
seconds = 0.03
"""


@pytest.fixture
def folder(tmp_path):
    taken, fans = [row(cpu=1.0)], [fan(1), fan(9)]
    contents = {"load": [row()], "ingest": taken, "paced": [row()], "fanout": fans}
    machine = {"cores": 2, "processor": "some processor", "python": "3.11"}
    for name, rows in contents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"machine": machine, "rows": rows}))
    (tmp_path / "capacity.toml").write_text(TOML)
    return tmp_path


def test_the_page_has_a_table_for_every_learner_and_marks_what_stops_it(folder):
    text = page(find(folder))
    assert "| training | **80.0%** | **800%** | **8,000%** |" in text
    assert "| network, weights out | 5.0% | 62.5% | 625% |" in text
    assert "a dream (assumed), 4 segments a batch; slow" in text
    assert "| own-steps/s reached | 16,000 |" in text
    assert "2 cores of some processor" in text


def test_the_page_is_written_beside_the_figures(folder):
    result = CliRunner().invoke(main, [str(folder)])
    assert result.exit_code == 0, result.output
    assert (folder / "capacity.md").read_text() == page(find(folder))


@pytest.mark.parametrize("name", ["load", "ingest", "paced", "fanout", "capacity"])
@pytest.mark.parametrize("content", [None, "nonsense", "{}"])
def test_a_folder_without_all_figures_is_refused_by_name(folder, name, content):
    path = folder / (f"{name}.toml" if name == "capacity" else f"{name}.json")
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(RunFileError, match="cannot make the page"):
        find(folder)
