"""Counts evaluation rows that are in the training data.

Two checks. `count_shared` compares rows with rows, ignoring white space and case. `count_rows_in_corpus` searches rows
in running text: all words of a text in order, with any punctuation between them. Neither finds paraphrases,
translations or parts of rows. In scripts without spaces between words, the second check finds only whole sentences.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from itertools import pairwise

from tuppence.data.records.conversations import Conversation
from tuppence.data.records.labelled import LabelledText
from tuppence.data.records.preferences import Preference
from tuppence.data.records.tables import Table
from tuppence.tokenizer.chat_template import Message

SHORTEST_CHARACTERS = 50
"""Shorter rows are not searched in running text: they occur there by chance."""

_EXAMPLES = 3
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Leak:
    """Evaluation rows that are also in the training data.

    Attributes:
        count: number of evaluation rows that are in the training data.
        compared: number of evaluation rows that were searched.
        examples: the first rows that were found, as written in the evaluation data.
    """

    count: int
    compared: int
    examples: tuple[str, ...]


def normalise(text: str) -> str:
    """A text with single spaces between words and without differences in case.

    Example:
        >>> normalise("  You have\\nWON ")
        'you have won'
    """
    return " ".join(text.split()).casefold()


def count_shared(train_texts: Iterable[str], evaluation_texts: Sequence[str]) -> Leak:
    """Counts the evaluation rows that are in the training rows.

    Use it on whole rows (`content_of`), and on their prompts alone (`prompt_of`): a prompt that was trained with
    another answer is a smaller leak. For training conversations, use every row of `lessons_of`.

    Example:
        >>> count_shared(["Add 2 and 3.", "Name a fruit."], ["name a  fruit.", "Name a bird."])
        Leak(count=1, compared=2, examples=('name a  fruit.',))
    """
    known = {normalise(text) for text in train_texts}
    found = [text for text in evaluation_texts if normalise(text) in known]
    return Leak(len(found), len(evaluation_texts), tuple(found[:_EXAMPLES]))


def count_rows_in_corpus(corpus: Iterable[str], table: Table) -> Leak:
    """Counts the rows of an evaluation file that a corpus contains. A row counts if any of its texts is found.

    Args:
        corpus: as for `find_in_corpus`.
        table: the rows; their strings and lists of strings are searched.

    Returns:
        Counts of rows; rows without a text of at least 50 characters are not compared.
    """
    owners: dict[str, set[int]] = defaultdict(set)
    for number, row in enumerate(table.rows):
        for value in row.values.values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and len(normalise(text)) >= SHORTEST_CHARACTERS:
                    owners[text].add(number)
    texts = list(owners)
    found, _ = find_in_corpus(corpus, texts)
    rows = set[int]().union(*(owners[texts[number]] for number in found))
    compared = set[int]().union(*owners.values())
    return Leak(len(rows), len(compared), tuple(texts[number] for number in found[:_EXAMPLES]))


def find_in_corpus(corpus: Iterable[str], texts: Sequence[str]) -> tuple[list[int], int]:
    """Finds the texts of at least 50 characters that a corpus contains as a whole.

    Texts are compared exactly as sequences of words: punctuation, white space and case make no difference. The search
    key of a text is its longest pair of neighbouring words, because that pair is rare. Where the pair occurs, all words
    of the text are compared. Memory: the texts, and as many words of the corpus as the longest text has.

    Args:
        corpus: blocks of text, as `sources.iter_texts` yields them. A text that spans two blocks is found; a word
            that spans two blocks counts as two words.

    Returns:
        The ascending indices of the texts that were found, and the number of texts that were searched.
    """
    rows: dict[int, tuple[str, ...]] = {}
    for number, text in enumerate(texts):
        words = tuple(_words(text))
        if len(normalise(text)) >= SHORTEST_CHARACTERS and len(words) > 1:
            rows[number] = words
    wanted: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for number, words in rows.items():
        place = max(range(len(words) - 1), key=lambda start: len(words[start]) + len(words[start + 1]))
        wanted[words[place], words[place + 1]].append((number, place))
    found: set[int] = set()
    longest = max(map(len, rows.values()), default=0)
    for window in _windows(corpus, longest):
        for start, pair in enumerate(pairwise(window)):
            for number, place in wanted.get(pair, ()):
                first = start - place
                if first >= 0 and tuple(window[first : first + len(rows[number])]) == rows[number]:
                    found.add(number)
    return sorted(found), len(rows)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _windows(corpus: Iterable[str], longest: int) -> Iterator[list[str]]:
    """Yields the words of each block, preceded by the last words before it, so that a window holds each row whole."""
    carried: deque[str] = deque(maxlen=max(longest - 1, 0))
    for block in corpus:
        words = _words(block)
        yield [*carried, *words]
        carried.extend(words)


# ---- rows as texts ---------------------------------------------------------------------------------------------


@singledispatch
def prompt_of(row: object) -> str:
    """The prompt of a row: a labelled text, the turns before the last response, the prompt of a preference, or a string
    itself."""
    raise TypeError(f"no prompt in a {type(row).__name__}")


@prompt_of.register
def _(row: str) -> str:
    return row


@prompt_of.register
def _(row: LabelledText) -> str:
    return row.text


@prompt_of.register
def _(row: Conversation) -> str:
    return text_of(row.messages[:-1])


@prompt_of.register
def _(row: Preference) -> str:
    return text_of(row.prompt)


@singledispatch
def content_of(row: object) -> str:
    """The text of a row that is used in training: the prompt, and the label, response or chosen answer."""
    raise TypeError(f"no content in a {type(row).__name__}")


@content_of.register
def _(row: LabelledText) -> str:
    return f"{row.text}\n\n{row.label}"


@content_of.register
def _(row: Conversation) -> str:
    return text_of(row.messages)


@content_of.register
def _(row: Preference) -> str:
    return f"{text_of(row.prompt)}\n\n{row.chosen}"


def lessons_of(row: object) -> list[object]:
    """The training examples in a row: one for each trained response of a conversation; for other types, the row
    itself.

    Example:
        >>> turns = [Message(role, text) for role, text in (("user", "Hi"), ("assistant", "Hello")) * 2]
        >>> [len(one.messages) for one in lessons_of(Conversation(tuple(turns)))]
        [2, 4]
    """
    if not isinstance(row, Conversation):
        return [row]
    ends = [n for n, message in enumerate(row.messages, start=1) if message.role == "assistant" and message.trained]
    return [Conversation(row.messages[:end]) for end in ends]


def opening_of(row: object) -> str:
    """A row's prompt up to its first response. Dialogues with the same beginning have the same opening."""
    if not isinstance(row, Preference | Conversation):
        return prompt_of(row)
    messages = row.prompt if isinstance(row, Preference) else row.messages
    before = next((n for n, message in enumerate(messages) if message.role == "assistant"), len(messages))
    return text_of(messages[:before])


def text_of(messages: Sequence[Message]) -> str:
    """The contents of messages, joined by empty lines."""
    return "\n\n".join(message.content for message in messages)
