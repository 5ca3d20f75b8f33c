from __future__ import annotations

import re
from random import Random

import pytest

from tuppence.synthetic.dialogue import speak


class Voice:
    """Names the speaker Ada."""

    def __init__(self, seed: int) -> None:
        self.uniform = Random(seed).random

    def fill(self, form: str, name: str, attribute: str, quoted: bool) -> str:
        assert name == "speaker"
        return "Ada"

    def word(self, table: str, quoted: bool) -> str:
        raise AssertionError(table)

    def end_sentence(self) -> str:
        return ""


@pytest.mark.parametrize("line", ["It rained.", "Where is it?", "Look!", "It rained. We went home.", "Yes. Why not?"])
@pytest.mark.parametrize("is_answer", [False, True])
def test_every_form_of_a_turn_has_the_whole_line_one_tag_and_balanced_quotes(line: str, is_answer: bool) -> None:
    forms = {speak(Voice(seed), line, "", is_answer) for seed in range(300)}
    assert len(forms) > 2
    for told in forms:
        spoken = "".join(re.findall(r'"([^"]*)"', told))
        assert re.findall(r"\w+", spoken) == re.findall(r"\w+", line)
        assert told.count("Ada") == 1
        assert told.count('"') in (2, 4)
        assert told.endswith((".", '"'))
        assert ('?"' in told) == ("?" in line)


def test_verbs_that_are_given_replace_the_usual_ones() -> None:
    told = [speak(Voice(seed), "It rained.", "whispered|sang", False) for seed in range(50)]
    assert all(re.search(r"\b(whispered|sang)\b", each) for each in told)
