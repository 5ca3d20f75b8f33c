"""Sphinx extension: what axe asks of the pages and the theme does not do. Regions that scroll can be reached with the
keyboard, and the captions of the navigation have a level.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

BODY = {
    "<pre": '<pre tabindex="0"',
    '<div class="table-wrapper': '<div tabindex="0" role="group" aria-label="Table" class="table-wrapper',
    '<table class="indextable': '<table role="presentation" class="indextable',
}
NAVIGATION = {'<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">'}


def improve(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Changes the HTML of a page before the template places it."""
    for key, changes in (("body", BODY), ("furo_navigation_tree", NAVIGATION)):
        if isinstance(context.get(key), str):
            for old, new in changes.items():
                context[key] = context[key].replace(old, new)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects after the theme, which makes the navigation."""
    app.connect("html-page-context", improve, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
