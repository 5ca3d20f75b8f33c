"""Sphinx extension: writes the page of the names of `import tuppence as tp`, each with a link to its documentation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import written_pages
from sphinx.application import Sphinx

import tuppence


def page() -> Iterator[str]:
    """A table of the names, in the order of their definition."""
    yield "# In notebooks\n"
    yield "```python\nimport tuppence as tp\n```\n"
    yield "gives notebooks and scripts the names below. The import takes no time: torch and the rest of the package are"
    yield "imported when a name is first used.\n"
    yield "| Name | |\n|---|---|"
    for name in tuppence.__all__:
        if not name.startswith("_"):
            yield f"| {link(name, getattr(tuppence, name))} | {first_sentence(getattr(tuppence, name))} |"
    for name in tuppence.__all__:
        value = getattr(tuppence, name)
        if getattr(value, "__module__", "").startswith("tuppence.cli"):  # no page of the Python API has it
            yield f"\n## tp.{name}\n\n```{{eval-rst}}\n.. autofunction:: {value.__module__}.{name}\n```"


def link(name: str, value: object) -> str:
    """A reference to the page that documents a value; for a constant, which may have no docstring, to its module."""
    if isinstance(value, ModuleType):
        return f"{{py:mod}}`tp.{name} <{value.__name__}>`"
    if callable(value):
        return f"{{py:obj}}`tp.{name} <{value.__module__}.{getattr(value, '__qualname__', name)}>`"
    return f"{{py:mod}}`tp.{name} <tuppence.{tuppence._WHERE[name].partition(':')[0]}>`"


def first_sentence(value: object) -> str:
    """What the docstring says first, in one line of a table."""
    if not (isinstance(value, ModuleType) or callable(value)):
        return "A constant."
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", text)[0].replace("|", r"\\|")


def write_page(app: Sphinx) -> None:
    """Writes the page."""
    written_pages.write(Path(app.srcdir) / "reference" / "notebooks", {"index.md": "\n".join(page()) + "\n"})


def setup(app: Sphinx) -> dict[str, bool]:
    """Writes the page before Sphinx looks for its sources."""
    app.connect("builder-inited", write_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
