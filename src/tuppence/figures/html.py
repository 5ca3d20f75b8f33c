"""Renders HTML pages from the templates of this package, with autoescape.

All values are escaped, except our own markup: the output of a macro, or a figure as SVG. A page loads nothing from
other hosts, and its only script is that of a model that is live in it. Its Content-Security-Policy forbids the rest.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from tuppence.core.numbers import duration
from tuppence.figures.format import dollars_label, printable


def render(template: str, **values: Any) -> str:
    """Renders a template of `templates/`.

    Raises:
        jinja2.TemplateError: the template uses a value that is missing, which is a defect of ours.

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
    """Replaces characters that HTML cannot hold in the values that a template prints."""
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    return printable(str(value))
