"""Sphinx extension: writes one page for each package into reference/api, with a section for each of its modules, and
resolves the names in annotations that are not objects of a page.

autodoc fills the sections from the docstrings. The command line has pages of its own (see `command_line`).
"""

from __future__ import annotations

import builtins
import importlib
import pkgutil
import re
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path

import written_pages
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

import tuppence

HIDDEN = (
    *("tuppence.__main__", "tuppence.cli"),
    *("tuppence.synthetic.plots", "tuppence.synthetic.skills", "tuppence.synthetic.tables"),  # text, no interface
)


def packages() -> dict[str, list[str]]:
    """Package → its modules, by full name, in alphabetical order."""
    found: dict[str, list[str]] = {}
    for module in pkgutil.walk_packages(tuppence.__path__, "tuppence."):
        if not module.name.startswith(HIDDEN) and not module.name.rpartition(".")[2].startswith("_"):
            found.setdefault(module.name if module.ispkg else module.name.rpartition(".")[0], [])
            if not module.ispkg:
                found[module.name.rpartition(".")[0]].append(module.name)
    return dict(sorted(found.items()))


def page(package: str, modules: list[str]) -> Iterator[str]:
    """The package's own docstring, then its modules."""
    yield f"# {short(package)}\n"
    yield documented(package)
    for name in modules:
        yield f"## {short(name)}\n"
        yield documented(name)


def documented(name: str) -> str:
    """What autodoc reads from a module."""
    return f"```{{eval-rst}}\n.. automodule:: {name}\n```\n"


def write_pages(app: Sphinx) -> None:
    """Writes the pages and their index."""
    found = packages()
    pages = {f"{name}.md": "\n".join(page(name, modules)) for name, modules in found.items()}
    pages["index.md"] = "\n".join(index(found))
    written_pages.write(Path(app.srcdir) / "reference" / "api", pages)


def index(found: Iterable[str]) -> Iterator[str]:
    """A table of the packages with the first sentences of their docstrings."""
    yield "# Python API\n"
    yield "| Package | |\n|---|---|"
    for name in found:
        about = re.split(r"(?<=\.)\s|\n\n", importlib.import_module(name).__doc__ or "")[0]
        yield f"| [{short(name)}]({name}.md) | {' '.join(about.split())} |"
    yield "\n```{toctree}\n:hidden:\n"
    yield from found
    yield "```\n"


def short(name: str) -> str:
    """The name of a package below tuppence."""
    return name.removeprefix("tuppence.")


class NamesWithoutPage(SphinxPostTransform):
    """Leaves builtins, type variables and the names under `Attributes:` as plain text. Sphinx would link `bytes` to any
    attribute of that name.
    """

    default_priority = 5  # before Sphinx resolves references

    def run(self, **_: object) -> None:
        for reference in list(self.document.findall(addnodes.pending_xref)):
            name = str(reference.get("reftarget", ""))
            if reference.get("refdomain") != "py":
                continue
            is_attribute = reference.get("reftype") == "obj" and "." not in name
            if is_attribute or hasattr(builtins, name) or is_type_variable(name):
                reference.replace_self(reference.children or [nodes.Text(name)])


def is_type_variable(name: str) -> bool:
    """Whether a full name such as `tuppence.core.config.Schema` is a TypeVar."""
    module, _, attribute = name.rpartition(".")
    if not module.startswith("tuppence."):
        return False
    try:
        return isinstance(getattr(importlib.import_module(module), attribute, None), typing.TypeVar)
    except ImportError:
        return False


def setup(app: Sphinx) -> dict[str, bool]:
    """Writes the pages before Sphinx looks for its sources."""
    app.connect("builder-inited", write_pages)
    app.add_post_transform(NamesWithoutPage)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
