"""Tags of speech: commas before them, verbs that fit, and nothing lost of what was said."""

from __future__ import annotations

import re
from random import Random

import pytest

from tuppence.synthetic.dialogue import speak


class Voice:
    def __init__(self, seed: int) -> None:
        self.uniform = Random(seed).random

    def fill(self, form: str, name: str, attribute: str, quoted: bool) -> str:
        return "Mara" if attribute == "named" else "she"

    def word(self, table: str, quoted: bool) -> str:
        raise AssertionError

    def end_sentence(self) -> str:
        return ""


@pytest.mark.parametrize("line", ["I see.", "Where is it?", "Look out!", "I see. It is gone. Let us go."])
def test_the_words_spoken_are_all_there_whatever_the_tag(line: str) -> None:
    for seed in range(100):
        text = speak(Voice(seed), line, "", is_answer=seed % 2 == 0)
        spoken = " ".join(re.findall(r'"([^"]*)"', text))
        assert re.sub(r"[.,]", "", spoken) == re.sub(r"[.,]", "", line)
        assert text.count('"') in (2, 4)
        assert re.search(r"[.!?]\"?\Z", text)


def test_a_statement_ends_with_a_comma_before_its_tag() -> None:
    texts = [speak(Voice(seed), "I see.", "", is_answer=False) for seed in range(50)]
    assert any(text.startswith('"I see," ') for text in texts)
    assert not any('."' in text[:-1] for text in texts)


def test_a_question_is_asked_and_never_replied() -> None:
    texts = [speak(Voice(seed), "Where?", "", is_answer=True) for seed in range(50)]
    assert all(re.search(r"\b(?:asked|said)\b", text) for text in texts)


def test_the_verb_can_be_asked_for() -> None:
    assert all("whispered" in speak(Voice(seed), "Hush.", "whispered", is_answer=False) for seed in range(20))


def test_a_pronoun_never_follows_its_verb() -> None:
    for seed in range(100):
        assert not re.search(r"\b(?:said|asked) she\b", speak(Voice(seed), "I see.", "", is_answer=False))
