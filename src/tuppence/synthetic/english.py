"""The part of English grammar that the data sets need: articles, possessives, plurals, verb forms, capitals.

Pure functions on strings. The words of the data sets are in `tables/`.
"""

from __future__ import annotations

import re

_AN_DESPITE_SPELLING = ("hour", "honest", "honour", "heir")
_A_DESPITE_SPELLING = ("one", "once", "use", "uni", "eu", "ewe", "ukulele", "usual", "useful")

_IRREGULAR_PAST = {
    "be": "was", "bake": "baked", "beat": "beat", "blow": "blew", "bring": "brought", "build": "built",
    "buy": "bought", "catch": "caught", "climb": "climbed", "creep": "crept", "dig": "dug", "draw": "drew",
    "drink": "drank", "drive": "drove", "eat": "ate", "feed": "fed", "feel": "felt", "find": "found", "fly": "flew",
    "get": "got", "give": "gave", "go": "went", "grow": "grew", "have": "had", "hear": "heard", "hide": "hid",
    "keep": "kept", "know": "knew", "lead": "led", "leave": "left", "lie": "lay", "lose": "lost", "make": "made",
    "read": "read", "ride": "rode", "ring": "rang", "run": "ran", "say": "said", "see": "saw", "sell": "sold",
    "sew": "sewed",
    "sing": "sang", "sit": "sat", "sleep": "slept", "spin": "spun", "steal": "stole", "swim": "swam",
    "swing": "swung", "take": "took", "teach": "taught", "tell": "told", "think": "thought", "throw": "threw",
    "understand": "understood", "wake": "woke", "wear": "wore", "weave": "wove", "win": "won", "write": "wrote",
}  # fmt: skip
_IRREGULAR_PLURAL = {
    "child": "children", "deer": "deer", "foot": "feet", "goose": "geese", "half": "halves", "knife": "knives",
    "leaf": "leaves", "loaf": "loaves", "man": "men", "mouse": "mice", "penknife": "penknives", "scarf": "scarves",
    "sheep": "sheep", "shelf": "shelves", "tooth": "teeth", "wolf": "wolves", "woman": "women",
    "potato": "potatoes", "tomato": "tomatoes", "dormouse": "dormice",
}  # fmt: skip
_DOUBLED = re.compile(r"^[^aeiou]*[aeiou][bdgklmnprt]$")
_SENTENCE_START = re.compile(r"(?:\A|\n\n|(?:[.!?]|\.\") )\"?[a-z]|\^.")


def with_article(phrase: str) -> str:
    """Returns the phrase with its indefinite article.

    >>> with_article("old map"), with_article("honest girl"), with_article("useful knife")
    ('an old map', 'an honest girl', 'a useful knife')
    """
    if phrase.startswith(_AN_DESPITE_SPELLING):
        return "an " + phrase
    if phrase[0] in "aeiouAEIOU" and not phrase.startswith(_A_DESPITE_SPELLING):
        return "an " + phrase
    return "a " + phrase


def possessive(name: str) -> str:
    """Returns the possessive form, which has 's also after an s.

    >>> possessive("the baker"), possessive("James")
    ("the baker's", "James's")
    """
    return name + "'s"


def past(verb_phrase: str) -> str:
    """Returns the simple past of a phrase that starts with a verb in its base form.

    >>> past("carry water"), past("hop"), past("write letters"), past("paint boats")
    ('carried water', 'hopped', 'wrote letters', 'painted boats')
    """
    verb, space, rest = verb_phrase.partition(" ")
    if verb in _IRREGULAR_PAST:
        form = _IRREGULAR_PAST[verb]
    elif verb.endswith("e"):
        form = verb + "d"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        form = verb[:-1] + "ied"
    else:
        form = _doubled(verb) + "ed"
    return form + space + rest


def gerund(verb_phrase: str) -> str:
    """Returns the -ing form of a phrase that starts with a verb in its base form.

    >>> gerund("swim in the bay"), gerund("make soup"), gerund("lie in the grass"), gerund("see the boats")
    ('swimming in the bay', 'making soup', 'lying in the grass', 'seeing the boats')
    """
    verb, space, rest = verb_phrase.partition(" ")
    if verb.endswith("ie"):
        form = verb[:-2] + "ying"
    elif verb.endswith("e") and not verb.endswith("ee") and verb != "be":
        form = verb[:-1] + "ing"
    else:
        form = _doubled(verb) + "ing"
    return form + space + rest


def plural(noun_phrase: str) -> str:
    """Returns the plural of a phrase that ends with a noun in the singular.

    >>> plural("brass compass"), plural("old map"), plural("cherry"), plural("blue scarf"), plural("toy")
    ('brass compasses', 'old maps', 'cherries', 'blue scarves', 'toys')
    """
    before, space, noun = noun_phrase.rpartition(" ")
    if noun in _IRREGULAR_PLURAL:
        form = _IRREGULAR_PLURAL[noun]
    elif noun.endswith(("s", "x", "z", "ch", "sh")):
        form = noun + "es"
    elif noun.endswith("y") and noun[-2] not in "aeiou":
        form = noun[:-1] + "ies"
    else:
        form = noun + "s"
    return before + space + form


def _doubled(verb: str) -> str:
    """Doubles the last consonant of a verb with a short vowel, as before an ending: hop, hopp."""
    return verb + verb[-1] if _DOUBLED.match(verb) else verb


def capitalise(text: str) -> str:
    """Returns the text with a capital at the start of every sentence and after every `^`.

    A question or exclamation mark at the end of a quotation does not end the sentence, because the tag follows.

    >>> capitalise('"where is it?" she asked. "^the key is gone!" he sat down.')
    '"Where is it?" she asked. "The key is gone!" he sat down.'
    """
    return _SENTENCE_START.sub(lambda match: match.group()[:-1].removesuffix("^") + match.group()[-1].upper(), text)
