"""Templates: alternatives are equally likely, placeholders reach the voice in reading order, errors are named."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tuppence.synthetic.grammar import parse, render


class Recorder:
    """A voice that notes what it is asked, and answers with the name in capitals."""

    def __init__(self, seed: int = 0) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.uniform = Random(seed).random

    def fill(self, form: str, name: str, attribute: str, quoted: bool) -> str:
        self.asked.append(("slot", form, name, attribute, "quoted" if quoted else "told"))
        return name.upper()

    def word(self, table: str, quoted: bool) -> str:
        self.asked.append(("word", table, "quoted" if quoted else "told"))
        return table.upper()

    def end_sentence(self) -> str:
        self.asked.append(("end",))
        return ""


def test_alternatives_are_equally_likely_also_when_they_are_nested_or_empty() -> None:
    template, voice = parse("[a|[b|c]|]"), Recorder()
    found = Counter(render(template, voice) for _ in range(6_000))
    assert found.keys() == {"a", "b", "c", ""}
    for text, share in {"a": 1 / 3, "b": 1 / 6, "c": 1 / 6, "": 1 / 3}.items():
        assert found[text] / 6_000 == pytest.approx(share, abs=0.03)  # 5 standard deviations


def test_placeholders_reach_the_voice_in_reading_order() -> None:
    voice = Recorder()
    told = render(parse('{a thing} fell. "<sound>!" said {hero.him} to {~friend}.'), voice)
    assert told == 'THING fell. "SOUND!" said HERO to FRIEND.'
    assert voice.asked == [
        *(("slot", "a", "thing", "", "told"), ("end",), ("word", "sound", "quoted")),
        *(("slot", "", "hero", "him", "told"), ("slot", "~", "friend", "", "told")),
    ]


def test_a_template_of_speech_is_quoted_and_ends_no_sentence_of_the_story() -> None:
    voice = Recorder()
    render(parse("Where is {hero}? Here.", quoted=True), voice)
    assert voice.asked == [("slot", "", "hero", "", "quoted")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("one [two|three", "unclosed"),
        ("one ]two", "unmatched bracket"),
        ("one {two", "stray bracket"),
        ("{one two three}", "cannot read {one two three}"),
    ],
)
def test_a_malformed_template_is_refused(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(source)
