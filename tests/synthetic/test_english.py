"""Inflected forms against those of a dictionary, for every verb and noun ending that the rules tell apart."""

from __future__ import annotations

import pytest

from tuppence.synthetic.english import capitalise, gerund, past, plural, with_article


@pytest.mark.parametrize(
    ("phrase", "article"),
    [
        *(("apple", "an"), ("Eskdale pony", "an"), ("hour", "an"), ("honest girl", "an"), ("heirloom", "an")),
        *(("map", "a"), ("unicorn", "a"), ("one-eyed cat", "a"), ("useful knife", "a")),
        *(("house", "a"), ("umbrella", "an"), ("yellow leaf", "a")),
    ],
)
def test_article_follows_the_sound(phrase: str, article: str) -> None:
    assert with_article(phrase) == f"{article} {phrase}"


@pytest.mark.parametrize(
    ("verb", "ed", "ing"),
    [
        *(("walk", "walked", "walking"), ("bake", "baked", "baking"), ("carry", "carried", "carrying")),
        *(("play", "played", "playing"), ("hop", "hopped", "hopping"), ("paint", "painted", "painting")),
        *(("swim", "swam", "swimming"), ("lie", "lay", "lying"), ("see", "saw", "seeing"), ("be", "was", "being")),
        *(
            ("fix", "fixed", "fixing"),
            ("show", "showed", "showing"),
            ("go", "went", "going"),
            ("run", "ran", "running"),
        ),
    ],
)
def test_verbs_have_the_forms_of_a_dictionary_and_keep_their_objects(verb: str, ed: str, ing: str) -> None:
    assert (past(verb), gerund(verb)) == (ed, ing)
    assert (past(f"{verb} by the bay"), gerund(f"{verb} by the bay")) == (f"{ed} by the bay", f"{ing} by the bay")


@pytest.mark.parametrize(
    ("singular", "plurals"),
    [
        *(("map", "maps"), ("box", "boxes"), ("bench", "benches"), ("brush", "brushes"), ("compass", "compasses")),
        *(("cherry", "cherries"), ("toy", "toys"), ("child", "children"), ("sheep", "sheep"), ("wolf", "wolves")),
    ],
)
def test_nouns_have_the_plurals_of_a_dictionary_and_keep_their_adjectives(singular: str, plurals: str) -> None:
    assert plural(singular) == plurals
    assert plural(f"old {singular}") == f"old {plurals}"


def test_sentences_begin_with_capitals_and_a_tag_after_a_quotation_does_not() -> None:
    assert capitalise('it rained. "who is there?" she asked.\n\nnobody came.') == (
        'It rained. "Who is there?" she asked.\n\nNobody came.'
    )
