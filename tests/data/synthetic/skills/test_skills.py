"""The answers, worked out a second time by other means: from the words of the task, as a person would."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from random import Random

import pytest

from tuppence.data.synthetic.skills import EASY, HARD, Draft
from tuppence.data.synthetic.tables import table, tables

SKILLS = EASY | HARD
_PLACES = {"first": 0, "second": 1, "third": 2, "last": -1}
_KINDS = [name.removeprefix("kind_") for name in tables() if name.startswith("kind_")]


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def drafts(kind: str, count: int = 300) -> list[Draft]:
    make = SKILLS[kind][0]
    return [make(Random(f"{kind}/{index}")) for index in range(count)]


def add(draft: Draft) -> str:
    return str(sum(numbers_in(draft.instruction)))


def subtract(draft: Draft) -> str:
    first, second = numbers_in(draft.instruction)
    return str(abs(first - second))


def multiply(draft: Draft) -> str:
    first, second = numbers_in(draft.instruction)
    return str(first * second)


def larger(draft: Draft) -> str:
    pick = max if "larg" in draft.instruction else min
    return str(pick(numbers_in(draft.instruction + draft.input)))


def compare(draft: Draft) -> str:
    first, second = numbers_in(draft.instruction)
    return "Yes" if (first - second) * (1 if "larger" in draft.instruction else -1) > 0 else "No"


def even_or_odd(draft: Draft) -> str:
    return "even" if numbers_in(draft.instruction)[0] in range(0, 1_000, 2) else "odd"


def sequence(draft: Draft) -> str:
    numbers = numbers_in(draft.input)
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    assert len(steps) == 1
    return str(numbers[-1] + steps.pop())


def word_problem(draft: Draft) -> str:
    have, change = numbers_in(draft.input)
    return str(have + change if "more" in draft.input else have - change)


def sort_numbers(draft: Draft) -> str:
    numbers = sorted(numbers_in(draft.input), reverse="from the largest" in draft.instruction)
    return ", ".join(map(str, numbers))


def sort_words(draft: Draft) -> str:
    return ", ".join(sorted(draft.input.split(", "), key=str.lower))


def sort_by_length(draft: Draft) -> str:
    words = draft.input.split(", ")
    assert len({len(word) for word in words}) == len(words)
    return ", ".join(sorted(words, key=len, reverse="from the longest" in draft.instruction))


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


def count_words(draft: Draft) -> str:
    return str(draft.input.count(" ") + 1)


def end_of_a_sentence(draft: Draft) -> str:
    words = re.findall(r"[\w-]+", draft.input)
    return words[0 if "first" in draft.instruction else -1]


def end_letter(draft: Draft) -> str:
    word = draft.input or re.findall(r"\w+", draft.instruction)[-1]
    return word[0] if "first" in draft.instruction else word[-1]


def place_in_list(draft: Draft) -> str:
    words = draft.input.split(", ")
    return next(words[at] for name, at in _PLACES.items() if name in draft.instruction)


def upper_case(draft: Draft) -> str:
    return "".join(chr(ord(letter) - 32) if "a" <= letter <= "z" else letter for letter in draft.input)


def swap(draft: Draft) -> str:
    first, joint, second = re.split(r"( and |, | )", draft.input, maxsplit=1)
    return second + joint + first


def replace_word(draft: Draft) -> str:
    names = re.findall(r"\b[A-Z]\w+", draft.instruction)[1:]
    old, new = names if draft.instruction.startswith("Replace") else reversed(names)
    return re.sub(rf"\b{old}\b", new, draft.input)


def which_is_one(draft: Draft) -> str:
    return next(word for word in draft.input.split(", ") if kind_of(word) in draft.instruction)


def odd_one_out(draft: Draft) -> str:
    kinds = {word: kind_of(word) for word in draft.input.split(", ")}
    return next(word for word, kind in kinds.items() if list(kinds.values()).count(kind) == 1)


def kind_of(word: str) -> str:
    named = {"instrument": "musical instrument", "garment": "piece of clothing", "day": "day of the week"}
    (kind,) = [kind for kind in _KINDS if word in table(f"kind_{kind}")]
    return named.get(kind, kind)


@pytest.mark.parametrize(
    ("kind", "solve"),
    [
        ("add", add),
        ("subtract", subtract),
        ("multiply", multiply),
        ("larger", larger),
        ("compare", compare),
        ("even or odd", even_or_odd),
        ("sequence", sequence),
        ("word problem", word_problem),
        ("sort numbers", sort_numbers),
        ("sort words", sort_words),
        ("sort by length", sort_by_length),
        ("spell", spell),
        ("reverse", reverse),
        ("count letters", count_letters),
        ("has the letter", has_letter),
        ("count items", count_items),
        ("count words", count_words),
        ("end of a sentence", end_of_a_sentence),
        ("end letter", end_letter),
        ("place in a list", place_in_list),
        ("upper case", upper_case),
        ("swap", swap),
        ("replace a word", replace_word),
        ("which is one", which_is_one),
        ("odd one out", odd_one_out),
    ],
)
def test_the_answer_follows_from_the_task(kind: str, solve: Callable[[Draft], str]) -> None:
    for draft in drafts(kind):
        assert solve(draft) == draft.output, draft


def test_what_is_extracted_stands_in_the_sentence_word_for_word() -> None:
    for draft in drafts("extract"):
        assert draft.output in draft.input, draft
        if "day" in draft.instruction.lower().split(" on ")[0] and "What" not in draft.instruction:
            assert draft.output in {f"{date(2024, 1, 1) + timedelta(days=day):%A}" for day in range(7)}


def test_a_question_is_answered_yes_only_if_every_detail_is_in_the_sentence() -> None:
    for draft in drafts("is it true"):
        details = draft.instruction.partition("id ")[2].lower().strip("?").split()
        told = re.findall(r"[\w'-]+", draft.input.lower())
        details.pop(1)  # the verb, which is in another form
        assert set(details) <= set(told) or draft.output == "No", draft
        assert not set(details) <= set(told) or draft.output == "Yes", draft


def test_a_statement_and_its_question_are_made_of_the_same_words() -> None:
    for draft in drafts("question"):
        assert sorted(re.findall(r"[\w-]+", draft.input.lower())) == sorted(re.findall(r"[\w-]+", draft.output.lower()))
        assert draft.output.endswith("?")
    for draft in drafts("statement"):
        assert draft.output.endswith(".")
        assert draft.input.split(maxsplit=2)[2].split()[-1].strip("?") in draft.output


def test_the_opposite_has_one_word_more() -> None:
    for draft in drafts("negation"):
        assert draft.output.replace(" not ", " ", 1) == draft.input


def test_only_the_verb_changes_in_the_past_tense() -> None:
    for draft in drafts("past tense"):
        before, after = draft.input.split(), draft.output.split()
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_no_word_belongs_to_two_kinds() -> None:
    words = [word for kind in _KINDS for word in table(f"kind_{kind}")]
    assert len(words) == len(set(words))
