"""The small parts of a story's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.figures.conftest import table_rows

from tuppence.figures.story_pieces import NAMES, answers, count, done, link, picture, safely, share, short, with_names
from tuppence.figures.story_record import Story

STAGES = {
    "data": {"command": "tuppence data prepare", "seconds": 3.0},
    "stories": {"command": "tuppence data synth 'a & b'", "seconds": 60.5},
    "spam": {"command": "tuppence finetune", "seconds": 40.0},
}


def test_the_commands_of_stages_stand_in_the_order_asked_for_with_their_time_together(outline: Any) -> None:
    piece = done(Story(Path("x"), STAGES, {}), "stories", "tokenizer", "data")
    assert outline(piece).words == ["tuppence data synth 'a & b'\ntuppence data prepare", "1 min 4 s"]


def test_a_report_is_linked_where_it_was_written(tmp_path: Path) -> None:
    story = Story(tmp_path, STAGES, {})
    assert link(story, "spam") == ""
    (tmp_path / "spam").mkdir()
    (tmp_path / "spam" / "report.html").write_text("")
    assert 'href="spam/report.html"' in link(story, "spam")


def row(prompt: str, **right: bool) -> dict[str, Any]:
    answers = {"pretrain": "rain\n  rain", "instruct": "plum", "brand-new": "x" * 161}
    return {"prompt": prompt, "reference": "plum", "answers": answers, "right": right}


def test_what_each_model_answered_stands_under_its_name_and_right_answers_are_marked() -> None:
    found = table_rows(answers([row("Name a fruit.", instruct=True, pretrain=False), row("<b>")], "what people liked"))
    long = "x" * 159 + "…"
    assert found == [
        ["asked", "base", "instruction model", "brand-new", "what people liked"],
        ["Name a fruit.", "rain rain", "✓ plum", long, "plum"],
        ["<b>", "rain rain", "plum", long, "plum"],
    ]


@pytest.mark.parametrize("rows", [None, [], {}, "", 3])
def test_without_answers_there_is_no_table(rows: Any) -> None:
    assert answers(rows) == ""


def test_rows_before_one_that_somebody_edited_are_shown() -> None:
    assert len(table_rows(answers([row("one"), row("two"), {"prompt": "three"}, row("four")]))) == 3
    assert answers([{"prompt": "one"}]) == ""


def test_long_texts_are_cut_to_one_line_of_so_many_characters() -> None:
    assert short(" a\n b ", 3) == "a b"
    assert short("abcd", 3) == "ab…"


def test_models_are_called_by_their_names_in_shares_by_kind() -> None:
    kinds = {"spell": {"rows": 5, "right": {"pretrain": 0.0, "dpo": 0.2, "other": 1.0}}}
    assert with_names(kinds) == {"spell": {"rows": 5, "right": {"base": 0.0, NAMES["dpo"]: 0.2, "other": 1.0}}}


def test_what_cannot_be_made_of_edited_numbers_is_nothing_and_a_defect_of_ours_is_not_hidden() -> None:
    assert safely(with_names, {"a": 1}) is None
    assert picture(None, "name", "label") == ""
    assert (share(0.123), share("x"), count(1234.4), count(None)) == ("12.3%", None, "1,234", None)
    with pytest.raises(ZeroDivisionError):
        safely(lambda: 1 / 0)
