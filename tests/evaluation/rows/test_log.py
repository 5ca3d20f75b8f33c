from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuppence.evaluation.rows.log import RowLog

KEY = {"model": "a", "data": "b"}


def test_results_are_in_order_and_missing_rows_are_known(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "task.jsonl"
    with RowLog(path, KEY) as log:
        for number in (3, 0, 1):
            log.add(number, {"score": number / 10})
    again = RowLog(path, KEY)
    assert again.missing(5) == [2, 4]
    assert again.ordered(2) == [{"score": 0.0}, {"score": 0.1}]


@pytest.mark.parametrize("damage", ['{"row": 2, "sco', "\x00\x00", '{"row": "x"}\n', "[]\n", "7"])
def test_an_incomplete_last_line_loses_one_row_and_is_removed(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "task.jsonl"
    with RowLog(path, KEY) as log:
        log.add(0, {"score": 1})
    with path.open("a") as handle:
        handle.write(damage)
    with RowLog(path, KEY) as log:
        assert log.missing(3) == [1, 2]
        log.add(2, {"score": 3})
    assert RowLog(path, KEY).results == {0: {"score": 1}, 2: {"score": 3}}
    assert list(map(json.loads, path.read_text().splitlines()))[:2] == [{"key": KEY}, {"row": 0, "score": 1}]


@pytest.mark.parametrize("key", [{"model": "c", "data": "b"}, {"model": "a"}, {}])
def test_results_of_another_model_data_or_setting_are_not_used(key: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "task.jsonl"
    with RowLog(path, KEY) as log:
        log.add(0, {"score": 1})
    assert RowLog(path, key).results == {}


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with RowLog(None, KEY) as log:
        log.add(0, {"score": 1})
        assert log.results == {0: {"score": 1}}
    assert list(tmp_path.iterdir()) == []
