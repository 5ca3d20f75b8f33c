"""The examples in docstrings give what they say they give."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tuppence

MODULES = [name for _, name, _ in pkgutil.walk_packages(tuppence.__path__, "tuppence.") if "__main__" not in name]


def examples_of(name: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder().find(importlib.import_module(name))
    return [one for one in found if one.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_are_true(name: str) -> None:
    runner = doctest.DocTestRunner()
    for example in examples_of(name):
        runner.run(example, compileflags=0)  # as typed at a prompt, where nothing was imported from __future__
    assert runner.summarize().failed == 0


def test_there_are_examples() -> None:
    assert sum(len(examples_of(name)) for name in MODULES) > 10
