"""Paraphrases: whole words only, capitals kept, and a table whose lines are safe after any article."""

from __future__ import annotations

from tuppence.synthetic.paraphrase import paraphrase
from tuppence.synthetic.tables import table


def test_text_without_a_known_expression_stays_whole() -> None:
    assert paraphrase("The cat sat.") == ["The cat sat."]


def test_only_whole_words_count() -> None:
    assert paraphrase("the biggest") == ["the biggest"]
    assert paraphrase("nobody's") == ["nobody's"]


def test_a_capital_stays_a_capital() -> None:
    first = paraphrase("Nobody came.")[0]
    assert isinstance(first, tuple)
    assert all(each[0].isupper() for each in first)


def test_the_pieces_joined_with_their_first_ways_are_the_text() -> None:
    text = "At once nobody wanted to climb; at first they climbed."
    assert "".join(piece if isinstance(piece, str) else piece[0] for piece in paraphrase(text)) == text


def test_adjectives_that_stand_for_each_other_take_the_same_article() -> None:
    for line in table("paraphrase"):
        ways = line.split("|")
        if ways[0] in ("big", "small", "beautiful", "strange", "splendid", "dreadful", "crooked", "clean", "puzzled"):
            assert not any(way[0] in "aeiou" for way in ways), line
