"""The site's reader of docstrings, judged by what docutils makes of them after napoleon."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from pydantic import BaseModel, Field
from sphinx.ext.napoleon import Config, GoogleDocstring

SOURCE = Path(__file__).resolve().parents[2] / "docs" / "_ext" / "docstrings.py"


@pytest.fixture(scope="module")
def docstrings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docstrings", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tree(docstrings: Any, text: str) -> nodes.document:
    lines = GoogleDocstring(docstrings.restructured(text.split("\n")), Config(napoleon_use_ivar=True)).lines()
    return publish_doctree("\n".join(lines), settings_overrides={"halt_level": 2, "report_level": 2})


def found(document: nodes.document, kind: type[nodes.Node]) -> list[str]:
    return [node.astext() for node in document.findall(kind)]


def test_characters_of_code_are_only_text(docstrings: ModuleType) -> None:
    document = tree(docstrings, r"Takes `**options`, `|end|`, `_name_` and `\d`.")
    assert found(document, nodes.literal) == ["**options", "|end|", "_name_", r"\d"]


def test_an_indented_block_keeps_its_lines(docstrings: ModuleType) -> None:
    document = tree(docstrings, "The files:\n\n    a.py   one\n      b.py *two*\n\nThat is all.")
    assert found(document, nodes.literal_block) == ["a.py   one\n  b.py *two*"]


def test_a_list_needs_no_empty_line_before_it(docstrings: ModuleType) -> None:
    document = tree(docstrings, "Guarantees:\n- one, which\n  goes on;\n- two.\n\nMore.")
    assert found(document, nodes.list_item) == ["one, which\ngoes on;", "two."]


def test_sections_stay_sections(docstrings: ModuleType) -> None:
    document = tree(
        docstrings, "Adds.\n\nArgs:\n    a, b: the numbers,\n        both finite.\n\nReturns:\n    Their sum."
    )
    assert found(document, nodes.literal_block) == []
    assert found(document, nodes.field_name) == ["param a", "param b", "returns"]


def test_attributes_with_one_text_have_an_entry_each(docstrings: ModuleType) -> None:
    text = "A row.\n\nAttributes:\n    first, last: its lines,\n        from 1.\n    cells: its cells.\n\nMore: text."
    document = tree(docstrings, text)
    assert found(document, nodes.field_name) == ["ivar first", "ivar last", "ivar cells"]
    assert found(document, nodes.field_body) == ["its lines,\nfrom 1.", "its lines,\nfrom 1.", "its cells."]
    assert found(document, nodes.paragraph)[-1] == "More: text."


@pytest.mark.parametrize("said", ["`{a: 1}`, or None: nothing.", "The sum: a number."])
def test_a_colon_in_what_is_returned_makes_no_type(docstrings: ModuleType, said: str) -> None:
    document = tree(docstrings, f"Adds.\n\nReturns:\n    {said}")
    assert found(document, nodes.field_name) == ["returns"]
    assert found(document, nodes.field_body) == [said.replace("`", "")]


def test_examples_stay_examples(docstrings: ModuleType) -> None:
    document = tree(docstrings, "Adds.\n\nExample:\n    >>> 1 + 1\n    2")
    assert found(document, nodes.doctest_block) == [">>> 1 + 1\n2"]


def test_settings_list_their_own_keys_with_defaults(docstrings: ModuleType) -> None:
    class Base(BaseModel):
        inherited: int = 1

    class Settings(Base):
        rate: float = Field(0.1, description="the peak")
        steps: int

    keys = list(docstrings.keys_of(Settings))
    assert keys == ["- ``rate`` (``float``, default ``0.1``): the peak", "- ``steps`` (``int``, required)"]
