"""The template language: holes, choices, quotes, and templates that cannot be read."""

from __future__ import annotations

import pytest

from tuppence.synthetic.grammar import parse, render


class Recorder:
    """A voice that answers every hole with what was asked, and counts sentence ends."""

    def __init__(self, chance: float = 0.0) -> None:
        self.chance = chance
        self.sentences = 0

    def fill(self, form: str, name: str, attribute: str, quoted: bool) -> str:
        return f"({form}/{name}/{attribute}{'/quoted' if quoted else ''})"

    def word(self, table: str, quoted: bool) -> str:
        return f"<{table}>"

    def uniform(self) -> float:
        return self.chance

    def end_sentence(self) -> str:
        self.sentences += 1
        return ""


def told(source: str, chance: float = 0.0) -> str:
    return render(parse(source), Recorder(chance))


def test_holes_are_filled_with_form_name_and_attribute() -> None:
    assert told("x {the thing} {hero.him} {~hero.his} <sight>") == "x (the/thing/) (/hero/him) (~/hero/his) <sight>"


@pytest.mark.parametrize(("chance", "expected"), [(0.0, "red fox"), (0.4, "blue fox"), (0.99, " fox")])
def test_one_alternative_is_chosen_and_it_may_be_empty(chance: float, expected: str) -> None:
    assert told("[red|blue|] fox", chance) == expected


def test_alternatives_nest() -> None:
    assert told("[a [b|c]|d] e", 0.9) == "d e"
    assert told("[a [b|c]|d] e", 0.0) == "a b e"


def test_names_are_used_inside_quotation_marks_only() -> None:
    assert told('{x} said, "{y}." {z}') == '(/x/) said, "(/y//quoted)." (/z/)'


def test_sentences_end_outside_quotations() -> None:
    voice = Recorder()
    render(parse('One. "Two. Three," she said. Four.'), voice)
    assert voice.sentences == 2


@pytest.mark.parametrize("source", ["[a|b", "a]", "a | b", "{a b c}", "{unclosed", "<no closing"])
def test_a_template_with_unmatched_brackets_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="template"):
        parse(source)
