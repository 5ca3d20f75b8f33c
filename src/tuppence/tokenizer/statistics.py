"""Statistics of a vocabulary and of a tokenized text, for `tuppence tokenizer show`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tuppence.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True)
class VocabularyStatistics:
    """Statistics of a vocabulary.

    Attributes:
        vocab_size: number of ids.
        merges: number of tokens made by a merge.
        pattern: name of the split pattern.
        special_tokens: id of each.
        fingerprint: sha256 of everything that determines ids.
        tokens_by_bytes: number of tokens with 1, 2, 3 … bytes, without special tokens.
        mean_bytes: mean bytes per token of the vocabulary (the mean over a text is lower).
        starting_with_space: number of tokens that begin with a space.
        incomplete: number of tokens that are not valid UTF-8 alone: parts of characters.
        longest: the longest tokens as text, in descending order of length.
    """

    vocab_size: int
    merges: int
    pattern: str
    special_tokens: dict[str, int]
    fingerprint: str
    tokens_by_bytes: dict[int, int]
    mean_bytes: float
    starting_with_space: int
    incomplete: int
    longest: list[str]


@dataclass(frozen=True)
class TextStatistics:
    """A tokenized text.

    Attributes:
        characters: number of characters.
        bytes: number of bytes in UTF-8.
        ids: of its tokens.
        tokens: the tokens as text (`readable`).
        bytes_per_token: the compression.
    """

    characters: int
    bytes: int
    ids: list[int]
    tokens: list[str]
    bytes_per_token: float


def readable(token: bytes) -> str:
    """A token as printable text: bytes that form no character become <0x..>, control characters are escaped.

    Example:
        >>> readable(b" caf\\xc3\\n")
        ' caf<0xC3>\\\\n'
    """
    shown = []
    for character in token.decode("utf-8", "surrogateescape"):
        if "\udc80" <= character <= "\udcff":
            shown.append(f"<0x{ord(character) - 0xDC00:02X}>")
        elif character.isprintable():
            shown.append(character)
        else:
            shown.append(character.encode("unicode_escape").decode())
    return "".join(shown)


def describe_vocabulary(tokenizer: Tokenizer, longest: int = 10) -> VocabularyStatistics:
    """Statistics of a tokenizer's vocabulary.

    Args:
        longest: number of tokens in the list of the longest.
    """
    vocabulary = tokenizer.vocabulary
    tokens = list(vocabulary.ranks)
    by_bytes = Counter(map(len, tokens))
    return VocabularyStatistics(
        vocab_size=tokenizer.vocab_size,
        merges=len(vocabulary.merges),
        pattern=vocabulary.pattern.name,
        special_tokens=tokenizer.special_tokens,
        fingerprint=tokenizer.fingerprint,
        tokens_by_bytes=dict(sorted(by_bytes.items())),
        mean_bytes=sum(map(len, tokens)) / len(tokens),
        starting_with_space=sum(token.startswith(b" ") for token in tokens),
        incomplete=sum(not _is_utf8(token) for token in tokens),
        longest=[readable(token) for token in sorted(tokens, key=lambda token: (-len(token), token))[:longest]],
    )


def describe_text(tokenizer: Tokenizer, text: str) -> TextStatistics:
    """Tokenizes `text`; the names of special tokens in it are plain text."""
    ids = tokenizer.encode(text)
    size = len(tokenizer.decode_bytes(ids))
    return TextStatistics(
        characters=len(text),
        bytes=size,
        ids=ids,
        tokens=[readable(tokenizer.decode_bytes([identity])) for identity in ids],
        bytes_per_token=size / len(ids) if ids else 0.0,
    )


def _is_utf8(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True
