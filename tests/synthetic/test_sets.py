"""The sets by name: each is written in every file format it declares, with the columns that readers expect."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.synthetic.preferences import iter_preferences
from tuppence.synthetic.sets import SETS, find_set, write_set
from tuppence.synthetic.sms import iter_sms
from tuppence.synthetic.stories import iter_stories


@pytest.mark.parametrize(("name", "suffix"), [(one.name, suffix) for one in SETS.values() for suffix in one.suffixes])
def test_every_set_is_written_in_every_format_it_declares(tmp_path: Path, name: str, suffix: str) -> None:
    ticks: list[None] = []
    out = tmp_path / f"a{suffix}"
    size = write_set(SETS[name], out, count=12, seed=1, on_item=lambda: ticks.append(None))
    assert len(ticks) == 12
    assert size == out.stat().st_size > 0


def test_a_file_holds_the_items_in_order(tmp_path: Path) -> None:
    write_set(SETS["sms"], tmp_path / "a.tsv", 40, 3)
    with (tmp_path / "a.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows == [[sms.label, sms.text] for sms in iter_sms(40, 3)]
    write_set(SETS["preferences"], tmp_path / "a.json", 40, 3)
    assert json.loads((tmp_path / "a.json").read_text()) == [vars(row) for row in iter_preferences(40, 3)]
    write_set(SETS["stories"], tmp_path / "a.jsonl", 5, 3)
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == list(iter_stories(5, 3))


def test_an_unsupported_suffix_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"we write preferences as \.json and \.jsonl"):
        write_set(SETS["preferences"], tmp_path / "a.csv", 5, 0)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_set_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError) as refused:
        find_set("instruction")
    assert refused.value.hint == "did you mean 'instructions'?"
