"""The split patterns of GPT-2 and GPT-4, and where a long text may be cut without changing a token.

BPE never merges across *words*: the pieces that one of these regular expressions cuts a text into. Only
patterns listed here are ever compiled; a `tokenizer.json` from elsewhere can name one, not bring its own.

Called by the trainer (counting words), the encoders (cutting a text) and `tuppence.data` (streaming documents
that are too large to hold). Nothing here knows about merges.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import regex

from tuppence.core.errors import InputError

PatternName: TypeAlias = Literal["gpt2", "gpt4", "gpt4-2023"]


@dataclass(frozen=True)
class SplitPattern:
    """One split pattern in two spellings that cut every text alike.

    Attributes:
        name: what `--pattern` calls it.
        expression: what we run. Possessive (`++`) wherever nothing can be won by giving characters back, which
            is faster and keeps the engines of `regex` and `tiktoken` from stacking up states.
        published: the spelling without possessives, after OpenAI's first release: the one that goes into files,
            because Oniguruma (behind Hugging Face's `tokenizers`) reads `{1,3}+` as something else.
    """

    name: PatternName
    expression: str
    published: str

    @cached_property
    def compiled(self) -> regex.Pattern[str]:
        """The expression, compiled once."""
        return regex.compile(self.expression)

    def split(self, text: str) -> list[str]:
        """Cuts `text` into words; joined again they are `text`.

        Example:
            >>> GPT2.split("It's 1984,  Winston")
            ['It', "'s", ' 1984', ',', ' ', ' Winston']
            >>> GPT4.split("It's 1984,  Winston")
            ['It', "'s", ' ', '198', '4', ',', ' ', ' Winston']
        """
        return self.compiled.findall(text)


GPT2 = SplitPattern(
    "gpt2",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
)
"""GPT-2 (Radford et al. 2019, `encoder.py`): words, numbers and punctuation, each with one space before it."""

_GPT4_WORDS = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
_GPT4_WORDS_PUBLISHED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"

GPT4 = SplitPattern(
    "gpt4",
    _GPT4_WORDS + r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    # `(?![\s\S])` is the end of the text in every dialect; Oniguruma's `$` is the end of any line
    _GPT4_WORDS_PUBLISHED + r"|\s+(?![\s\S])|\s*[\r\n]+|\s+(?!\S)|\s+",
)
"""GPT-4 (tiktoken's cl100k_base): contractions in any case, numbers in threes, line ends by themselves."""

GPT4_2023 = SplitPattern(
    "gpt4-2023",
    _GPT4_WORDS + r"|\s*[\r\n]|\s++$|\s+(?!\S)|\s",
    _GPT4_WORDS_PUBLISHED + r"|\s*[\r\n]+|\s+(?!\S)|\s+",
)
"""cl100k_base as first published, and as Hugging Face's files still have it. It differs from what tiktoken runs
today in a text that ends in a line end and spaces: here those are two words, there one."""

PATTERNS: dict[str, SplitPattern] = {pattern.name: pattern for pattern in (GPT2, GPT4, GPT4_2023)}


def find_pattern(name: str) -> SplitPattern:
    """The pattern called `name`.

    Raises:
        InputError: there is none of that name.
    """
    if name not in PATTERNS:
        raise InputError(f"there is no split pattern {name!r}", f"choose one of {', '.join(get_args(PatternName))}")
    return PATTERNS[name]


# A word of either pattern ends where a run of letters or of digits ends, and before every space that follows
# something else than white space (GPT-4's punctuation swallows the line ends behind it, never a space). Neither
# pattern looks back, and the only look ahead is from white space; so both halves are cut as the whole was.
_LAST_SAFE_CUT = regex.compile(r"(?r)\p{L}(?=\P{L})|\p{N}(?=\P{N})|\S(?= )")


def safe_cut(text: str, start: int = 0, limit: int | None = None) -> int | None:
    """The last position in (start, limit] where `text` can be cut without changing a token, or None.

    `encode(text)` equals `encode(text[:cut]) + encode(text[cut:])` for every pattern and any merges: the cut
    lies behind a run of letters or digits, or before a space that follows a character other than white space.

    Args:
        text: one text, or a part of it that begins at a safe cut.
        start: the cut is behind this position.
        limit: the cut is at most here; the end of the text by default, which itself is not an answer.

    Example:
        >>> safe_cut("no more tears")
        7
        >>> safe_cut("aaaa") is None
        True
    """
    end = len(text) - 1 if limit is None else min(limit, len(text) - 1)
    # `endpos` hides the following text from the look-ahead: it is one character further
    while end > start and (found := _LAST_SAFE_CUT.search(text, start, end + 1)):
        cut = found.end()
        if text[cut] == " " or (_long_known(text[cut - 1]) and _long_known(text[cut])):
            return cut
        end = cut - 1
    return None


def _long_known(character: str) -> bool:
    """Whether Python's own, older Unicode has the character: what only `regex` knows may be news to tiktoken."""
    return unicodedata.category(character) != "Cn"


def split_safely(text: str, size: int) -> Iterator[str]:
    """Cuts `text` into pieces of at most `size` characters, at safe cuts.

    The bound is hard: where `size` characters hold no safe cut (one run of letters, or of white space, longer
    than that) the piece ends after exactly `size` characters, and tokens may differ around that one cut.

    Example:
        >>> list(split_safely("one two three", 8))
        ['one two', ' three']
        >>> list(split_safely("aaaaaaaaaa", 4))
        ['aaaa', 'aaaa', 'aa']
    """
    return stream_safely([text], size)


def stream_safely(blocks: Iterable[str], size: int) -> Iterator[str]:
    """Cuts one text that arrives in blocks, wherever those end, into pieces of at most `size` characters.

    Holds at most `size` characters and one block. The pieces are those of `split_safely` on the whole text.

    Args:
        blocks: parts of one text, in order.
        size: the most characters of a piece, at least 2 (a safe cut lies between two characters).
    """
    if size < 2:
        raise ValueError(f"pieces of {size} characters cannot be cut safely")
    waiting: list[str] = []
    waiting_size = 0
    for block in blocks:
        waiting.append(block)
        waiting_size += len(block)
        if waiting_size <= size:
            continue
        text, start = "".join(waiting), 0
        while len(text) - start > size:
            cut = safe_cut(text, start, start + size) or start + size
            yield text[start:cut]
            start = cut
        waiting, waiting_size = [text[start:]], len(text) - start
    rest = "".join(waiting)
    if rest:
        yield rest


def without_surrogates(text: str) -> str:
    """`text` with U+FFFD in the place of every lone surrogate, which is no character and has no UTF-8.

    Python's `json` makes such strings of broken escapes. Two surrogates that form a pair become its character,
    as in tiktoken.

    Example:
        >>> without_surrogates("a\\ud83d") == "a\\ufffd"
        True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
