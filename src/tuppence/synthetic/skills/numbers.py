"""Tasks with numbers: comparing, sorting, continuing a sequence, and arithmetic of one and two digits."""

from __future__ import annotations

from random import Random

from tuppence.synthetic.english import plural
from tuppence.synthetic.skills.draft import Draft, names, phrased, thing


def larger(random: Random) -> Draft:
    """The largest or the smallest of two or three numbers."""
    numbers = random.sample(range(1, random.choice((100, 1_000))), random.choice((2, 2, 3)))
    largest = random.random() < 0.5
    answer = str(max(numbers) if largest else min(numbers))
    if len(numbers) == 3:
        degree = "largest" if largest else "smallest"
        given = "{}, {} or {}".format(*numbers)
    else:
        degree = "larger" if largest else "smaller"
        given = "{} or {}".format(*numbers)
    if random.random() < 0.5:
        ask = phrased(random, "Which [number |]is {degree}[: {given}?|, {given}?]", degree=degree, given=given)
        return Draft(ask, "", answer)
    ask = phrased(
        random, "[Write|Give|Find] the {degree} number.", "Which of these numbers is the {degree}?", degree=degree
    )
    return Draft(ask, ", ".join(map(str, numbers)), answer)


def compare(random: Random) -> Draft:
    """Whether one number is larger or smaller than another."""
    first, second = random.sample(range(1, random.choice((100, 1_000))), 2)
    ask_larger = random.random() < 0.5
    ask = phrased(
        random,
        "Is {first} {degree} than {second}?",
        "Is the number {first} {degree} than the number {second}?",
        "Yes or no: is {first} {degree} than {second}?",
        first=str(first),
        second=str(second),
        degree="larger" if ask_larger else "smaller",
    )
    return Draft(ask, "", "Yes" if (first > second) == ask_larger else "No")


def even_or_odd(random: Random) -> Draft:
    number = random.randint(1, 999)
    ask = phrased(
        random, "Is {number} even or odd?", "Is the number {number} [even or odd|odd or even]?", number=str(number)
    )
    return Draft(ask, "", "odd" if number % 2 else "even")


def sort_numbers(random: Random) -> Draft:
    numbers = random.sample(range(1, 100), random.randint(3, 5))
    rising = random.random() < 0.6
    order = "smallest to the largest" if rising else "largest to the smallest"
    ask = phrased(
        random, "[Sort|Order|Arrange] [the|these] numbers from the {order}.", "Write the numbers from the {order}.",
        order=order,
    )  # fmt: skip
    return Draft(ask, ", ".join(map(str, numbers)), ", ".join(map(str, sorted(numbers, reverse=not rising))))


def sequence(random: Random) -> Draft:
    """The next number of a sequence with equal steps, up or down."""
    step, length = random.randint(1, 12), random.randint(3, 5)
    start = random.randint(1, 40)
    run = [start + step * place for place in range(length + 1)]
    if random.random() < 0.3:
        run.reverse()
    ask = phrased(
        random,
        "What comes next?",
        "[Write|Give|Find] the next number[ in the sequence| in the row|].",
        "Which number comes next?",
    )
    return Draft(ask, ", ".join(map(str, run[:-1])), str(run[-1]))


def add(random: Random) -> Draft:
    most = random.choice((9, 99))
    first, second = random.randint(1, most), random.randint(1, most)
    return Draft(_asked(random, first, second, "+", "plus", "Add {second} to {first}."), "", str(first + second))


def subtract(random: Random) -> Draft:
    most = random.choice((20, 99))
    second, first = sorted(random.sample(range(1, most + 1), 2))
    return Draft(_asked(random, first, second, "-", "minus", "Take {second} from {first}."), "", str(first - second))


def multiply(random: Random) -> Draft:
    first, second = random.randint(2, 20), random.randint(2, 12)
    return Draft(_asked(random, first, second, "x", "times", "Multiply {first} by {second}."), "", str(first * second))


def _asked(random: Random, first: int, second: int, sign: str, word: str, order: str) -> str:
    return phrased(
        random,
        "What is {first} {sign} {second}?",
        "[Work out|Calculate] {first} {sign} {second}.",
        "How much is {first} {word} {second}?",
        "What is {first} {word} {second}?",
        order,
        first=str(first),
        second=str(second),
        sign=sign,
        word=word,
    )


def word_problem(random: Random) -> Draft:
    """How many are left, or are there now, after some are lost or gained."""
    who, what = random.choice(names()), plural(thing(random))
    have, change = random.randint(4, 30), random.randint(2, 12)
    gains = random.random() < 0.5 or change > have - 2
    way = phrased(random, "[finds|gets|buys]" if gains else "[loses|sells|gives away]")
    more = " more" if gains else ""
    return Draft(
        f"How many {what} does {who} have now?",
        f"{who} has {have} {what}. Then {who} {way} {change}{more}.",
        str(have + change if gains else have - change),
    )
