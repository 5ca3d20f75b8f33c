"""What a vocabulary is made of, and how it cuts a text: the figures behind `tuppence tokenizer show`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tuppence.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True)
class VocabularyStatistics:
    """Figures of a vocabulary.

    Attributes:
        vocab_size: all ids.
        merges: tokens made by a merge.
        pattern: name of the split pattern.
        special_tokens: id of each.
        fingerprint: sha256 over what determines ids.
        tokens_by_bytes: how many tokens have 1, 2, 3 … bytes, special tokens aside.
        mean_bytes: bytes of a token, on average over the vocabulary (over a text it is less).
        starting_with_space: tokens that begin with a space.
        incomplete: tokens that are not valid UTF-8 by themselves: parts of characters.
        longest: the longest tokens, the longest first, as text.
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
    """How a text is cut.

    Attributes:
        characters: of the text.
        bytes: of the text in UTF-8.
        ids: of its tokens.
        tokens: the same, readable (`readable`).
        bytes_per_token: the compression.
    """

    characters: int
    bytes: int
    ids: list[int]
    tokens: list[str]
    bytes_per_token: float


def readable(token: bytes) -> str:
    """A token as a person can read it: bytes that form no character are shown as <0x..>, controls escaped.

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
    """The figures of a tokenizer's vocabulary.

    Args:
        tokenizer: any.
        longest: how many of the longest tokens to list.
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
    """How `tokenizer` cuts `text`, special tokens in it being plain text."""
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
