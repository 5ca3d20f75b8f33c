"""Tasks with sentences: who, what, where and when; true or false; and rewriting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tuppence.synthetic.english import past, plural, with_article
from tuppence.synthetic.skills.draft import Draft, names, nouns, phrased, thing
from tuppence.synthetic.tables import table
from tuppence.synthetic.world import HUMAN_SETTINGS

_VERBS = ("find", "lose", "hide", "see", "drop", "sell", "buy", "mend", "paint", "wash", "draw", "borrow", "leave")
_QUESTIONS = {
    "who": ("Who {verbed} {what}?", "Who {verbed} something {where}?", "[Give|Find|Write] the name."),
    "what": ("What did {who} {verb}?", "What did {who} {verb} {where}?", "What did {who} {verb} on {when}?"),
    "where": ("Where did {who} {verb} {it}?", "Where did {who} {verb} {what}?", "[Give|Find] the place."),
    "when": ("On which day did {who} {verb} {it}?", "Which day [was it|is it about]?", "[Give|Find|Write] the day."),
    "how many": ("How many {noun} did {who} {verb}?", "[Give|Find|Write] the number."),
}


@dataclass(frozen=True)
class Event:
    """Something that happened, in its details."""

    who: str
    verb: str  # base form
    what: str  # with its article or number
    where: str  # with its preposition
    when: str  # a day of the week
    count: str  # "" or the number word that begins `what`
    noun: str  # `what` without article or number

    @property
    def bare(self) -> str:
        """With the verb in its base form, as after "did"."""
        return f"{self.who} {self.verb} {self.what} {self.where} on {self.when}"

    @property
    def sentence(self) -> str:
        return f"{self.who} {past(self.verb)} {self.what} {self.where} on {self.when}."

    @property
    def day_first(self) -> str:
        return f"On {self.when}, {self.who} {past(self.verb)} {self.what} {self.where}."


def place(random: Random) -> str:
    """A place of the stories with its preposition, as in "on the quay"."""
    _, preposition, phrase = random.choice(table(f"place_{random.choice(HUMAN_SETTINGS)}")).split("|")
    return f"{preposition} {phrase}"


def event(random: Random) -> Event:
    count = random.choice(table("count_word")) if random.random() < 0.3 else ""
    noun = thing(random)
    what = f"{count} {plural(noun)}" if count else with_article(noun)
    return Event(
        random.choice(names()),
        random.choice(_VERBS),
        what,
        place(random),
        random.choice(table("kind_day")),
        count,
        plural(noun) if count else noun,
    )


def told(random: Random, happened: Event) -> str:
    return happened.day_first if random.random() < 0.4 else happened.sentence


def extract(random: Random) -> Draft:
    """A name, a thing, a place, a day or a number that a sentence contains."""
    found = event(random)
    answers = {"who": found.who, "what": found.what, "where": found.where, "when": found.when}
    if found.count:
        answers["how many"] = found.count
    asked = random.choice(list(answers))
    ask = phrased(
        random,
        *_QUESTIONS[asked],
        who=found.who,
        verb=found.verb,
        verbed=past(found.verb),
        what=found.what,
        it="them" if found.count else "it",
        where=found.where,
        when=found.when,
        noun=found.noun,
    )
    return Draft(ask, told(random, found), answers[asked])


def is_it_true(random: Random) -> Draft:
    """Whether something happened as asked; in half of the cases one detail differs."""
    happened = event(random)
    asked = happened
    if random.random() < 0.5:
        detail = random.choice(("who", "what", "where", "when"))
        while asked == happened:
            asked = replace(happened, **{detail: getattr(event(random), detail)})
    ask = phrased(random, "[Did|Yes or no: did] {rest}?", rest=asked.bare)
    return Draft(ask, told(random, happened), "Yes" if asked == happened else "No")


def replace_word(random: Random) -> Draft:
    """The sentence with one word replaced by another."""
    happened = event(random)
    old, new = random.choice(
        (
            (happened.who, next(name for name in random.sample(names(), 2) if name != happened.who)),
            (happened.when, next(day for day in random.sample(table("kind_day"), 2) if day != happened.when)),
        )
    )
    sentence = told(random, happened)
    ask = phrased(
        random, "Replace {old} with {new}.", "[Write|Put] {new} [instead of|in place of] {old}.", old=old, new=new
    )
    return Draft(ask, sentence, sentence.replace(old, new))


def statement(random: Random) -> Draft:
    """A question, to be turned into a statement."""
    ask = phrased(
        random, "[Turn|Change|Make] the question into a statement.", "[Write|Say] the question as a statement."
    )
    if random.random() < 0.5:
        subject, where = f"the {random.choice((thing(random), random.choice(nouns())))}", place(random)
        return Draft(ask, f"Is {subject} {where}?", f"{subject.capitalize()} is {where}.")
    happened = event(random)
    return Draft(
        ask,
        f"Did {happened.who} {happened.verb} {happened.what} {happened.where}?",
        f"{happened.who} {past(happened.verb)} {happened.what} {happened.where}.",
    )


def question(random: Random) -> Draft:
    """A statement, to be turned into a question."""
    subject, where = f"the {random.choice((thing(random), random.choice(nouns())))}", place(random)
    verb = random.choice(("is", "was"))
    ask = phrased(
        random, "[Turn|Change|Make] the statement into a question.", "[Write|Say] the statement as a question."
    )
    return Draft(ask, f"{subject.capitalize()} {verb} {where}.", f"{verb.capitalize()} {subject} {where}?")


def negation(random: Random) -> Draft:
    """The opposite of a statement, with "not"."""
    subject = random.choice((f"the {random.choice(nouns())}", random.choice(names())))
    where, verb = place(random), random.choice(("is", "was"))
    start = subject[0].upper() + subject[1:]
    ask = phrased(
        random, '[Say|Write] the opposite[, with "not"|, using the word "not"].', 'Put "not" into the sentence.'
    )
    return Draft(ask, f"{start} {verb} {where}.", f"{start} {verb} not {where}.")


def end_word(random: Random) -> Draft:
    """The first or the last word of a sentence, without its mark."""
    sentence = told(random, event(random))
    end, place_ = random.choice((("first", 0), ("last", -1)))
    ask = phrased(
        random,
        "[Write|Give|Find] the {end} word[ of the sentence|].",
        "What is the {end} word of the sentence?",
        end=end,
    )
    return Draft(ask, sentence, sentence.split()[place_].strip(".,"))


def past_tense(random: Random) -> Draft:
    """A phrase in the present, to be put in the past."""
    while past(doing := random.choice(table("doing_people"))) == doing:
        pass
    who = random.choice(("They", "We", "I", "The children", "{} and {}".format(*random.sample(names(), 2))))
    where = place(random)
    ask = phrased(
        random,
        "[Write|Put|Say] the sentence in the past tense.",
        "[Write|Tell] it as something that happened long ago.",
    )
    return Draft(ask, f"{who} {doing} {where}.", f"{who} {past(doing)} {where}.")


def count_words(random: Random) -> Draft:
    happened = event(random)
    sentence = random.choice(
        (told(random, happened), f"{happened.who} {past(happened.verb)} {happened.what}.", f"It is {happened.where}.")
    )
    ask = phrased(random, "How many words [are in|has] the sentence?", "Count the words of the sentence.")
    return Draft(ask, sentence, str(len(sentence.split())))
