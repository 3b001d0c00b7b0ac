import json

import pytest

from ssd_envs.spec import GameSettings
from ssd_run.json_lines import Tail
from ssd_run.progress.episodes import LAST_EPISODES, Episodes, counts_of, outcome


def episode(collective=10.0, equality=0.5, length=1000, time=0.0, returns=(4.0, 6.0), **counts):
    return {
        "counts": counts,
        "length": length,
        "returns": list(returns),
        "collective_return": collective,
        "equality": equality,
        "time": time,
    }


def write(folder, arena, *episodes):
    with (folder / f"arena-{arena}.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in episodes)


def test_a_line_is_read_once_it_is_complete(tmp_path):
    tail = Tail(tmp_path / "lines")
    with (tmp_path / "lines").open("w") as file:
        file.write('{"a": 1}\n{"a"')
        file.flush()
        assert tail.read() == [{"a": 1}]
        assert tail.read() == []
        file.write(': 2}\n{"a": 3}\n')
        file.flush()
        assert tail.read() == [{"a": 2}, {"a": 3}]


def test_a_file_that_does_not_exist_yet_has_no_lines(tmp_path):
    assert Tail(tmp_path / "lines").read() == []


def test_an_incomplete_line_of_a_killed_writer_is_skipped(tmp_path):
    (tmp_path / "lines").write_text('{"a": 1}\n{"a": {"a": 2}\n{"a": 3}\n')
    tail = Tail(tmp_path / "lines")
    assert tail.read() == [{"a": 1}, {"a": 3}]


def test_outcome_is_taken_over_the_last_full_episodes_of_all_arenas(tmp_path):
    episodes = Episodes(tmp_path, horizon=1000)
    write(tmp_path, 0, *(episode(1.0, time=t) for t in range(LAST_EPISODES)))
    write(tmp_path, 1, *(episode(3.0, time=t + 0.5) for t in range(LAST_EPISODES)))
    found = episodes.update()
    assert found.episodes == LAST_EPISODES
    assert found.collective_return == 2.0  # the later half of both, not one arena alone
    assert episodes.ended == 2 * LAST_EPISODES


def test_short_first_episodes_count_as_ended_but_not_in_the_return(tmp_path):
    episodes = Episodes(tmp_path, horizon=1000)
    write(tmp_path, 0, episode(99.0, length=50), episode(10.0))
    found = episodes.update()
    assert (found.episodes, found.collective_return, episodes.ended) == (1, 10.0, 2)


def test_averages_follow_new_episodes(tmp_path):
    episodes = Episodes(tmp_path, horizon=1000)
    write(tmp_path, 0, episode(10.0))
    episodes.update()
    write(tmp_path, 0, episode(20.0))
    assert episodes.update().collective_return == 15.0
    assert episodes.update().episodes == 2


def test_without_episodes_there_are_no_averages(tmp_path):
    found = Episodes(tmp_path, horizon=1000).update()
    assert (found.episodes, found.collective_return, found.equality) == (0, None, None)
    assert found.returns == ()


def test_undefined_equality_is_left_out_of_the_mean_and_never_counted_as_zero():
    found = outcome([episode(equality=None), episode(equality=0.8), episode(equality=0.6)])
    assert found.equality == pytest.approx(0.7)
    assert found.equality_defined == 2
    assert outcome([episode(equality=None)]).equality is None


def test_returns_are_means_per_agent():
    found = outcome([episode(returns=(1.0, 5.0, 0.0)), episode(returns=(3.0, 5.0, -2.0))])
    assert found.returns == (2.0, 5.0, -1.0)


def test_counts_of_each_agent_are_means_over_the_last_full_episodes(tmp_path):
    episodes = Episodes(tmp_path, horizon=1000, counts=("apples", "cleaned"))
    short = episode(length=50, apples=[900, 900], cleaned=[900, 900])
    write(tmp_path, 0, short, episode(apples=[10, 0], cleaned=[0, 300]))
    write(tmp_path, 1, episode(apples=[20, 1], cleaned=[1, 400]))
    assert episodes.update().counts == {"apples": (15.0, 0.5), "cleaned": (0.5, 350.0)}


def test_a_box_has_the_share_of_episodes_in_which_it_was_opened_and_the_mean_step_of_that():
    lines = [episode(opened_at=[0, step]) for step in (0, 20, 0, 0, 40)]
    found = outcome(lines, ("opened", "opened_at")).counts
    assert found == {"opened": (0.0, 0.4), "opened_at": (None, 30.0)}


def test_before_the_first_episode_has_ended_counts_are_empty(tmp_path):
    found = Episodes(tmp_path, horizon=1000, counts=("apples",)).update()
    assert found.counts == {"apples": ()}


@pytest.mark.parametrize(
    ("game", "counts"),
    [
        ("cleanup", ("apples", "cleaned", "fires")),
        ("cleanup-small", ("apples", "cleaned", "fires")),
        ("harvest", ("apples", "fires")),
        ("box-trapped", ("apples", "opened", "opened_at")),
        ("own_game.game:COMMONS", ("apples", "fires")),
    ],
)
def test_a_game_has_only_the_counts_of_events_that_can_happen_in_it(game, counts):
    assert counts_of(GameSettings(name=game).events) == counts
