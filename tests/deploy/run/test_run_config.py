import pytest

from ssd_run.presets import load_config, load_preset, preset_names
from ssd_run.run_config import SETTINGS, check_agrees, check_deterministic, validate
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import SECTIONS, load_run_file


@pytest.mark.parametrize("name", preset_names())
def test_a_run_file_reads_back_as_it_was_written(name, tmp_path):
    config = load_config(name)
    (tmp_path / "run.toml").write_text(config.toml())
    assert validate(load_run_file(tmp_path / "run.toml")) == config


def test_a_run_file_has_all_values_even_defaults(config):
    sections = config.sections()
    assert sections["run"] == config.run.model_dump()
    assert sections["learning"]["gamma"] == 0.99
    assert sections["network"]["lstm"] == 128


def test_run_file_keeps_a_maps_drawing_and_an_infinite_clip(tmp_path):
    drawing = "######\n#....#\n#.++.#\n#.++.#\n#....#\n######\n"
    sections = {
        "preset": {"name": "small"},
        "game": {"name": "harvest", "agents": 3, "map": drawing},
        "experiment": {"influence_clip": float("inf")},
    }
    config = validate(sections)
    (tmp_path / "run.toml").write_text(config.toml())
    assert validate(load_run_file(tmp_path / "run.toml")) == config


def test_unknown_section_is_refused_by_name():
    with pytest.raises(RunFileError, match=r"unknown section \[lerning\]: did you mean learning\?"):
        validate({**load_preset("cleanup-moa"), "lerning": {}})


def test_unknown_key_is_refused_by_name():
    with pytest.raises(RunFileError, match=r"\[learning\] gama"):
        load_config("cleanup-moa", ["learning.gama=0.9"])


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("learning.gama=0.9", "[learning] gama: no such key: did you mean gamma?"),
        ("preset.x=0.9", "[preset] x: no such key: wanted name, about, paper, group"),
        ("learning.gamma=2", "[learning] gamma: wanted less than 1, found 2"),
        ("learning.passes=much", "[learning] passes: wanted a valid integer, found 'much'"),
        ("learning.algorithm=pp", "[learning] algorithm: wanted 'ppo' or 'vtrace', found 'pp'"),
        ("game.name=clean", "[game] name: no game is called 'clean': wanted cleanup, "),
        ("game.agents=99", "[game] the map has 10 spawn cells ('+'), but needs 99"),
        ("experiment.influence=mao", "[experiment] influence: wanted off, basic, communication, "),
        (
            "network.kind=papr",
            "[network] kind: wanted paper, or package.module:Name of a",
        ),
    ],
)
def test_errors_are_in_our_own_words(assignment, message):
    with pytest.raises(RunFileError) as refusal:
        load_config("cleanup-moa", [assignment])
    assert str(refusal.value).startswith(message)
    for phrase in ("Extra inputs", "Value error", "Input should", "validation", "pattern"):
        assert phrase not in str(refusal.value)


def test_assignment_wins_over_the_preset():
    config = load_config("cleanup-moa", ["run.seed=7", "experiment.beta=0.1"])
    assert (config.run.seed, config.experiment.beta) == (7, 0.1)


def test_segment_is_all_games_of_a_lane_for_all_its_steps():
    config = load_config("cleanup-moa", ["run.segment=20", "run.games=3"])
    assert config.segment_steps == 60


@pytest.mark.parametrize(
    ("preset", "assignments"),
    [
        (None, []),
        ("cleanup-moa", []),
        ("cleanup-moa", ["run.seed=1"]),
        (None, ["experiment.beta_ramp=2000000"]),
    ],
    ids=["nothing", "its own preset", "and its seed", "a whole number for a float"],
)
def test_resume_accepts_settings_that_agree_with_the_run(config, preset, assignments):
    check_agrees(config, load_preset(preset) if preset else {}, assignments)


@pytest.mark.parametrize(
    ("preset", "assignments", "named"),
    [
        ("cleanup-moa-aux", [], r"\[experiment\] influence: wanted 'moa', found 'off'"),
        ("harvest-moa", [], r"\[game\] name: wanted 'cleanup', found 'harvest'"),
        (None, ["run.seed=2"], r"\[run\] seed: wanted 1, found 2"),
        ("cleanup-moa", ["learning.gamma=0.9"], r"\[learning\] gamma: wanted 0.99, found 0.9"),
        (None, ["learning.gama=0.9"], r"\[learning\] gama: no such key: did you mean gamma\?"),
        (None, ["lerning.gamma=0.99"], r"unknown section \[lerning\]: did you mean learning\?"),
    ],
)
def test_resume_names_settings_that_contradict_the_run(config, preset, assignments, named):
    with pytest.raises(RunFileError, match=named):
        check_agrees(config, load_preset(preset) if preset else {}, assignments)


def test_processes_know_the_same_sections_as_the_launcher():
    assert tuple(SETTINGS) == SECTIONS


def test_a_deterministic_run_over_two_nodes_is_refused():
    config = load_config("cleanup-moa", ["run.deterministic=true"])
    check_deterministic(config.run, 1, ["cpu"], nodes=1)
    with pytest.raises(RunFileError, match="wanted one node, found 2"):
        check_deterministic(config.run, 1, ["cpu"], nodes=2)
