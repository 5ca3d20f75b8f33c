"""Tasks with words: letters, spelling, lists, plurals, and what kind of thing a word names."""

from __future__ import annotations

from random import Random

from tuppence.synthetic.english import plural, with_article
from tuppence.synthetic.skills.draft import Draft, names, nouns, phrased, several, single_words, thing
from tuppence.synthetic.tables import table

_KINDS = {
    "animal": "animal",
    "fruit": "fruit",
    "vegetable": "vegetable",
    "tool": "tool",
    "instrument": "musical instrument",
    "vehicle": "vehicle",
    "trade": "trade",
    "garment": "piece of clothing",
    "colour": "colour",
    "day": "day of the week",
    "tree": "tree",
}
_NAMED_WITHOUT_ARTICLE = ("colour", "day")


def upper_case(random: Random) -> Draft:
    text = random.choice((random.choice(names()), " ".join(several(random, nouns(), 1, 3)), thing(random)))
    ask = phrased(
        random, "[Write|Put|Say] this in capital letters.", "[Write|Repeat] [this|the text] in capitals.",
        "Turn [every letter|all letters] into capitals.",
    )  # fmt: skip
    return Draft(ask, text, text.upper())


def end_letter(random: Random) -> Draft:
    """The first or the last letter of a word."""
    word = random.choice((random.choice(single_words()), random.choice(names())))
    first = random.random() < 0.6
    end = "first" if first else "last"
    answer = word[0] if first else word[-1]
    if random.random() < 0.5:
        ask = phrased(
            random,
            "What is the {end} letter of [the word |]{word}?",
            "Which letter [comes|stands|is] {end} in {word}?",
            end=end,
            word=word,
        )
        return Draft(ask, "", answer)
    return Draft(phrased(random, "[Give|Write|Find] the {end} letter of the word.", end=end), word, answer)


def place_in_list(random: Random) -> Draft:
    """The first, second, third or last entry of a list."""
    words = several(random, nouns(), 3, 5)
    place, answer = random.choice([("first", 0), ("last", -1), ("second", 1), ("third", 2)])
    ask = phrased(
        random,
        "[Write|Give|Find] the {place} word of the list.",
        "Which word [comes|is|stands] {place}[ in the list|]?",
        place=place,
    )
    return Draft(ask, ", ".join(words), words[answer])


def plural_of(random: Random) -> Draft:
    one = random.choice((random.choice(nouns()), thing(random), thing(random)))
    if random.random() < 0.4:
        number = random.choice(table("count_word"))
        ask = phrased(random, "[Finish|Complete] the line[, with nothing but the missing words|].")
        return Draft(ask, f"one {one}, {number} ...", plural(one))
    ask = phrased(random, "[Write|Give|Say] the plural[.| of this.]", "What is the plural of this?")
    return Draft(ask, one, plural(one))


def swap(random: Random) -> Draft:
    """Two words or names in the other order."""
    first, second = random.sample(random.choice((nouns(), names())), 2)
    joint = random.choice((" ", " and ", ", "))
    ask = phrased(random, "[Swap|Exchange] the two words.", "[Write|Put] the two words the other way round.")
    return Draft(ask, f"{first}{joint}{second}", f"{second}{joint}{first}")


def kind_of(random: Random) -> Draft:
    """Which of two kinds a word belongs to."""
    kind, other = random.sample(list(_KINDS), 2)
    word = random.choice(table(f"kind_{kind}"))
    ways = [with_article(_KINDS[kind]), with_article(_KINDS[other])]
    random.shuffle(ways)
    named = word if kind in _NAMED_WITHOUT_ARTICLE else with_article(word)
    ask = phrased(
        random, "Is {named} {one} or {two}?", "What is {named}[: {one} or {two}?|, {one} or {two}?]",
        named=named, one=ways[0], two=ways[1],
    )  # fmt: skip
    return Draft(ask, "", with_article(_KINDS[kind]))


def which_is(random: Random) -> Draft:
    """The one word of a list that belongs to a kind."""
    kind, *others = random.sample(list(_KINDS), random.choice((3, 3, 4)))
    answer = random.choice(table(f"kind_{kind}"))
    words = [answer, *(random.choice(table(f"kind_{other}")) for other in others)]
    random.shuffle(words)
    named = with_article(_KINDS[kind])
    ask = phrased(
        random, "Which of these is {named}?", "Which word [names|means] {named}?", "Find the word for {named}.",
        named=named,
    )  # fmt: skip
    return Draft(ask, ", ".join(words), answer)


def odd_one_out(random: Random) -> Draft:
    """The one word of a list that belongs to another kind than the rest."""
    kind, other = random.sample(list(_KINDS), 2)
    answer = random.choice(table(f"kind_{other}"))
    words = [answer, *random.sample(table(f"kind_{kind}"), 3)]
    random.shuffle(words)
    ask = phrased(
        random, "Which word [does not belong|does not fit|is the odd one out]?",
        "Three of these are of one kind. Which one is not?", "Find the [odd one out|word that does not fit].",
    )  # fmt: skip
    return Draft(ask, ", ".join(words), answer)


def spell(random: Random) -> Draft:
    word = random.choice((random.choice(single_words()), random.choice(names())))
    if random.random() < 0.5:
        return Draft(
            phrased(random, "Spell the word[ with hyphens|, with hyphens between the letters]."), word, "-".join(word)
        )
    return Draft(
        phrased(random, "Spell the word[ with spaces|, with spaces between the letters]."), word, " ".join(word)
    )


def reverse(random: Random) -> Draft:
    word = random.choice((random.choice(single_words()), random.choice(names())))
    ask = phrased(random, "[Write|Spell] the word backwards.", "Reverse the [letters of the word|word].")
    return Draft(ask, word, word[::-1])


def count_letters(random: Random) -> Draft:
    word = random.choice((random.choice(single_words()), random.choice(names())))
    if random.random() < 0.5:
        letter = random.choice(word.lower())
        ask = phrased(random, "How many times does the letter {letter} [stand|come] in the word {word}?",
                      letter=letter, word=word)  # fmt: skip
        return Draft(ask, "", str(word.lower().count(letter)))
    ask = phrased(
        random, "How many letters [does the word {word} have|are there in the word {word}|has {word}]?", word=word
    )
    return Draft(ask, "", str(len(word)))


def has_letter(random: Random) -> Draft:
    word = random.choice(single_words())
    letter = random.choice(word if random.random() < 0.5 else "abcdefghiklmnoprstuw")
    ask = phrased(
        random,
        "Does the word {word} [have|contain] the letter {letter}?",
        "Does the letter {letter} [come|stand] in the word {word}?",
        word=word,
        letter=letter,
    )
    return Draft(ask, "", "Yes" if letter in word else "No")


def count_items(random: Random) -> Draft:
    words = several(random, nouns(), 2, 9)
    ask = phrased(
        random, "How many [words|things] are [in the list|listed here]?", "Count the [words|things] in the list.",
        "How long is the list?",
    )  # fmt: skip
    return Draft(ask, ", ".join(words), str(len(words)))


def sort_alphabetically(random: Random) -> Draft:
    words = several(random, random.choice((nouns(), names())), 3, 5)
    ask = phrased(
        random, "[Sort|Put|Arrange] the words [alphabetically|in alphabetical order|from A to Z].",
        "Write the words in the order of the alphabet.",
    )  # fmt: skip
    return Draft(ask, ", ".join(words), ", ".join(sorted(words)))


def sort_by_length(random: Random) -> Draft:
    by_length = {len(word): word for word in random.sample(nouns(), 12)}
    words = random.sample(list(by_length.values()), min(len(by_length), random.randint(2, 4)))
    shortest_first = random.random() < 0.6
    order = "shortest to the longest" if shortest_first else "longest to the shortest"
    ask = phrased(
        random, "[Sort|Put|Arrange] the words from the {order}.", "Write the words from the {order}.", order=order
    )
    return Draft(ask, ", ".join(words), ", ".join(sorted(words, key=len, reverse=not shortest_first)))
