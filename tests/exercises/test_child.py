"""What the process of a function finds out about it: signature, empty body, digest, gradients, the line of an error."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tuppence.exercises import plain
from tuppence.exercises.child import _describe, _facts, float_tensors, gradients, read_lines, write_all


def full(a, b=1, *rest, **more):
    return a


def test_the_facts_of_a_function() -> None:
    facts = _facts(full, 2)
    assert facts["signature"] == "(a, b=…, *rest, **more)"
    assert (facts["found"], facts["fits"], facts["empty"]) == (True, True, False)
    assert not _facts(lambda a: a, 2)["fits"]
    assert _facts(None, 2) == {"found": False, "other": None}
    assert _facts(3, 2) == {"found": False, "other": "int"}
    assert _facts(print, 2)["found"]


@pytest.mark.parametrize("other", [lambda x: x + 2, lambda y: y + 1, lambda x: x - 1, lambda x: [x + 1 for _ in "a"]])
def test_another_code_has_another_digest(other: Callable[..., Any]) -> None:
    assert _facts(lambda x: x + 1, 1)["digest"] == _facts(lambda x: x + 1, 1)["digest"]
    assert _facts(lambda x: x + 1, 1)["digest"] != _facts(other, 1)["digest"]


def test_gradients_are_those_of_the_weighted_sum() -> None:
    x, unused = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([5.0], requires_grad=True)
    found = gradients((x**2, "more"), [x, unused])
    assert found is not None
    weights = torch.tensor([3.0, 2 + torch.tensor(1.0).cos().item()])  # cos 0 + 2, cos 1 + 2
    assert torch.allclose(found[0], 2 * x.detach() * weights)
    assert torch.equal(found[1], torch.zeros(1))
    assert gradients(torch.ones(2), [x]) is None


def test_float_tensors_are_found_in_nested_values_in_order() -> None:
    one, two = torch.ones(1), torch.zeros(2)
    assert float_tensors({"a": [one, 3], "b": (torch.tensor([1]), {"c": two})}) == [one, two]


def test_an_error_is_described_with_the_line_of_the_learner_s_file() -> None:
    with pytest.raises(TypeError) as found:
        full()
    described = _describe(found.value, __file__)
    assert described["type"] == "TypeError"
    assert described["line"] == found.traceback[-1].lineno + 1
    assert _describe(found.value, "another.py")["line"] is None
    assert _describe(NotImplementedError(), None)["kind"] == "not written"
    assert _describe(SystemExit(), None)["kind"] == "exit"
    assert _describe(MemoryError(), None) == {"kind": "memory"}
    assert _describe(plain.TooLargeError("large"), None) == {"kind": "refused", "text": "large"}


def test_a_syntax_error_of_the_file_is_said_without_the_file() -> None:
    def error_of(source: str) -> SyntaxError:
        with pytest.raises(SyntaxError) as found:
            compile(source, "my.py", "exec")
        return found.value

    error = error_of("x = (1,\n")
    assert _describe(error, "my.py")["text"] == "'(' was never closed"
    assert _describe(error, "my.py")["line"] == 1
    assert _describe(error, "other.py")["text"] == "'(' was never closed (my.py, line 1)"


def test_lines_arrive_whole_however_they_are_cut() -> None:
    reading, writing = os.pipe()
    try:
        write_all(writing, b"one\ntw")
        lines = read_lines(reading)
        assert next(lines) == b"one"
        write_all(writing, b"o\n\nthr")
        assert [next(lines), next(lines)] == [b"two", b""]
    finally:
        os.close(writing)
        assert list(lines) == []
        os.close(reading)
