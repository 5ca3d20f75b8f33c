"""The frame of a report: one HTML page without scripts, with its style inside, for light, dark and small screens.

Everything that comes from outside (samples, paths, settings) passes through `text`, which escapes it; the other
functions put ready pieces of HTML together. Knows nothing of runs. Called by `report`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

_STYLE = """
:root { color-scheme: light dark;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  --page: #f6f7f9; --card: #ffffff; --line: #e3e6eb; --soft: #f1f3f6;
  --ink: #1d2330; --muted: #667085; --grid: #e3e6eb; --blue: #0072b2; --orange: #d55e00; --green: #00805f;
  --purple: #aa5590; --yellow: #b97b00; }
@media (prefers-color-scheme: dark) { :root {
  --page: #11141a; --card: #1a1f28; --line: #2b323e; --soft: #222935;
  --ink: #e8ebf0; --muted: #9aa4b5; --grid: #2b323e; --blue: #5db7ee; --orange: #ff9450; --green: #3fcfa0;
  --purple: #dc93c6; --yellow: #f2bd4b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 var(--font); }
main { max-width: 1040px; margin: 0 auto; padding: 40px 20px 64px; }
header { margin-bottom: 24px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 40px 0 12px; letter-spacing: -0.01em; }
h3 { font-size: 14px; margin: 0 0 8px; color: var(--muted); font-weight: 600; }
p { margin: 0 0 10px; }
.muted { color: var(--muted); }
.badge { display: inline-block; padding: 2px 10px; margin-right: 8px; border-radius: 99px; font-size: 13px;
  font-weight: 600; border: 1px solid currentColor; }
.done { color: var(--green); } .running { color: var(--blue); } .stopped { color: var(--yellow); }
.failed { color: var(--orange); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(126px, 1fr)); gap: 12px; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.tile { padding: 12px 14px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile span { color: var(--muted); font-size: 13px; line-height: 1.35; display: block; }
.card { padding: 18px; margin-bottom: 12px; min-width: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 12px; }
.pair .card { margin: 0; }
.pair + .card, .pair + .pair { margin-top: 12px; }
svg { display: block; width: 100%; height: auto; stroke-linejoin: round; }
.narrow { display: none; }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
td, th { padding: 6px 12px 6px 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
tr:first-child > * { border-top: 0; }
th { color: var(--muted); font-weight: 500; width: min(42%, 260px); }
.chip { display: inline-block; width: 10px; height: 10px; margin-right: 8px; border-radius: 3px; }
thead th { width: auto; font-size: 13px; }
.scroll { overflow-x: auto; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere;
  font: 14.5px/1.6 Georgia, "Times New Roman", serif; }
pre mark { background: none; color: var(--blue); }
blockquote { margin: 0 0 12px; padding: 12px 16px; background: var(--card); border: 1px solid var(--line);
  border-left: 3px solid var(--blue); border-radius: 4px 12px 12px 4px; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px 18px;
  margin-bottom: 12px; }
summary { cursor: pointer; font-weight: 600; }
details[open] summary { margin-bottom: 10px; }
code { font: 13px/1.5 var(--mono); overflow-wrap: anywhere; }
.command { margin: 0 0 10px; padding: 10px 14px; background: var(--soft); border-radius: 8px; }
.command code { white-space: pre-wrap; }
a { color: var(--blue); }
footer { margin-top: 40px; color: var(--muted); font-size: 13px; }
h1, b, span, td, th, pre, mark, code { unicode-bidi: isolate; }
@media (max-width: 560px) { main { padding: 24px 14px 40px; } h1 { font-size: 24px; } .card { padding: 14px; }
  .wide { display: none; } .narrow { display: block; } }
@media print { body { background: none; } .card, .tile, blockquote { break-inside: avoid; } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def text(value: Any) -> str:
    """Anything as text that is safe inside an element or an attribute.

    Example:
        >>> text('<b>"bold"</b>')
        '&lt;b&gt;&quot;bold&quot;&lt;/b&gt;'
    """
    return html.escape(str(value), quote=True)


def page(title: str, body: str) -> str:
    """The whole document. Its policy forbids scripts and other hosts, even if something slipped through."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *pieces: str) -> str:
    """A heading and what stands under it; nothing at all where there is nothing."""
    content = "\n".join(piece for piece in pieces if piece)
    return f"<section>\n<h2>{text(title)}</h2>\n{content}\n</section>" if content else ""


def tiles(numbers: Iterable[tuple[str, str]]) -> str:
    """The headline: (label, number) pairs, large."""
    cells = "".join(
        f'<div class="tile"><b>{text(value)}</b><span>{text(label)}</span></div>' for label, value in numbers
    )
    return f'<div class="tiles">{cells}</div>' if cells else ""


def card(*pieces: str, title: str = "") -> str:
    """A framed box; nothing where there is nothing to frame."""
    content = "".join(piece for piece in pieces if piece)
    heading = f"<h3>{text(title)}</h3>" if title else ""
    return f'<div class="card">{heading}{content}</div>' if content else ""


def pair(*cards: str) -> str:
    """Cards side by side where the screen is wide enough."""
    present = [one for one in cards if one]
    return f'<div class="pair">{"".join(present)}</div>' if present else ""


def facts(rows: Mapping[str, Any]) -> str:
    """A table of names and values; unknown values (None, empty) are left out."""
    lines = "".join(
        f"<tr><th>{text(name)}</th><td>{text(value)}</td></tr>"
        for name, value in rows.items()
        if value not in (None, "")
    )
    return f"<table><tbody>{lines}</tbody></table>" if lines else ""


def legend(rows: Iterable[tuple[str, str, str, str]]) -> str:
    """A table that explains a picture: (colour, name, value, share); the colour is one of the page's variables."""
    lines = "".join(
        f'<tr><th><i class="chip" style="background: var(--{text(colour)})"></i>{text(name)}</th>'
        f"<td>{text(value)}</td><td>{text(share)}</td></tr>"
        for colour, name, value, share in rows
    )
    return f"<table><tbody>{lines}</tbody></table>" if lines else ""


def responsive(wide: str, narrow: str) -> str:
    """Two drawings of one picture: the narrow one is shown on a phone, where the wide one's text would be tiny."""
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>' if wide else ""


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table with a head; it scrolls by itself on a small screen."""
    head = "".join(f"<th>{text(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>' if body else ""
    )


def details(title: str, *pieces: str) -> str:
    """Something to unfold."""
    content = "".join(piece for piece in pieces if piece)
    return f"<details><summary>{text(title)}</summary>{content}</details>" if content else ""


def command(lines: str) -> str:
    """A command line, or several, one a line."""
    return f'<div class="command"><code>{text(lines)}</code></div>' if lines else ""


def link(path: str, label: str) -> str:
    """A link to a file beside the page."""
    return f'<a href="{text(path)}">{text(label)}</a>'


def sample(prompt: str, continuation: str) -> str:
    """What a model wrote, the prompt in another colour."""
    return f"<blockquote><pre><mark>{text(prompt)}</mark>{text(continuation)}</pre></blockquote>"
