from __future__ import annotations

from tuppence.cost.table import Table

TABLE = Table("a <title>", ("name", ">number"), (("one & \x1b[31mred", "1"), ("[bold]two[/bold]", "22")), ("a\nnote",))


def test_the_text_has_every_cell_and_no_control_character() -> None:
    lines = str(TABLE).splitlines()
    assert lines[0] == "a <title>"
    assert any("one & \\x1b[31mred" in line and line.endswith(" 1") for line in lines)
    assert any("[bold]two[/bold] " in line and line.endswith("22") for line in lines)
    assert lines[-1] == "a\\nnote"


def test_the_html_is_escaped_and_aligned() -> None:
    shown = TABLE.to_html()
    assert "a &lt;title&gt;" in shown
    assert "one &amp; " in shown
    assert '<td style="text-align:right">22</td>' in shown
    assert shown.count("<tr>") == 3
