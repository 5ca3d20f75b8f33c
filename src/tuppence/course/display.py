"""How results show themselves: as HTML in a notebook, as text in a terminal. Nothing is loaded from other hosts.

Colours are inherited from the page, so that light and dark themes both work.
"""

from __future__ import annotations

import html
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuppence.core.console import visible

_CELL = "text-align:{};padding:2px 10px;border-bottom:1px solid rgba(128,128,128,.25)"
_SPAN = (
    "display:inline-block;white-space:pre;margin:1px;padding:1px 4px;border-radius:3px;"
    "font-family:monospace;background:rgba({},.22)"
)
_BACKGROUNDS = ("0,114,178", "230,159,0", "0,158,115", "170,85,144", "213,94,0")
"""The colours of `figures.style`, which colour-blind people can distinguish."""


class Prose:
    """A sentence with computed numbers, shown as text and not as code. Markdown is rendered in a notebook."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return visible(self.text)

    def _repr_markdown_(self) -> str:
        return self.text


def say(text: str) -> Prose:
    """Returns a sentence that a notebook shows as prose: `tp.say(f"The loss is {loss:.2f} nats.")`.

    Example:
        >>> say(f"One plus one\\n is {1 + 1}.")
        One plus one is 2.
    """
    return Prose(text)


class Table:
    """Rows with named columns.

    Args:
        columns: the names.
        rows: of equal length. A float is shown with four significant digits, a large int with commas.

    Example:
        >>> Table(["model", "parameters"], [["nano", 1353088]])
        model  parameters
        nano    1,353,088
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns, self.rows = list(columns), [list(row) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Returns a row as a dictionary."""
        return dict(zip(self.columns, self.rows[number], strict=True))

    def column(self, name: str) -> list[Any]:
        """Returns the values of a column."""
        return [row[self.columns.index(name)] for row in self.rows]

    def __repr__(self) -> str:
        texts = [self.columns, *([visible(_shown(value).replace("\n", " ⏎ ")) for value in row] for row in self.rows)]
        widths = [max(len(row[column]) for row in texts) for column in range(len(self.columns))]
        right = [self._is_numeric(column) for column in range(len(self.columns))]
        lines = (
            "  ".join(
                text.rjust(width) if at_right else text.ljust(width)
                for text, width, at_right in zip(row, widths, right, strict=True)
            )
            for row in texts
        )
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        sides = ["right" if self._is_numeric(column) else "left" for column in range(len(self.columns))]

        def line(tag: str, texts: Sequence[str]) -> str:
            cells = (
                f'<{tag} style="{_CELL.format(side)}">{html.escape(visible(text)).replace(chr(10), "<br>")}</{tag}>'
                for text, side in zip(texts, sides, strict=True)
            )
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(line("td", list(map(_shown, row))) for row in self.rows)
        return f"<table><thead>{line('th', self.columns)}</thead><tbody>{body}</tbody></table>"

    def _is_numeric(self, column: int) -> bool:
        return all(isinstance(row[column], int | float) for row in self.rows)


def facts(values: Mapping[str, Any]) -> Table:
    """Returns names and values as a table of two columns."""
    return Table(["", "value"], [[name, _shown(value)] for name, value in values.items()])


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


@dataclass(frozen=True)
class TokenStrip:
    """A text as a row of tokens. In a notebook the pointer shows the id and the bytes of a token.

    Attributes:
        pieces: the text of each token.
        ids: the id of each token.
        contents: the bytes of each token.
    """

    pieces: tuple[str, ...]
    ids: tuple[int, ...]
    contents: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return visible(" | ".join(self.pieces))

    def _repr_html_(self) -> str:
        spans = (
            f'<span title="id {token}, bytes {content.hex(" ")}" style="{_SPAN.format(_BACKGROUNDS[place % 5])}">'
            f"{html.escape(_without_breaks(piece))}</span>"
            for place, (piece, token, content) in enumerate(zip(self.pieces, self.ids, self.contents, strict=True))
        )
        return f'<div style="line-height:1.9">{"".join(spans)}</div>'


def _without_breaks(piece: str) -> str:
    return visible(piece.replace("\n", "⏎").replace("\t", "⇥"))


class Source:
    """The live source of a function, class or module: what this chapter explains is what runs.

    Args:
        thing: a function, method, class or module.
    """

    def __init__(self, thing: Any) -> None:
        self.code = inspect.getsource(inspect.unwrap(thing) if callable(thing) else thing)
        module = inspect.getmodule(thing)
        self.name = f"{getattr(module, '__name__', '')}.{getattr(thing, '__qualname__', '')}".strip(".")

    def __repr__(self) -> str:
        return f"# {self.name}\n{self.code}"

    def _repr_html_(self) -> str:
        try:
            from pygments import highlight
            from pygments.formatters import HtmlFormatter
            from pygments.lexers import PythonLexer
        except ImportError:
            code = f"<pre>{html.escape(self.code)}</pre>"
        else:
            code = highlight(self.code, PythonLexer(), HtmlFormatter(noclasses=True, nobackground=True))
        return f"<div><code>{html.escape(self.name)}</code>{code}</div>"


def source(thing: Any) -> Source:
    """Shows the source of a function, class or module of the installed package, highlighted if pygments is there."""
    return Source(thing)
