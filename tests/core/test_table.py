"""Tables as text of any width and as HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from rich.cells import cell_len

import tuppence as tp
from tuppence.core.table import Table

ROWS = [["ml.g5.xlarge", "1.4", "a sentence that is longer than the others"], ["one & \x1b[31mred", "22", "short"]]
TABLE = Table(
    ("name", "number", "why"), ROWS, title="a <title>\n", notes=("a\nnote",), right=("number",), optional=("number",)
)


def test_numbers_are_formatted_and_aligned() -> None:
    table = tp.Table(["name", "size", "share"], [["<a>", 1234567, 0.123456], ["b\x1b[0m", 1, 12345.6]])
    assert repr(table).splitlines() == [
        "name           size   share",
        "<a>       1,234,567  0.1235",
        "b\\x1b[0m          1  12,346",
    ]
    page = table._repr_html_()
    assert "&lt;a&gt;" in page
    assert "\x1b" not in page
    assert table[1]["size"] == 1
    assert table.column("share") == [0.123456, 12345.6]
    assert len(table) == 2


def test_title_rule_and_notes_surround_the_rows() -> None:
    lines = str(TABLE).splitlines()
    assert lines[0] == "a <title>\\n"
    assert lines[2].split() == ["name", "number", "why"]
    assert set(lines[3]) == {"─"}
    assert "one & \\x1b[31mred" in lines[5]
    assert lines[-1] == "a\\nnote"


@pytest.mark.parametrize("width", range(12, 130))
def test_no_line_is_longer_than_the_width_and_nothing_is_cut(width: int) -> None:
    shown = TABLE.text(width)
    assert max(cell_len(line) for line in shown.splitlines()) <= width
    letters = re.sub(r"[\s─]", "", shown)
    for row in TABLE.rows:
        for name, cell in zip(TABLE.columns, row, strict=True):
            wanted = "".join(cell.replace("\x1b", "\\x1b").split())
            in_order = ".*".join(map(re.escape, wanted))  # other columns may lie between the lines of a sentence
            assert re.search(in_order, letters) or (name in ("number",) and "number" not in shown), (name, cell)


def test_an_optional_column_goes_first_then_rows_become_blocks() -> None:
    assert "number" in TABLE.text(60)
    assert "number" not in TABLE.text(42)
    assert TABLE.text(42).splitlines()[2].split() == ["name", "why"]
    blocks = TABLE.text(30)
    assert "\nml.g5.xlarge\n  number  1.4\n  why     a sentence" in blocks


def test_a_long_word_is_not_broken_at_its_hyphen() -> None:
    table = Table(("name", "why"), [["x", "see modded-nanogpt records"]], title="t")
    assert "modded-nanogpt" in table.text(25)


def test_without_a_column() -> None:
    table = TABLE.without("why")
    assert (table.columns, table.rows[0]) == (["name", "number"], ["ml.g5.xlarge", "1.4"])
    assert table.title == TABLE.title


def test_the_html_is_well_formed_escaped_and_aligned() -> None:
    cells: list[tuple[str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            cells.append((tag, dict(attributes).get("style") or ""))

    page = TABLE._repr_html_()
    Reader().feed(page)
    assert [tag for tag, _ in cells].count("td") == 6
    assert {tag for tag, _ in cells} == {"p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert [style.startswith("text-align:right") for tag, style in cells if tag == "td"] == [False, True, False] * 2
    assert "a &lt;title&gt;" in page
    assert "one &amp; \\x1b[31mred" in page
