"""Requests, each with a good answer and with plausible bad ones.

A maker draws one request. `wrong` holds answers that are false or belong to another request of the same kind; `against`
holds answers that break the terms (two sentences instead of one, a sad ending instead of a happy one). Both consist of
the same words as good answers. Flaws that any answer can have (rude, broken off, …) are added by `preferences`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from tuppence.synthetic.english import past, with_article
from tuppence.synthetic.people import HE, SHE, Pronouns
from tuppence.synthetic.phrasing import Phraser
from tuppence.synthetic.skills import EASY, HARD
from tuppence.synthetic.skills.draft import names, nouns, phrased
from tuppence.synthetic.skills.sentences import Event, event, place, told
from tuppence.synthetic.tables import table
from tuppence.synthetic.world import SEASONS

FLAWS = {
    "wrong": 34,
    "against": 20,
    "off topic": 14,
    "broken off": 9,
    "rude": 7,
    "echo": 8,
    "rambling": 8,
}
"""Flaw of a rejected answer → its relative frequency."""

_CHECKABLE = (
    *("larger", "add", "subtract", "count items"),
    *("which is one", "odd one out", "place in a list", "end letter"),
)


@dataclass(frozen=True)
class Request:
    prompt: str
    good: str
    wrong: tuple[str, ...]
    against: tuple[str, ...] = ()


Maker = Callable[[Random], Request]


def question(random: Random) -> Request:
    """A question about a sentence; bad answers take a detail from elsewhere, or answer another question."""
    happened = event(random)
    asked = random.choice(("who", "what", "where", "when"))
    answers = _answers(happened)
    ask = {
        "who": f"Who {past(happened.verb)} {happened.what}?",
        "what": f"What did {happened.who} {happened.verb}?",
        "where": f"Where did {happened.who} {happened.verb} {_it(happened)}?",
        "when": f"On which day did {happened.who} {happened.verb} {_it(happened)}?",
    }[asked]
    way = random.randrange(2)
    other_way = 1 if asked == "who" else random.randrange(2)  # the first way always says who
    swapped = _answers(_changed(random, happened, asked))
    return Request(
        f"{told(random, happened)} {ask}",
        answers[asked][way],
        (swapped[asked][way], swapped[asked][1 - way]),
        tuple(answers[each][other_way] for each in answers if each != asked),
    )


def _changed(random: Random, happened: Event, detail: str) -> Event:
    """The event with another detail of the same kind."""
    while getattr(other := event(random), detail) == getattr(happened, detail):
        pass
    if detail == "what":
        return replace(happened, what=other.what, noun=other.noun, count=other.count)
    return replace(happened, **{detail: getattr(other, detail)})


def _it(happened: Event) -> str:
    return "them" if happened.count else "it"


def _answers(happened: Event) -> dict[str, tuple[str, str]]:
    """Question word → the answer as a full sentence, in two versions."""
    who, verbed, it, was = happened.who, past(happened.verb), _it(happened), "They were" if happened.count else "It was"
    return {
        "who": (f"{who} {verbed} {it}.", f"It was {who} who {verbed} {it}."),
        "what": (f"{who} {verbed} {happened.what}.", f"{was} {happened.what}."),
        "where": (f"{who} {verbed} {it} {happened.where}.", f"It happened {happened.where}."),
        "when": (f"{who} {verbed} {it} on {happened.when}.", f"It happened on {happened.when}."),
    }


def exercise(random: Random) -> Request:
    """A task with one right answer, and a wrong answer that could be one."""
    make = (EASY | HARD)[random.choice(_CHECKABLE)][0]
    draft = make(random)
    listed = [word for word in draft.input.split(", ") if word != draft.output] if ", " in draft.input else []
    if draft.output.isdigit():
        step = random.choice((-10, -2, -1, 1, 2, 10))
        candidates = listed if listed and listed[0].isdigit() else [str(abs(int(draft.output) + step))]
    else:
        candidates = listed or [letter for letter in (draft.input or draft.instruction.split()[-1]) if letter.isalpha()]
    wrong = [each for each in candidates if each != draft.output] or ["none of them"]
    framed = _frame(random, "[The answer is|The right answer is|It is|I think it is] {it}.")
    return Request(
        f"{draft.instruction}\n{draft.input}" if draft.input else draft.instruction,
        framed(draft.output),
        tuple(framed(each) for each in wrong),
    )


def reason(random: Random) -> Request:
    """Why somebody did something, in one sentence."""
    who, pronouns = _somebody(random)
    did, why, other_why = _because(random, who, pronouns)
    ways = ["{who} {did}. Why? {Why}. [Say it|Put it] in one sentence.", "{who} {did}: {why}. Put it in one sentence."]
    if why.split()[0] not in ("he", "she", "his", "her"):
        ways += ["{Why}. [So|That is why] {who} {did}. [Say it|Put it] in one sentence, with the reason last."]
        ways += ["{Why}. Tell me in one sentence why {who} {did}."]
    prompt = phrased(random, *ways, who=who, did=did, why=why, Why=_start(why))
    good = f"{who} {did} because {why}."
    return Request(
        prompt,
        good,
        (f"{_start(why)} because {who} {did}.", f"{who} {did} because {other_why}."),
        (f"{who} {did}. {_start(why)}.", f"{who} never {did} because {why}."),
    )


def _because(random: Random, who: str, pronouns: Pronouns) -> tuple[str, str, str]:
    """What somebody did, the reason, and the reason for something else."""
    first, second = random.sample(table("request_why"), 2)
    did, why = _filled(random, first, who, pronouns).split(" because ")
    return did, why, _filled(random, second, who, pronouns).split(" because ")[1]


def advice(random: Random) -> Request:
    """Advice for somebody in trouble; bad answers are unkind or for another trouble."""
    who, pronouns = _somebody(random)
    first, second = random.sample(table("request_trouble"), 2)
    trouble, kind, unkind = _filled(random, first, who, pronouns).split(" :: ")
    _, other_kind, _ = _filled(random, second, who, pronouns).split(" :: ")
    prompt = phrased(
        random,
        "My friend {who} {trouble}. [What can I do?|How can I help?|What would be kind?]",
        "{who} {trouble}. What [can|could|should] I do for {him}?",
        "How can I help {who}, who {trouble}?",
        who=who, trouble=trouble, him=pronouns.him,
    )  # fmt: skip
    do, never = random.choice(
        (
            ("You could", "You should never"),
            ("I would", "I would not"),
            ("It is best to", "It is best not to"),
            ("It would be kind to", "It would not be kind to"),
        )
    )
    return Request(
        prompt,
        f"{do} {kind}.",
        (f"{do} {unkind}.", f"{do} {other_kind}."),
        (f"{do} {unkind}.", f"{never} {kind}."),
    )


def ending(random: Random) -> Request:
    """The end of a story, happy or sad as asked."""
    who, pronouns = _somebody(random)
    first, second = random.sample(table("request_ending"), 2)
    tale, *ends = _filled(random, first, who, pronouns).split(" :: ")
    _, *other_ends = _filled(random, second, who, pronouns).split(" :: ")
    happy = random.random() < 0.6
    mood = "happy" if happy else "sad"
    end, opposite = ends if happy else reversed(ends)
    prompt = phrased(
        random, "[Write|Give me|Think of] a {mood} ending for a story about {who}, who {tale}.",
        "{who} {tale}. How could the story end, if it is to be a {mood} one?", who=who, tale=tale, mood=mood,
    )  # fmt: skip
    told_as = _frame(random, "[In the end|At last|At the very end|After all that], {it}.")
    return Request(
        prompt,
        told_as(end),
        (told_as(other_ends[0 if happy else 1]), f"Once upon a time there was somebody called {who}, who {tale}."),
        (told_as(opposite),),
    )


def politeness(random: Random) -> Request:
    """A polite way to say something; bad answers say something else, the opposite, or are rude."""
    first, second = random.sample(table("request_polite"), 2)
    said, opposite = first.split(" :: ")
    prompt = phrased(random, "[Say|Tell somebody] politely: {said}.", "How can I say politely that {said}?", said=said)
    polite = _frame(
        random,
        "[I am sorry, but|Please do not mind, but|Thank you for your patience, but|Excuse me, but] {it}.",
        "If I may say so, {it}.",
    )
    plain = _frame(random, "Look here, {it}!", "I do not care what you think, but {it}.", "It is your fault that {it}.")
    return Request(
        prompt,
        polite(said),
        (polite(second.split(" :: ")[0]),),
        (plain(said), polite(opposite)),
    )


def sentence_with(random: Random) -> Request:
    """A sentence about a subject, with or without a given word."""
    subject, other_subject = random.sample(table("request_subject"), 2)
    pattern = random.choice(table("request_sentence"))
    taken = f"{subject} {other_subject} {pattern}".split()
    word, other_word = random.sample([noun for noun in nouns() if noun not in taken], 2)
    with_it = random.random() < 0.6
    prompt = phrased(
        random, "Write a sentence about {subject} [with|using] the word {word}."
        if with_it else "Write a sentence about {subject} without the word {word}.", subject=subject, word=word,
    )  # fmt: skip
    right, broken = (word, other_word) if with_it else (other_word, word)
    return Request(
        prompt,
        _sentence(random, pattern, subject, right),
        (_sentence(random, pattern, other_subject, right),),
        (_sentence(random, pattern, subject, broken),),
    )


def _sentence(random: Random, pattern: str, subject: str, word: str) -> str:
    phraser = Phraser(random, {}, {"a": lambda _, noun: with_article(noun)})
    phraser.let(subject=subject, word=word)
    return _start(phraser.tell(pattern))


def beginning(random: Random) -> Request:
    """The first sentence of a story with a given person, place and season."""
    here = place(random)
    while (there := place(random)) == here:
        pass
    season, other = random.sample(SEASONS, 2)
    sign, wrong_sign = random.choice(table(f"season_{season}")), random.choice(table(f"season_{other}"))
    who, other_who = random.sample(names(), 2)
    prompt = phrased(
        random,
        "[Begin a story|Write the first sentence of a story] about {who} {here} in {season}.",
        "How could a story about {who} begin, {here}, in {season}?",
        who=who,
        here=here,
        season=season,
    )
    did = random.choice(("stood", "sat", "waited"))
    opening = random.choice(("One day in {season}, when {sign}, {who}", "It was {season}, {sign}, and {who}"))

    def begun(season: str, sign: str, who: str, here: str) -> str:
        return f"{opening.format(season=season, sign=sign, who=who)} {did} {here}."

    return Request(
        prompt,
        begun(season, sign, who, here),
        (begun(season, sign, other_who, here), begun(season, sign, who, there)),
        (begun(season, wrong_sign, who, here), begun(other, wrong_sign, who, here)),
    )


def _frame(random: Random, *templates: str) -> Callable[[str], str]:
    """A function that puts any answer in one of the templates, in place of `{it}`; the template is drawn once."""
    before, _, after = phrased(random, *templates, it="@").partition("@")
    return lambda answer: before + answer + after


def _somebody(random: Random) -> tuple[str, Pronouns]:
    pronouns = random.choice((SHE, HE))
    return random.choice(table("name_girl" if pronouns is SHE else "name_boy")), pronouns


def _filled(random: Random, entry: str, who: str, pronouns: Pronouns) -> str:
    return phrased(random, entry, who=who, he=pronouns.he, him=pronouns.him, his=pronouns.his)


def _start(clause: str) -> str:
    return clause[0].upper() + clause[1:]


REQUESTS: tuple[tuple[Maker, int], ...] = (
    (question, 20),
    (exercise, 16),
    (reason, 14),
    (advice, 12),
    (ending, 10),
    (politeness, 6),
    (sentence_with, 10),
    (beginning, 12),
)
"""Every kind of request with its relative frequency."""
