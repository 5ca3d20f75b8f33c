"""Sphinx extension: reads docstrings as they are written, in Google's style with Markdown's code, lists and indented
blocks. napoleon, which runs after it, expects reStructuredText. Settings (pydantic models) get a list of their keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from sphinx.application import Sphinx

SECTION = re.compile(r"\s*(Args|Attributes|Returns|Yields|Raises|Example|Examples|Note|Notes):$")
CODE = re.compile(r"(?<![`\\])`([^`]+)`(?!`)")
NAMES = re.compile(r" {4}(\w+(?:, \w+)+):(.*)")
BULLET = re.compile(r"\s*(-|\d+\.) ")


def restructured(lines: list[str]) -> list[str]:
    """A docstring in reStructuredText.

    - `name` becomes ``name``, so that its characters are only text.
    - An indented block after an empty line becomes a literal block.
    - A list gets an empty line before it.
    - `a, b: text` under `Attributes:` becomes two entries, as napoleon does under `Args:`.
    - What follows `Returns:` and `Yields:` is a description, also if it contains a colon.
    """
    lines = _one_attribute_each(CODE.sub(r"``\1``", "\n".join(lines)).split("\n"))
    found: list[str] = []
    in_section = in_block = in_list = False
    for line in lines:
        before = found[-1] if found else ""
        indented = line.startswith("    ")
        if line.strip() and not indented:
            in_section, in_block = bool(SECTION.match(line)), False
        if BULLET.match(line):
            if before.strip() and not in_list and not in_block and not SECTION.match(before):
                found.append("")
            in_list = True
        elif not before.strip() or _indent(line) < _indent(before):
            in_list = in_list and not before.strip() and line.startswith(" ")
        if indented and not in_section and not in_block and not in_list and not before.strip():
            found += ["::", ""]
            in_block = True
        if SECTION.match(before) and before.strip() in ("Returns:", "Yields:"):
            line = f"{line[: _indent(line)]}: {line.lstrip()}"
        found.append(line)
    return found


def _one_attribute_each(lines: list[str]) -> list[str]:
    found: list[str] = []
    names: list[str] = []
    entry: list[str] = []
    inside = False
    for line in [*lines, ""]:
        named = NAMES.match(line) if inside else None
        if names and (named or not line.strip() or _indent(line) <= 4):
            for name in names:
                found += [f"    {name}:{entry[0]}", *entry[1:]]
            names = []
        if named:
            names, entry = named[1].split(", "), [named[2]]
        elif names:
            entry.append(line)
        else:
            found.append(line)
        inside = line.strip() == "Attributes:" or (inside and bool(line.strip()))
    return found[:-1]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def keys_of(settings: type[BaseModel]) -> Iterator[str]:
    """A list of the keys that a class of settings adds: name, type, default and description."""
    for name, field in settings.model_fields.items():
        if name in settings.__annotations__:
            default = (
                "required" if field.is_required() else f"default ``{field.get_default(call_default_factory=True)!r}``"
            )
            about = f": {field.description}" if field.description else ""
            yield f"- ``{name}`` (``{settings.__annotations__[name]}``, {default}){about}"


def process(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Handles autodoc's event."""
    lines[:] = restructured(lines)
    if what in ("attribute", "data", "property") and lines:
        lines[0] = f": {lines[0]}"  # napoleon takes the words before a colon for a type
    if what == "class" and isinstance(obj, type) and issubclass(obj, BaseModel):
        lines += ["", *keys_of(obj)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects before napoleon, which has the priority 500."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
