"""How results show themselves: as HTML in a notebook, as text in a terminal. Nothing is loaded from other hosts.

Colours are inherited from the page, so that light and dark themes both work. `core.table` has the tables.
"""

from __future__ import annotations

import html
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuppence.core.console import visible
from tuppence.core.table import Table, shown

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


def facts(values: Mapping[str, Any]) -> Table:
    """Returns names and values as a table of two columns."""
    return Table(["", "value"], [[name, shown(value)] for name, value in values.items()])


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
