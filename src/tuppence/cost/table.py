"""A table that shows itself in a terminal and in a notebook: `estimate_aws_cost` and `plan` return one."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuppence.core.console import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 122
"""Columns of a table as text, unless the caller knows the width of the terminal."""


@dataclass(frozen=True, repr=False)
class Table:
    """A title, columns, rows, and notes below.

    Attributes:
        columns: names; a name that begins with ">" is aligned to the right.
        rows: one text for each column.
        notes: sentences below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows)

    def renderable(self) -> RenderableType:
        """The table for a console of `rich`. Control characters are shown as escapes."""
        from rich import box
        from rich.console import Group
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in self.columns:
            right, last = column.startswith(">"), column == self.columns[-1]
            justify: Any = "right" if right else "left"
            # the last column has sentences, and is the only one that is broken into lines
            table.add_column(Text(column.lstrip(">")), justify=justify, no_wrap=right or not last)
        for row in self.rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        title = [Text(one_line(self.title))] if self.title else []
        return Group(*title, table, *(Text(one_line(note)) for note in self.notes))

    @property
    def width(self) -> int:
        """Columns of the terminal that the table needs, if nothing is broken into lines."""
        cells = [[column.lstrip(">") for column in self.columns], *self.rows]
        return sum(max(len(row[index]) for row in cells) + 3 for index in range(len(self.columns))) - 1

    def without(self, column: str) -> Table:
        """The table without a column."""
        kept = [index for index, name in enumerate(self.columns) if name != column]
        rows = tuple(tuple(row[index] for index in kept) for row in self.rows)
        return Table(self.title, tuple(self.columns[index] for index in kept), rows, self.notes)

    def __str__(self) -> str:
        """The table as plain text."""
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def text(self, width: int = WIDTH) -> str:
        """The table as plain text that is at most so many columns wide."""
        from rich.console import Console

        out = io.StringIO()
        Console(file=out, width=width, color_system=None, highlight=False, force_jupyter=False).print(self.renderable())
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def as_dicts(self) -> list[dict[str, str]]:
        """The rows for JSON: name of the column → text."""
        names = [column.lstrip(">") for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def to_html(self) -> str:
        """The table for a notebook; every text is escaped."""
        head = "".join(_cell("th", column.lstrip(">"), right=column.startswith(">")) for column in self.columns)
        body = "".join(f"<tr>{_html_row(self.columns, row)}</tr>" for row in self.rows)
        title = f"<p><strong>{html.escape(self.title)}</strong></p>" if self.title else ""
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


def _html_row(columns: Sequence[str], row: Sequence[str]) -> str:
    return "".join(_cell("td", cell, right=name.startswith(">")) for name, cell in zip(columns, row, strict=True))


def _cell(tag: str, text: str, *, right: bool) -> str:
    return f'<{tag} style="text-align:{"right" if right else "left"}">{html.escape(text)}</{tag}>'
