"""Renders templates outside stories: the language of `grammar`, without the characters of a story.

A `Phraser` is made for each item (a message, a task). A slot has one value for the whole item, so that `{name}` is the
same person everywhere; different slots never have the same value. Called by `sms`, `instructions` and `preferences`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

from tuppence.synthetic.english import with_article
from tuppence.synthetic.grammar import parse, render
from tuppence.synthetic.tables import table

Maker = Callable[[Random], str]
Form = Callable[[Random, str], str]

_SPACE_BEFORE_MARK = re.compile(r" +(?=[,.!?])")


class Phraser:
    """Fills the placeholders of templates for one item.

    Args:
        random: the source of all random choices.
        makers: slot → function that draws its value.
        forms: attribute → function of a value: `{bank.site}` is `forms["site"]` of `{bank}`.

    Example:
        >>> phraser = Phraser(Random(1), {"thing": lambda random: "old map"})
        >>> phraser.tell("Here is {a thing}. Where is the {thing}?")
        'Here is an old map. Where is the old map?'
    """

    def __init__(self, random: Random, makers: Mapping[str, Maker], forms: Mapping[str, Form] | None = None) -> None:
        self.random = random
        self.uniform = random.random
        self._makers = makers
        self._forms = forms or {}
        self._slots: dict[str, str] = {}

    def tell(self, *alternatives: str) -> str:
        """Returns one of the alternatives, with its placeholders filled."""
        told = render(parse(alternatives[int(self.uniform() * len(alternatives))]), self)
        return _SPACE_BEFORE_MARK.sub("", told).strip()

    def let(self, **slots: str) -> None:
        """Sets the values of slots."""
        self._slots.update(slots)

    def fill(self, form: str, name: str, attribute: str, quoted: bool) -> str:
        """Returns the value of a slot; called by templates.

        Raises:
            KeyError: a template names an unknown slot or attribute.
        """
        if name not in self._slots:
            self._slots[name] = self._make(name)
        value = self._slots[name]
        if attribute:
            value = self._forms[attribute](self.random, value)
        return with_article(value) if form == "a" else f"{form} {value}".strip()

    def word(self, name: str, quoted: bool) -> str:
        """Returns an entry of a table; called by templates."""
        entries = table(name)
        return render(parse(entries[int(self.uniform() * len(entries))], quoted), self)

    def end_sentence(self) -> str:
        return ""

    def _make(self, name: str) -> str:
        taken = set(self._slots.values())
        while (value := self._makers[name](self.random)) in taken:
            pass
        return value
