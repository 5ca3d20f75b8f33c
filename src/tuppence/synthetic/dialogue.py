"""Direct speech: a line in quotation marks, with a tag that names the speaker.

The verb of the tag fits the line (a question is asked, an exclamation cried). The tag comes after, inside
or before the line. "Said" is the rule and an adverb the exception. Called by `teller`.
"""

from __future__ import annotations

from tuppence.synthetic.grammar import Voice, parse, render

_OPENING_VERBS = {
    "?": ("asked", "asked", "asked", "said"),
    "!": ("cried", "said", "exclaimed", "said"),
    ".": ("said",),
}
_ANSWERING_VERBS = {
    "?": ("asked", "asked", "said"),
    "!": ("cried", "said", "exclaimed", "said"),
    ".": ("said", "said", "answered", "replied", "said"),
}
_MANNERS = ("softly", "quietly", "at last", "after a moment", "slowly", "in a low voice", "gently")
_INVERTED = ("said", "asked", "cried", "called", "answered", "replied", "whispered", "murmured")


def speak(voice: Voice, line: str, how: str, is_answer: bool) -> str:
    """One turn of speech with quotation marks and tag. The slot `{speaker}` must be filled.

    Args:
        voice: fills the slot, as a name or a pronoun.
        line: the words spoken, rendered, with their final mark.
        how: verbs to choose from, separated by `|`, instead of the usual ones.
        is_answer: whether somebody else spoke just before.
    """
    mark = line[-1]
    verbs = tuple(how.split("|")) if how else (_ANSWERING_VERBS if is_answer else _OPENING_VERBS)[mark]
    verb = verbs[int(voice.uniform() * len(verbs))]
    manner = ""
    if verb == "said" and mark == "." and voice.uniform() < 0.1:
        manner = " " + _MANNERS[int(voice.uniform() * len(_MANNERS))]
    where = voice.uniform()
    first, gap, rest = line.partition(". ")
    if where < 0.15:
        return f'{_fill(voice, "{speaker}")} {verb}{manner}, "{line}"'
    if gap and where < 0.5 and "!" not in first and "?" not in first:
        # the tag follows a statement, so a comma is always right
        tag = _tag(voice, verb if mark == "." or how else "said")
        return f'"{first}," {tag}{manner}. "{rest}"'
    spoken = line[:-1] + "," if mark == "." else line
    return f'"{spoken}" {_tag(voice, verb)}{manner}.'


def _tag(voice: Voice, verb: str) -> str:
    if verb in _INVERTED and voice.uniform() < 0.4:
        return f"{verb} {_fill(voice, '{speaker.named}')}"
    return f"{_fill(voice, '{speaker}')} {verb}"


def _fill(voice: Voice, slot: str) -> str:
    return render(parse(slot), voice)
