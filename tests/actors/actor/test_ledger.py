import json
from pathlib import Path

from ssd_actors.ledger import Ledger


def test_after_every_write_the_file_holds_all_counts(tmp_path):
    path = tmp_path / "ledgers" / "actor-0-1.json"
    ledger = Ledger(path, arena=0, agent=1, epoch=2**62 - 1)
    counts = [(0, 0, 0), (1, 0, 0), (2**62, 2**62, 2**62), (3, 1, 2), (3, 1, 2), (4, 1, 2)]
    for made, resent, discarded in counts:
        ledger.write(made, resent, discarded, drained=made == 4)
        assert json.loads(path.read_text()) == {
            "arena": 0,
            "agent": 1,
            "epoch": 2**62 - 1,
            "made": made,
            "resent": resent,
            "discarded": discarded,
            "drained": made == 4,
        }


def test_a_ledger_is_whole_from_the_moment_it_exists(tmp_path, monkeypatch):
    path = tmp_path / "ledger.json"
    found = []
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda draft, to: (found.append(draft.read_text()), replace(draft, to))
    )
    Ledger(path, arena=0, agent=1, epoch=7)
    assert json.loads(found[0])["made"] == json.loads(path.read_text())["made"] == 0


def test_every_write_has_one_size_so_that_it_replaces_the_whole_file(tmp_path):
    path = tmp_path / "ledger.json"
    ledger = Ledger(path, arena=0, agent=1, epoch=7)
    sizes = set()
    for made in (1, 10**6, 2**62, 5):
        ledger.write(made, 0, 0)
        sizes.add(path.stat().st_size)
    assert len(sizes) == 1


def test_without_a_path_nothing_is_written(tmp_path):
    Ledger(None, arena=0, agent=1, epoch=7).write(1, 2, 3)
    assert list(tmp_path.iterdir()) == []
