"""Templates with unsupported parts of Jinja are refused and never executed."""

from __future__ import annotations

import time

import pytest

from tuppence.tokenizer.foreign_template import ForeignTemplate
from tuppence.tokenizer.template_reader import SOURCE_LIMIT_CHARACTERS


@pytest.mark.parametrize(
    "body",
    [
        "{{ boom() }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ m.content * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ m.content | upper }}",
        "{{ m.content }}{{ m.content }}",
        "{{ bos_token ~ m.content }}",
        "{% include '/etc/passwd' %}",
        "{% for a in range(10**9) %}x{% endfor %}{{ m.content }}",
        "{% set x = m.content %}" + "{% set x = x + x %}" * 60 + "{{ m.content }}",
        "{% if",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ m.content }}" + " " * SOURCE_LIMIT_CHARACTERS,
    ],
)
def test_an_unsupported_template_is_refused_quickly(body: str) -> None:
    source = "{% for m in messages %}" + body + "<|end|>{% endfor %}"
    began = time.monotonic()
    assert ForeignTemplate.read(source, ["<|endoftext|>", "<|end|>"], "<|endoftext|>") is None
    assert time.monotonic() - began < 10
