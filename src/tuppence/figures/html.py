"""HTML pages from the templates in this package, with autoescape.

Whatever a template prints is escaped, unless it is markup of ours: the output of a macro, or a figure as SVG. A page
has no scripts and asks no other host for anything: its Content-Security-Policy forbids both. It depends on no run.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from tuppence.core.numbers import duration
from tuppence.figures.format import dollars_label, printable


def render(template: str, **values: Any) -> str:
    """The page that a template of `templates/` makes of `values`.

    Raises:
        jinja2.TemplateError: the template uses a value that is not there, which is a defect of ours.

    Example:
        >>> "&lt;b&gt;" in render("page.html", title="<b>")
        True
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tuppence.figures"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"dollars": dollars_label, "duration": duration}
    return environment


def _finalize(value: Any) -> Any:
    """What a template prints: foreign text without characters that HTML cannot hold."""
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    return printable(str(value))
