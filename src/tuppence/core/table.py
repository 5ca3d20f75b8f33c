"""`Table`: rows with named columns, as text for any width of a terminal and as HTML for a notebook.

A table that is too wide for a terminal loses its optional columns, then breaks the sentences of its last column, and at
last shows each row as a block of lines. Nothing is cut. HTML inherits the colours of the page, so that light and dark
themes both work.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Collection, Sequence
from typing import Any

from tuppence.core.console import one_line, visible

WIDTH = 122
"""Columns of a table with a title as text, unless the caller knows the width of the terminal."""
GAP = 2
NARROWEST_SENTENCE = 20
"""Fewest columns for the sentences of a last column; with less, rows become blocks."""
_CELL = "text-align:{};padding:2px 10px;border-bottom:1px solid rgba(128,128,128,.25)"


class Table:
    """Rows with named columns.

    Args:
        columns: the names.
        rows: of equal length. A float is shown with four significant digits, a large int with commas.
        title: a line above.
        notes: sentences below.
        right: columns that are aligned to the right; those with numbers alone always are.
        optional: columns that a narrow terminal does not show, in the order in which they are dropped.

    Example:
        >>> Table(["model", "parameters"], [["nano", 1353088]])
        model  parameters
        nano    1,353,088
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        title: str = "",
        notes: Sequence[str] = (),
        right: Collection[str] = (),
        optional: Sequence[str] = (),
    ) -> None:
        self.columns, self.rows = list(columns), [list(row) for row in rows]
        assert all(len(row) == len(self.columns) for row in self.rows)
        self.title, self.notes, self._right, self._optional = title, tuple(notes), frozenset(right), tuple(optional)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Returns a row as a dictionary."""
        return dict(zip(self.columns, self.rows[number], strict=True))

    def column(self, name: str) -> list[Any]:
        """Returns the values of a column."""
        return [row[self.columns.index(name)] for row in self.rows]

    def without(self, name: str) -> Table:
        """Returns the table without a column."""
        kept = [index for index, column in enumerate(self.columns) if column != name]
        return Table(
            [self.columns[index] for index in kept],
            [[row[index] for index in kept] for row in self.rows],
            title=self.title,
            notes=self.notes,
            right=self._right,
            optional=[column for column in self._optional if column != name],
        )

    def __str__(self) -> str:
        return self.text(WIDTH if self.title or self.notes else None)

    def __repr__(self) -> str:
        return str(self)

    def text(self, width: int | None = None) -> str:
        """Returns the table as plain text. Control characters are shown as escapes.

        Args:
            width: most columns of a line; None for as many as the table needs.
        """
        parts = [_wrapped(self.title, width), *self._narrowed(width)._lines(width)]
        parts += ["", *(_wrapped(note, width) for note in self.notes)] if self.notes else []
        return "\n".join(parts if self.title else parts[1:])

    def _narrowed(self, width: int | None) -> Table:
        """The table without as many optional columns as the width demands."""
        table = self
        for name in self._optional:
            if width is None or table._least_width() <= width:
                break
            table = table.without(name)
        # where blocks are needed all the same, they have room for every column
        return table if width is None or table._least_width() <= width else self

    def _lines(self, width: int | None) -> list[str]:
        """Header and rows; with a rule and an empty line before where there is a title."""
        if width is not None and self._least_width() > width:
            return self._blocks(width)
        texts, widths, right = self._texts(), self._widths(), self._sides()
        if width is not None and not right[-1]:
            widths[-1] = min(widths[-1], width - sum(widths[:-1]) - GAP * (len(widths) - 1))
        lines = [line for row in texts for line in _laid_out(row, widths, right)]
        return ["", lines[0], "─" * (sum(widths) + GAP * (len(widths) - 1)), *lines[1:]] if self.title else lines

    def _blocks(self, width: int) -> list[str]:
        """Each row as a heading and one line for each further column."""
        header, *rows = self._texts()
        name_width = max(map(len, header[1:]), default=0)
        lines = []
        for row in rows:
            lines += ["", _wrapped(row[0] or "–", width)]
            for name, text in zip(header[1:], row[1:], strict=True):
                start = f"  {name.ljust(name_width)}  "
                if text:
                    lines += textwrap.wrap(
                        start + text, width, subsequent_indent=" " * min(len(start), width // 2), break_on_hyphens=False
                    )
        return lines if self.title else lines[1:]

    def _least_width(self) -> int:
        widths = self._widths()
        if not self._sides()[-1]:
            widths[-1] = min(widths[-1], NARROWEST_SENTENCE)
        return sum(widths) + GAP * (len(widths) - 1)

    def _widths(self) -> list[int]:
        return [max(map(len, column)) for column in zip(*self._texts(), strict=True)]

    def _texts(self) -> list[list[str]]:
        """The names and all cells, each as one line."""
        return [
            [one_line(text.replace("\n", " ⏎ ")) for text in row]
            for row in (self.columns, *(map(shown, row) for row in self.rows))
        ]

    def _repr_html_(self) -> str:
        sides = ["right" if right else "left" for right in self._sides()]

        def line(tag: str, texts: Sequence[str]) -> str:
            cells = (
                f'<{tag} style="{_CELL.format(side)}">{html.escape(visible(text)).replace(chr(10), "<br>")}</{tag}>'
                for text, side in zip(texts, sides, strict=True)
            )
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(line("td", list(map(shown, row))) for row in self.rows)
        title = f"<p><strong>{html.escape(visible(self.title))}</strong></p>" if self.title else ""
        notes = "".join(f"<p>{html.escape(visible(note))}</p>" for note in self.notes)
        return f"{title}<table><thead>{line('th', self.columns)}</thead><tbody>{body}</tbody></table>{notes}"

    def _sides(self) -> list[bool]:
        """Whether each column is aligned to the right."""
        return [
            name in self._right or all(isinstance(row[index], int | float) for row in self.rows)
            for index, name in enumerate(self.columns)
        ]


def shown(value: Any) -> str:
    """Returns a value as the text of a cell.

    Example:
        >>> [shown(value) for value in (None, True, 1234567, 0.123456, 12345.6, "text")]
        ['–', 'yes', '1,234,567', '0.1235', '12,346', 'text']
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def _laid_out(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    """The lines of a row: one, and more where the last cell is longer than its column."""
    last = row[-1:] if len(row[-1]) <= widths[-1] else textwrap.wrap(row[-1], widths[-1], break_on_hyphens=False)
    lines = []
    for number, text in enumerate(last):
        cells = [*row[:-1], text] if number == 0 else [""] * (len(row) - 1) + [text]
        aligned = (
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(cells, widths, right, strict=True)
        )
        lines.append((" " * GAP).join(aligned).rstrip())
    return lines


def _wrapped(text: str, width: int | None) -> str:
    text = one_line(text)
    return text if width is None else textwrap.fill(text, width, break_on_hyphens=False)
