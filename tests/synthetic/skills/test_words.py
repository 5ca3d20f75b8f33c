"""The answers are computed a second time from the letters and words of the task."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.synthetic.skills.conftest import KINDS, drafts, kind_of

from tuppence.synthetic.skills import Draft, Maker, words
from tuppence.synthetic.tables import table

_PLACES = {"first": 0, "second": 1, "third": 2, "last": -1}
_IRREGULAR = {"dormouse": "dormice", "goose": "geese", "mouse": "mice", "penknife": "penknives", "scarf": "scarves"}


def sort_words(draft: Draft) -> str:
    return ", ".join(sorted(draft.input.split(", "), key=str.lower))


def sort_by_length(draft: Draft) -> str:
    listed = draft.input.split(", ")
    assert len({len(word) for word in listed}) == len(listed)
    return ", ".join(sorted(listed, key=len, reverse="from the longest" in draft.instruction))


def spell(draft: Draft) -> str:
    return ("-" if "hyphen" in draft.instruction else " ").join(draft.input)


def reverse(draft: Draft) -> str:
    return "".join(reversed(draft.input))


def count_letters(draft: Draft) -> str:
    match = re.search(r"letter (\w) .*word (\w+)", draft.instruction)
    if match:
        return str(len(re.findall(match[1], match[2], re.I)))
    word = re.search(r"(?:word|has|does) (\w+)(?: have)?\?", draft.instruction)
    assert word
    return str(len(word[1]))


def has_letter(draft: Draft) -> str:
    letter, word = (re.search(rf"the {what} (\w+)", draft.instruction) for what in ("letter", "word"))
    assert letter
    assert word
    return "Yes" if letter[1] in word[1] else "No"


def count_items(draft: Draft) -> str:
    return str(draft.input.count(",") + 1)


def end_letter(draft: Draft) -> str:
    word = draft.input or re.findall(r"\w+", draft.instruction)[-1]
    return word[0] if "first" in draft.instruction else word[-1]


def place_in_list(draft: Draft) -> str:
    listed = draft.input.split(", ")
    return next(listed[at] for name, at in _PLACES.items() if name in draft.instruction)


def upper_case(draft: Draft) -> str:
    return "".join(chr(ord(letter) - 32) if "a" <= letter <= "z" else letter for letter in draft.input)


def swap(draft: Draft) -> str:
    first, joint, second = re.split(r"( and |, | )", draft.input, maxsplit=1)
    return second + joint + first


def plural_of(draft: Draft) -> str:
    one = draft.input.removeprefix("one ").partition(",")[0] if "..." in draft.input else draft.input
    before, space, noun = one.rpartition(" ")
    es = "es" if re.search(r"(s|x|ch|sh|to)$", noun) else "s"
    return before + space + _IRREGULAR.get(noun, re.sub(r"(?<=[^aeiou])y$", "ie", noun) + es)


def named_kind(draft: Draft) -> str:
    word = re.search(r"\bis (?:an? )?(\w+)", draft.instruction, re.I)
    assert word
    kind = kind_of(word[1])
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def which_is_one(draft: Draft) -> str:
    return next(word for word in draft.input.split(", ") if kind_of(word) in draft.instruction)


def odd_one_out(draft: Draft) -> str:
    kinds = {word: kind_of(word) for word in draft.input.split(", ")}
    return next(word for word, kind in kinds.items() if list(kinds.values()).count(kind) == 1)


@pytest.mark.parametrize(
    ("make", "solve"),
    [
        (words.sort_alphabetically, sort_words),
        (words.sort_by_length, sort_by_length),
        (words.spell, spell),
        (words.reverse, reverse),
        (words.count_letters, count_letters),
        (words.has_letter, has_letter),
        (words.count_items, count_items),
        (words.end_letter, end_letter),
        (words.place_in_list, place_in_list),
        (words.upper_case, upper_case),
        (words.swap, swap),
        (words.plural_of, plural_of),
        (words.kind_of, named_kind),
        (words.which_is, which_is_one),
        (words.odd_one_out, odd_one_out),
    ],
    ids=lambda function: function.__name__,
)
def test_the_answer_follows_from_the_task(make: Maker, solve: Callable[[Draft], str]) -> None:
    for draft in drafts(make):
        assert solve(draft) == draft.output, draft


def test_no_word_belongs_to_two_kinds() -> None:
    listed = [word for kind in KINDS for word in table(f"kind_{kind}")]
    assert len(listed) == len(set(listed))
