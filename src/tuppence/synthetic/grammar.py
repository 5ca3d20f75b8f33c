"""The language of templates, and its parser.

A template is English text with three kinds of placeholders:

    [walked|hurried|]       one of these, chosen at random; they can be nested and empty
    <sound>                 an entry of that table in `tables/`, itself a template, not yet used in this story
    {hero} {the thing}      a slot: a character or a thing of the story, in the form that is asked for

Forms of a character: `{hero}` `{hero.him}` `{hero.his}` `{hero.hers}` `{hero.himself}` become a pronoun or a name
(see `discourse`); `{~hero}` is always the pronoun, `{hero.name}` always the name.
Forms of a thing: `{a thing}` `{the thing}` `{thing}`. Of a place: `{at place}` `{to place}` `{place}`.
Of a doing ("mend nets"): `{doing}` `{doing.ed}` `{doing.ing}`. A `^` makes the next letter a capital.

A template is parsed once, into a tuple of strings and functions. Rendering calls the functions in reading order, so
that they know the text before them. The fixed text goes through `paraphrase`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import groupby
from typing import Protocol

from tuppence.synthetic.paraphrase import paraphrase


class Voice(Protocol):
    """What fills the placeholders: `teller.Teller` and `phrasing.Phraser`."""

    def fill(self, form: str, name: str, attribute: str, quoted: bool) -> str: ...

    def word(self, table: str, quoted: bool) -> str: ...

    def uniform(self) -> float: ...

    def end_sentence(self) -> str: ...


Part = str | Callable[[Voice], str]
Template = tuple[Part, ...]

_TOKEN = re.compile(r"\[|\]|\||<\w+>|\{[^{}]+\}|\"|[.!?] |[^\[\]|<>{}\".!?]+|[.!?]")
_SLOT = re.compile(r"\{(~|\w+ )?(\w+)(?:\.(\w+))?\}")


@cache
def parse(source: str, quoted: bool = False) -> Template:
    """Parses a template.

    Args:
        source: the text with placeholders.
        quoted: whether the text is inside quotation marks, where characters are called by their names.

    Raises:
        ValueError: the brackets do not match, or a slot is malformed.
    """
    return _Parser(source, quoted).parse()


def render(template: Template, voice: Voice) -> str:
    """Fills the placeholders of a parsed template, from left to right."""
    return "".join([part if part.__class__ is str else part(voice) for part in template])  # type: ignore[operator]


class _Parser:
    def __init__(self, source: str, quoted: bool) -> None:
        self.source = source
        self.tokens = _TOKEN.findall(source)
        if "".join(self.tokens) != source:
            raise ValueError(f"stray bracket in template: {source}")
        self.position = 0
        self.quoted = quoted
        self.inline_quote = False

    def parse(self) -> Template:
        template = self.sequence()
        if self.position != len(self.tokens):
            raise ValueError(f"unmatched bracket in template: {self.source}")
        return template

    def sequence(self) -> Template:
        """Everything up to the end, or up to the `|` or `]` that ends the present alternative."""
        parts: list[Part] = []
        while self.position < len(self.tokens) and self.tokens[self.position] not in "]|":
            token = self.tokens[self.position]
            self.position += 1
            in_quote = self.quoted or self.inline_quote
            if token == "[":
                parts.append(_choice(self.alternatives()))
            elif token[0] == "<":
                parts.append(_word(token[1:-1], in_quote))
            elif token[0] == "{":
                match = _SLOT.fullmatch(token)
                if match is None:
                    raise ValueError(f"cannot read {token} in template: {self.source}")
                form, name, attribute = match.groups(default="")
                parts.append(_slot(form.strip(), name, attribute, in_quote))
            else:
                parts.append(token)
                if token == '"':
                    self.inline_quote = not self.inline_quote
                if not in_quote and token in (". ", "! ", "? "):
                    parts.append(_end_sentence)
        return _merge(parts)

    def alternatives(self) -> tuple[Template, ...]:
        options = [self.sequence()]
        while self.position < len(self.tokens) and self.tokens[self.position] == "|":
            self.position += 1
            options.append(self.sequence())
        if self.position == len(self.tokens):
            raise ValueError(f"unclosed [ in template: {self.source}")
        self.position += 1
        return tuple(options)


def _merge(parts: Sequence[Part]) -> Template:
    """Joins adjacent strings, and paraphrases them."""
    merged: list[Part] = []
    for is_text, run in groupby(parts, key=lambda part: isinstance(part, str)):
        if not is_text:
            merged += run
            continue
        for piece in paraphrase("".join(map(str, run))):
            merged.append(piece if isinstance(piece, str) else _choice(tuple((each,) for each in piece)))
    return tuple(merged)


def _choice(options: tuple[Template, ...]) -> Part:
    count = len(options)
    return lambda voice: render(options[int(voice.uniform() * count)], voice)


def _word(table: str, quoted: bool) -> Part:
    return lambda voice: voice.word(table, quoted)


def _slot(form: str, name: str, attribute: str, quoted: bool) -> Part:
    return lambda voice: voice.fill(form, name, attribute, quoted)


def _end_sentence(voice: Voice) -> str:
    return voice.end_sentence()
