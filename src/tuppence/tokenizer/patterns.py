"""The split patterns of GPT-2 and GPT-4, and the safe cuts: where a text can be cut without changing a token.

One of these regular expressions cuts a text into *words*, and BPE never merges across words. Only the patterns listed
here are ever compiled: a `tokenizer.json` can name one of them, but not define another.

Called by the trainer (counting words), the encoders (cutting a text) and `tuppence.data` (streaming documents
that do not fit in memory). Does not know about merges.
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
        name: its name for `--pattern`.
        expression: the spelling that we run. Possessive (`++`) wherever backtracking cannot help, which is faster and
            saves the states that the engines of `regex` and `tiktoken` would store.
        published: the spelling without possessives, after OpenAI's first release. Files contain this one, because
            Oniguruma (in Hugging Face's `tokenizers`) reads `{1,3}+` differently.
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
"""cl100k_base as first published, and as Hugging Face's files still have it. tiktoken's current pattern differs at the
end of a text with a line end and spaces: these are two words here, and one word in tiktoken."""

PATTERNS: dict[str, SplitPattern] = {pattern.name: pattern for pattern in (GPT2, GPT4, GPT4_2023)}


def find_pattern(name: str) -> SplitPattern:
    """The pattern called `name`.

    Raises:
        InputError: there is no pattern of that name.
    """
    if name not in PATTERNS:
        raise InputError(f"there is no split pattern {name!r}", f"choose one of {', '.join(get_args(PatternName))}")
    return PATTERNS[name]


# With every pattern, a word ends where a run of letters or of digits ends, and before every space after a character
# that is not white space (GPT-4's punctuation includes the line ends after it, but never a space). No pattern has a
# look-behind, and the only look-ahead follows white space; so both halves are cut as the whole text is.
_LAST_SAFE_CUT = regex.compile(r"(?r)\p{L}(?=\P{L})|\p{N}(?=\P{N})|\S(?= )")


def safe_cut(text: str, start: int = 0, limit: int | None = None) -> int | None:
    """The last position in (start, limit] where `text` can be cut without changing a token, or None.

    `encode(text)` equals `encode(text[:cut]) + encode(text[cut:])` for every pattern and any merges: the cut
    is after a run of letters or digits, or before a space that follows a character other than white space.

    Args:
        text: one text, or a part of it that begins at a safe cut.
        start: the cut is after this position.
        limit: the last possible cut; by default, the last position before the end of the text.

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
    """Whether Python's Unicode has the character: it is older than that of `regex`, and tiktoken's can be, too."""
    return unicodedata.category(character) != "Cn"


def split_safely(text: str, size: int) -> Iterator[str]:
    """Cuts `text` into pieces of at most `size` characters, at safe cuts.

    No piece is longer: if `size` characters contain no safe cut (a longer run of letters or of white space), the piece
    ends after exactly `size` characters, and tokens around that cut can differ.

    Example:
        >>> list(split_safely("one two three", 8))
        ['one two', ' three']
        >>> list(split_safely("aaaaaaaaaa", 4))
        ['aaaa', 'aaaa', 'aa']
    """
    return stream_safely([text], size)


def stream_safely(blocks: Iterable[str], size: int) -> Iterator[str]:
    """Cuts one text that arrives in blocks of any size into pieces of at most `size` characters.

    Holds at most `size` characters and one block in memory. The pieces are those of `split_safely` for the whole text.

    Args:
        blocks: parts of one text, in order.
        size: largest number of characters of a piece, at least 2 (a safe cut is between two characters).
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
    """Replaces every lone surrogate of `text` by U+FFFD: it is not a character and has no UTF-8.

    Python's `json` makes such strings from broken escapes. Two surrogates that form a pair become one character, as in
    tiktoken.

    Example:
        >>> without_surrogates("a\\ud83d") == "a\\ufffd"
        True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
