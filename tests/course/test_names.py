"""`import tuppence as tp`: lazy, complete, and known to type checkers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tuppence as tp


def test_the_import_needs_neither_torch_nor_matplotlib() -> None:
    code = "import sys, tuppence; print(sorted({'torch', 'numpy', 'matplotlib', 'boto3'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", tp._WHERE)
def test_every_name_is_found_and_listed(name: str) -> None:
    value = getattr(tp, name)
    assert name in dir(tp)
    assert value is getattr(tp, name)


def test_every_name_is_one_that_type_checkers_see() -> None:
    tree = ast.parse(Path(tp.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.asname: (node.module, alias.name) for node in block.body for alias in node.names}  # type: ignore[attr-defined]
    assert set(typed) == set(tp._WHERE)
    for name, (module, inside) in typed.items():
        path, colon, other = tp._WHERE[name].partition(":")
        whole = f"tuppence.{path}"
        assert f"{module}.{inside}" == (whole if colon and not other else f"{whole}.{other or name}"), name


def test_every_function_and_class_says_what_it_does() -> None:
    for name in tp._WHERE:
        value = getattr(tp, name)
        if callable(value):
            assert value.__doc__, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="tokeniser"):
        _ = tp.tokeniser
