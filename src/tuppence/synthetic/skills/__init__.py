"""The kinds of tasks of `instructions`: a maker for each, and its relative frequency.

A maker draws one task and computes the answer. Answers have one fixed style, so that exact match is a fair measure:
words, numbers and phrases without a sentence around them, lists joined by ", ", sentences with a capital and a full
stop, and "Yes" and "No".
"""

from __future__ import annotations

from tuppence.synthetic.skills import numbers, sentences, words
from tuppence.synthetic.skills.draft import Draft, Maker

# The easy kinds can be learned by copying. The hard ones need counting and carrying: no model of the quickstart's size
# answers all of them.
EASY: dict[str, tuple[Maker, int]] = {
    "extract": (sentences.extract, 12),
    "is it true": (sentences.is_it_true, 5),
    "replace a word": (sentences.replace_word, 4),
    "statement": (sentences.statement, 5),
    "question": (sentences.question, 4),
    "negation": (sentences.negation, 3),
    "end of a sentence": (sentences.end_word, 4),
    "past tense": (sentences.past_tense, 4),
    "larger": (numbers.larger, 5),
    "compare": (numbers.compare, 4),
    "upper case": (words.upper_case, 4),
    "end letter": (words.end_letter, 4),
    "place in a list": (words.place_in_list, 4),
    "plural": (words.plural_of, 4),
    "swap": (words.swap, 3),
    "kind of thing": (words.kind_of, 3),
    "which is one": (words.which_is, 5),
    "odd one out": (words.odd_one_out, 3),
}
HARD: dict[str, tuple[Maker, int]] = {
    "spell": (words.spell, 3),
    "reverse": (words.reverse, 2),
    "count letters": (words.count_letters, 2),
    "has the letter": (words.has_letter, 2),
    "count items": (words.count_items, 2),
    "count words": (sentences.count_words, 2),
    "sort words": (words.sort_alphabetically, 2),
    "sort by length": (words.sort_by_length, 2),
    "sort numbers": (numbers.sort_numbers, 2),
    "add": (numbers.add, 2),
    "subtract": (numbers.subtract, 2),
    "multiply": (numbers.multiply, 1),
    "sequence": (numbers.sequence, 2),
    "even or odd": (numbers.even_or_odd, 2),
    "word problem": (numbers.word_problem, 2),
}

__all__ = ["EASY", "HARD", "Draft", "Maker"]
