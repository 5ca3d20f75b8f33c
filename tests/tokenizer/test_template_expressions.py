"""Expressions of templates have the values that jinja2 computes, or are refused with the name of the part."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
from jinja2 import nodes

from tuppence.tokenizer.template_expressions import Expressions, UnsupportedTemplateError, is_true
from tuppence.tokenizer.traced_text import TracedText, literal

SCOPE = {"name": "one", "number": 3}


def value_of(source: str, *, steps: int = 1000, room: int = 1000) -> Any:
    tree = jinja2.Environment().parse("{{ " + source + " }}")
    output = tree.body[0]
    assert isinstance(output, nodes.Output)
    value = Expressions(steps, room).value(output.nodes[0], {"name": literal("one"), "number": 3})
    return value.plain if isinstance(value, TracedText) else value


@pytest.mark.parametrize(
    "source",
    [
        *("name ~ 'x'", "name + 'x'", "number + 4", "number % 2", "'a' in name", "'n' in name", "number > 2"),
        *("name == 'one' and number", "not name", "name if number == 3 else ''", "' a ' | trim", "name | length"),
        *("name is defined", "other is defined", "name is string", "none is none", "1 < 2 <= 2 < 3", "'' or name"),
        *("' a '.strip()", "number != 3", "'x' not in name"),
    ],
)
def test_values_are_those_of_jinja2(source: str) -> None:
    assert value_of(source) == jinja2.Environment().compile_expression(source)(**SCOPE)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1.5", "a decimal number is not supported"),
        ("bos_token", "the variable bos_token is not supported"),
        ("name | upper", "the filter upper on this value is not supported"),
        ("name | trim('x')", "the filter trim with arguments is not supported"),
        ("name is odd", "the test odd is not supported"),
        ("name[0:1]", "a slice of a value other than a list is not supported"),
        ("name.upper", "an item of a value other than a message or a list is not supported"),
        ("name + number", "an addition of values other than two integers or two texts is not supported"),
        ("number % 0", "a remainder of values other than integers is not supported"),
        ("name < 'x'", "a comparison of these values is not supported"),
        ("range(3)", "a call of a function is not supported"),
        ("number ** 2", "the expression Pow is not supported"),
        ("raise_exception('no roles')", "its error is 'no roles'"),
    ],
)
def test_unsupported_expressions_are_named(source: str, message: str) -> None:
    with pytest.raises(UnsupportedTemplateError, match=f"^{message}$"):
        value_of(source)


def test_steps_and_lengths_are_limited() -> None:
    with pytest.raises(UnsupportedTemplateError, match="it takes too many steps"):
        value_of("1 + 1 + 1", steps=3)
    with pytest.raises(UnsupportedTemplateError, match="its text is too long"):
        value_of("name ~ name", room=5)
    with pytest.raises(UnsupportedTemplateError, match="its text is too long"):
        Expressions(10, 2).count_written(literal("one"))


def test_an_undefined_name_is_false_and_an_empty_text() -> None:
    value = value_of("other")
    assert not is_true(value)
    assert Expressions(10, 10).text(value).plain == ""
    with pytest.raises(UnsupportedTemplateError, match="the output of a value other than text"):
        Expressions(10, 10).text(3)
