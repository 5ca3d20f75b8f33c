"""Text messages, ham and spam: an embedded set for a spam filter, modelled on the SMS Spam Collection.

Message `index` of a seed is a pure function of the two. The texts are in `tables/messages.txt`; this module has the
frequency of each kind, the values of slots, and the typing of people and firms. Every label follows from the message:

- ham speaks of money, prizes and codes as well, and spam may be polite;
- a firm's own link is on its own domain (`northbank.example/cards`), a false one only contains its name
  (`cards.example/northbank`), in the same words;
- twins say opposite things in nearly the same words ("we never ask for your PIN", "we only ask for your PIN"), and
  some in exactly the same words ("do not pay him, ring me", "do not ring me, pay him").

All names, numbers and links are fictional: numbers from the ranges that Ofcom reserves for fiction, links on the top
level domain that RFC 2606 reserves for examples. The frequencies of tricks are not those of the real world.
Called by `tuppence data synth sms` and by the quickstart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from tuppence.core.errors import InputError
from tuppence.synthetic.english import capitalise, gerund
from tuppence.synthetic.phrasing import Maker, Phraser
from tuppence.synthetic.tables import table

HAM: Final = "ham"
SPAM: Final = "spam"
SPAM_SHARE: Final = 0.134
"""The share of spam among the 5,574 messages of the SMS Spam Collection (Almeida, Gómez Hidalgo, Yamakami 2011)."""

# Relative frequency of each table. `_REVERSED` means the tables `sms_context_…`.
_REVERSED = "reversed"
_THEMES = ("notice_bank", "notice_parcel", "notice_account", "chat_phone", "chat_work", "chat_coins")
_HAM_TABLES = {
    "sms_ham_chat_plans": 10,
    "sms_ham_chat_family": 8,
    "sms_ham_chat_work": 7,
    "sms_ham_chat_questions": 7,
    "sms_ham_chat_banter": 8,
    "sms_ham_chat_offers": 8,
    "sms_ham_chat_replies": 9,
    "sms_ham_notice_delivery": 5,
    "sms_ham_notice_bank": 5,
    "sms_ham_notice_reminders": 8,
    "sms_twin_notice_parcel_ham": 2,
    "sms_twin_notice_code_ham": 2,
    "sms_twin_chat_phone_ham": 2,
    "sms_twin_chat_stranger_ham": 2,
    "sms_twin_chat_errand_ham": 2,
    "sms_twin_notice_account_ham": 2,
    _REVERSED: 8,
}
_SPAM_TABLES = {
    "sms_spam_notice_prizes": 20,
    "sms_spam_notice_phishing": 12,
    "sms_spam_notice_delivery": 8,
    "sms_spam_notice_subscriptions": 12,
    "sms_spam_notice_loans": 10,
    "sms_spam_chat_jobs": 9,
    "sms_spam_chat_relatives": 8,
    "sms_spam_chat_long_con": 8,
    "sms_twin_notice_parcel_spam": 2,
    "sms_twin_notice_code_spam": 2,
    "sms_twin_chat_phone_spam": 2,
    "sms_twin_chat_stranger_spam": 2,
    "sms_twin_chat_errand_spam": 2,
    "sms_twin_notice_account_spam": 2,
    _REVERSED: 16,
}


@dataclass(frozen=True)
class LabelledSms:
    text: str  # one line, without tabs
    label: str  # "ham" or "spam"


def iter_sms(count: int, seed: int, spam_share: float = SPAM_SHARE) -> Iterator[LabelledSms]:
    """Yields the first `count` messages of a seed.

    Args:
        count: the number of messages.
        seed: of the random choices.
        spam_share: the expected share of spam, from 0 to 1.

    Raises:
        InputError: count or seed is negative, or the share is not between 0 and 1.

    Example:
        >>> [message.label for message in iter_sms(2, seed=0, spam_share=1.0)]
        ['spam', 'spam']
    """
    if count < 0 or seed < 0:
        raise InputError(f"cannot make {count} messages of seed {seed}", "give a count and a seed of 0 or more")
    if not 0 <= spam_share <= 1:
        raise InputError(f"{spam_share} is not a share of messages", "give a spam share from 0 to 1")
    return (_sms(seed, index, spam_share) for index in range(count))


def _sms(seed: int, index: int, spam_share: float) -> LabelledSms:
    random = Random(f"sms/{seed}/{index}")
    label = SPAM if random.random() < spam_share else HAM
    tables = _SPAM_TABLES if label == SPAM else _HAM_TABLES
    name = random.choices(list(tables), list(tables.values()))[0]
    phraser = Phraser(random, _MAKERS, {"site": _site, "lure": _lure, "ing": lambda _, verb: gerund(verb)})
    if name == _REVERSED:
        name = random.choice(_THEMES)
        text = _warning(phraser, name, label)
    else:
        text = phraser.tell(f"<{name}>")
    text = _LINK.sub(lambda link: link.group().lower(), capitalise(text))
    if "chat_" in name:
        return LabelledSms(_typed_by_a_person(random, text), label)
    if name.startswith("sms_spam") and random.random() < 0.2:
        text = _disguised(random, text)
    return LabelledSms(_mistyped(random, text) if random.random() < 0.1 else text, label)


def _warning(phraser: Phraser, theme: str, label: str) -> str:
    """A message that asks for one thing and warns of another; it is spam where it asks for the risky one."""
    context = phraser.tell(f"<sms_context_{theme}>")
    safe, risky = phraser.tell(f"<sms_safe_{theme}>"), phraser.tell(f"<sms_risky_{theme}>")
    phraser.let(do=safe if label == HAM else risky, dont=risky if label == HAM else safe)
    order = "<sms_order_chat>" if theme.startswith("chat") else "<sms_order_notice>"
    return f"{context} {phraser.tell(order)}"


# The values of slots ---------------------------------------------------------------------------------------------

_PAGES = ("account", "cards", "fees", "help", "login", "my", "orders", "parcels", "pay", "refund", "secure", "track")


def _site(random: Random, firm: str) -> str:
    """A page on the firm's own domain."""
    page, name = random.choice(_PAGES), _joined(firm)
    return random.choice((f"{name}.example/{page}", f"{page}.{name}.example"))


def _lure(random: Random, firm: str) -> str:
    """A page on another domain, in the same words."""
    page, name = random.choice(_PAGES), _joined(firm)
    return random.choice((f"{page}.example/{name}", f"{name}.{page}.example"))


def _joined(firm: str) -> str:
    return firm.lower().replace(" ", "")


def _one_of(*options: str) -> Maker:
    return lambda random: random.choice(options)


def _from(*names: str) -> Maker:
    return lambda random: random.choice(table(random.choice(names)))


def _window(random: Random) -> str:
    start = random.randint(8, 17)
    return f"{start % 12 or 12} and {(start + random.randint(1, 3)) % 12 or 12}"


def _pounds(pounds: int) -> str:
    return f"£{pounds:,}"


_MAKERS: dict[str, Maker] = {
    "name": _from("name_girl", "name_boy"),
    "friend": _from("name_girl", "name_boy"),
    "day": _one_of("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "when": _one_of("today", "tonight", "tomorrow", "on Friday", "on Saturday", "this weekend", "on Monday"),
    "past": _one_of("today", "yesterday", "this morning", "on Sunday", "on Tuesday", "last night"),
    "hour": _one_of("5", "6", "7", "8", "half 6", "half 7", "6.15", "7.45", "4.30", "8pm", "noon", "11"),
    "window": _window,
    "minutes": lambda random: str(random.choice((5, 10, 15, 20, 25, 30, 40, 45))),
    "number": lambda random: str(random.randint(2, 12)),
    "digits": lambda random: f"{random.randint(0, 9999):04d}",
    "percent": lambda random: str(random.choice((20, 25, 30, 40, 50, 60, 75, 80, 85, 90))),
    "sum": lambda random: _pounds(random.choice((random.randint(4, 95), random.randint(10, 99) * 10))),
    "thousands": lambda random: _pounds(random.randint(10, 99) * 100),
    "fee": lambda random: f"£{random.randint(1, 4)}.{random.randint(10, 99)}",
    "code": lambda random: str(random.randint(100_000, 999_999)),
    "short": lambda random: str(random.randint(80_000, 89_999)),
    "mobile": lambda random: f"07700 900{random.randint(0, 999):03d}",
    "line": lambda random: f"01632 960{random.randint(0, 999):03d}",
    "premium": lambda random: f"0909 8790{random.randint(0, 999):03d}",
    "word": _one_of("WIN", "CASH", "YES", "GO", "PLAY", "STAR", "CLAIM", "MORE", "LUCKY", "NOW"),
    "small": _one_of(
        "18+. Terms apply.",
        "Std rates.",
        "T&Cs on request.",
        "Text STOP to end.",
        "Costs £1.50 a text.",
        "150p a minute.",
        "Ends Friday.",
    ),
    "bank": _one_of("Northbank", "Oakbank", "Tidebank", "Larkbank", "Hillside Bank", "Penny Bank"),
    "courier": _one_of("Parcelway", "Swiftvan", "Postlane", "Boxhop", "Doorstep", "Snail Express"),
    "shop": _one_of("Brightmart", "Cornerly", "Homeleaf", "Shoebarn", "Kettle House", "Toybox", "Gardenia"),
    "network": _one_of("Talkwell", "Bluemast", "Fernmobile", "Hello Mobile"),
    "service": _one_of("Filmbox", "Tunehive", "Readwell", "Gymloft", "Mapster"),
    "gov": _one_of("taxoffice"),
    "council": _one_of("council"),
    "clinic": _one_of("clinic"),
    "court": _one_of("court"),
    "desk": _one_of("helpdesk"),
    "coin": _one_of("coinrise", "moonfund", "goldclub"),
    "street": _one_of("Mill Lane", "Station Road", "High Street", "Elm Street", "Quay Road", "Church Row", "Park Hill"),
    "town": _one_of("York", "Leeds", "Bristol", "Lisbon", "Oslo", "Cardiff", "Dublin", "Vienna", "Hull", "Bath"),
}


# Typing ----------------------------------------------------------------------------------------------------

_SHORT_FORMS = {
    "you": "u", "are": "r", "to": "2", "for": "4", "please": "pls", "thanks": "thx", "tomorrow": "2moro",
    "tonight": "2nite", "because": "cos", "great": "gr8", "your": "ur", "later": "l8r", "text": "txt", "and": "n",
    "with": "wiv", "see": "c", "be": "b", "people": "ppl", "minutes": "mins", "about": "abt", "something": "smth",
}  # fmt: skip
_LINK = re.compile(r"[\w.]+\.example")
_WORD = re.compile(r"(?<![\w./'])[a-z]+(?![\w/']|\.\w)")
_LOOKALIKES = {"a": "@", "e": "3", "i": "1", "o": "0", "l": "1", "s": "5"}
_TELLTALES = re.compile(
    r"(?<![\w./])(?:free|prize|claim|won|win|account|bank|loan|card|cash|fee|pay|reward|verify)(?![\w/]|\.\w)", re.I
)


def _typed_by_a_person(random: Random, text: str) -> str:
    """Rewrites a text as a person types it in a hurry: lower case, short forms, missing apostrophes, typing errors."""
    if random.random() < 0.45:
        text = text.lower()
    if random.random() < 0.3:
        text = _WORD.sub(lambda match: _shortened(random, match.group()), text)
    if random.random() < 0.3:
        text = text.replace("'", "")
    if random.random() < 0.2:
        text = re.sub(r"[!?]", lambda match: match.group() * random.randint(1, 3), text)
    if random.random() < 0.15:
        text = _mistyped(random, text)
    if random.random() < 0.15:
        text += random.choice((" x", " xx", " :)", " lol", "...", "!", " :-)"))
    return text


def _shortened(random: Random, word: str) -> str:
    return _SHORT_FORMS.get(word, word) if random.random() < 0.7 else word


def _mistyped(random: Random, text: str) -> str:
    """Adds one typing error: a letter lost, doubled or swapped with the next."""
    words = [match for match in _WORD.finditer(text) if len(match.group()) > 4]
    if not words:
        return text
    match = random.choice(words)
    place = random.randrange(match.start() + 1, match.end() - 1)
    pair = text[place : place + 2]
    return text[:place] + random.choice((pair[1], pair[0] + pair, pair[::-1])) + text[place + 2 :]


def _disguised(random: Random, text: str) -> str:
    """Disguises the words that filters look for: fr33, w.i.n, C L A I M."""

    def disguise(match: re.Match[str]) -> str:
        word = match.group()
        way = random.random()
        if way < 0.6:
            return "".join(_LOOKALIKES.get(letter.lower(), letter) for letter in word)
        return ".".join(word) if way < 0.8 else " ".join(word.upper())

    return _TELLTALES.sub(disguise, text)
