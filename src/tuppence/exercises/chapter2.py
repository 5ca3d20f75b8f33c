"""Exercises of chapter 2: one merge, encoding by rank, and windows of a stream of tokens."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tuppence.exercises import answers
from tuppence.exercises.exercise import (
    Calls,
    Draw,
    Exercise,
    Property,
    UnfitError,
    a_list,
    a_tensor,
    differs,
    kind_of,
)
from tuppence.tokenizer.reference import learn_merges

Pair = tuple[int, int]


def _without_the_pair(draw: Draw) -> Iterator[tuple[list[int], Pair, int]]:
    yield [], (1, 2), 9
    yield [1], (1, 2), 9
    yield [2, 1], (1, 2), 9
    for length in (5, 12):
        yield draw.integers(length, 1, 4), (5, 1), 9


def _with_the_pair(draw: Draw) -> Iterator[tuple[list[int], Pair, int]]:
    yield [1, 2], (1, 2), 9
    yield [1, 2, 1], (1, 2), 9
    yield [5, 5, 5], (5, 5), 9
    for length in (6, 12, 40):
        tokens = draw.integers(length, 1, 3)
        yield [*tokens, 2, 2], (draw.integer(1, 3), 2), draw.integer(300, 900)


def _of_one_kind(draw: Draw) -> Iterator[tuple[list[int], Pair, int]]:
    for length in (3, 5, 2 * draw.integer(3, 8) + 1):
        yield [7] * length, (7, 7), 256
    yield [*draw.integers(2, 1, 6), 7, 7, 7, *draw.integers(2, 1, 6)], (7, 7), 256


def _unchanged(merge: Calls, tokens: list[int], pair: Pair, new: int) -> str | None:
    return differs(merge(tokens, pair, new), tokens)


def _length_law(merge: Calls, tokens: list[int], pair: Pair, new: int) -> str | None:
    merged = merge(tokens, pair, new)
    merges = merged.count(new)
    if len(merged) + merges == len(tokens):
        return None
    return f"{len(tokens)} tokens became {len(merged)}, of which {merges} are new: {merges} merges save {merges} tokens"


def _merged(merge: Calls, tokens: list[int], pair: Pair, new: int) -> str | None:
    return differs(merge(tokens, pair, new), answers.merge_tokens(tokens, pair, new))


MERGE = Exercise(
    chapter=2,
    name="merge",
    parameters=("tokens", "pair", "new"),
    task="a new list in which every occurrence of pair (two tokens) in tokens, from left to right, is replaced by new",
    difficulty=1,
    importance=3,
    minutes=10,
    fit=a_list,
    properties=(
        Property(
            "tokens without the pair stay as they are",
            _without_the_pair,
            _unchanged,
            "The pair has an order. And what happens at the last token, which has no right neighbour?",
            "Compare both tokens of the pair, left with left. Copy the last token if nothing follows it.",
        ),
        Property(
            "each merge makes the list one token shorter: two tokens go, one comes",
            _with_the_pair,
            _length_law,
            "A token that has been merged cannot be merged again as the left half of the next pair.",
            "After a merge, go on behind both tokens.",
        ),
        Property(
            "of overlapping pairs the left one is merged",
            _of_one_kind,
            _merged,
            "Walk from left to right, and look at three equal tokens.",
            "Of three equal tokens the first two are merged, and the third stays.",
        ),
        Property(
            "every occurrence is merged",
            _with_the_pair,
            _merged,
            "Does the walk see the whole list?",
            "The last pair ends at the last token: does your loop reach it?",
        ),
    ),
    second_hint="Keep a position. After a merge it moves by two, else by one.",
    answer=answers.merge_tokens,
)

Ranks = dict[bytes, int]
_BYTES = {bytes([byte]): byte for byte in range(256)}


def _table(*merged: bytes) -> Ranks:
    """Ranks of the bytes in the merged tokens, and then of the merged tokens in their order."""
    letters = sorted({bytes([byte]) for token in merged for byte in token})
    return {token: rank for rank, token in enumerate([*letters, *merged])}


def _words(draw: Draw) -> Iterator[tuple[bytes, Ranks]]:
    yield b"", _table(b"ug")
    yield b"u", _table(b"ug")
    yield b"ug", _table(b"ug")
    yield b"\xff\x00\x80", _table(b"\xff\x00\x80")
    yield from _random_words(draw)


def _conflicts(draw: Draw) -> Iterator[tuple[bytes, Ranks]]:
    """Words where the order of the ranks decides."""
    yield b"hug", _table(b"ug", b"hu")
    yield b"xyzxy", _table(b"yz", b"xy")
    yield b"abcd", _table(b"bc", b"abc", b"ab", b"cd")


def _repeats(draw: Draw) -> Iterator[tuple[bytes, Ranks]]:
    """Words in which one pair occurs several times, also overlapping."""
    yield b"aaa", _table(b"aa")
    yield b"abab", _table(b"ab")
    yield b"aaaaa", _table(b"aa", b"aaaa")
    yield b"abaabab", _table(b"ab", b"aab")


def _random_words(draw: Draw) -> Iterator[tuple[bytes, Ranks]]:
    for count in (1, 2, 4):
        letters = b"abcd"
        text = [bytes(letters[number] for number in draw.integers(6, 0, 3)) for _ in range(12)]
        merges = learn_merges({word: 1 + place for place, word in enumerate(text)}, 10)
        ranks = dict(_BYTES)
        tokens = list(_BYTES)
        for left, right in merges:
            tokens.append(tokens[left] + tokens[right])
            ranks[tokens[-1]] = len(ranks)
        used = {token: rank for token, rank in ranks.items() if rank >= 256 or token in {b"a", b"b", b"c", b"d"}}
        whole = draw.shuffled(tokens[-5:])[:count]  # the last merges are the longest tokens
        yield b"".join(whole) + bytes(letters[number] for number in draw.integers(2 * count, 0, 3)), used


def _pieces(value: Any) -> list[bytes]:
    pieces = a_list(value)
    for piece in pieces:
        if not isinstance(piece, bytes):
            raise UnfitError(
                f"has a piece that is {kind_of(piece)}; bytes are needed, since a piece may be half a letter"
            )
    return pieces


def _joins_back(encode: Calls, word: bytes, ranks: Ranks) -> str | None:
    pieces = encode(word, ranks)
    if b"".join(pieces) != word:
        return "the pieces joined are not the word"
    return None if all(piece in ranks for piece in pieces) else "a piece is not in ranks"


def _by_rank(encode: Calls, word: bytes, ranks: Ranks) -> str | None:
    return differs(encode(word, ranks), answers.encode_word(word, ranks))


ENCODE_WORD = Exercise(
    chapter=2,
    name="encode_word",
    parameters=("word", "ranks"),
    task="the pieces of word (bytes), as a list of bytes: start with single bytes, then always join the two neighbours "
    "whose joined bytes have the lowest rank in ranks (bytes → rank), until no joined pair has a rank; of equal pairs "
    "the left one first",
    difficulty=2,
    importance=3,
    minutes=20,
    fit=_pieces,
    properties=(
        Property(
            "the pieces, all of them bytes with a rank, join back to the word",
            _words,
            _joins_back,
            "Any bytes can come, also bytes that are no text. Indexing bytes gives numbers; slicing gives bytes.",
            "word[i : i + 1] is bytes, word[i] is a number.",
        ),
        Property(
            "the pair with the lowest rank is joined first",
            _conflicts,
            _by_rank,
            "Neither the longest piece nor the most frequent pair decides. Ranks remember the order of the training.",
        ),
        Property(
            "of equal pairs the left one is joined first, and then the others too",
            _repeats,
            _by_rank,
            "Look at three equal letters, and at a pair that occurs twice.",
            "If several pairs have the lowest rank, take the first place; then begin the next round.",
        ),
        Property(
            "on learned merges it is what byte pair encoding gives",
            _random_words,
            _by_rank,
            "After each join there are new neighbours: look at all of them again.",
            "A joined piece may be half of a longer one: repeat until no joined pair has a rank.",
        ),
    ),
    second_hint="In each round, list the joined neighbours, and take the one whose rank is lowest.",
    answer=answers.encode_word,
)


def _streams(draw: Draw) -> Iterator[tuple[Tensor, int]]:
    """Streams in which no token is left over."""
    yield torch.tensor([10, 11]), 1
    yield torch.tensor([10, 11, 12]), 2
    yield torch.tensor([10, 11, 12, 13, 14]), 2
    for _ in range(3):
        rows, context = draw.integer(2, 6), draw.integer(2, 6)
        yield torch.tensor(draw.integers(rows * context + 1, 0, 99)), context


def _any_streams(draw: Draw) -> Iterator[tuple[Tensor, int]]:
    yield torch.tensor([10, 11, 12, 13]), 2
    for _ in range(4):
        yield torch.tensor(draw.integers(draw.integer(8, 40), 0, 99)), draw.integer(2, 7)


def _rows(value: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise UnfitError(f"is {kind_of(value)}; two are needed: inputs and targets")
    inputs, targets = (_matrix(part) for part in value)
    if inputs.shape != targets.shape:
        raise UnfitError(f"has inputs of shape {tuple(inputs.shape)} and targets of shape {tuple(targets.shape)}")
    return inputs, targets


def _matrix(value: Any) -> Tensor:
    if isinstance(value, list) and value and all(isinstance(row, Tensor) and row.ndim == 1 for row in value):
        if len({len(row) for row in value}) > 1:
            raise UnfitError("has rows of several lengths")
        value = torch.stack(value)
    if isinstance(value, list):
        try:
            value = torch.tensor(value, dtype=torch.int64)
        except (ValueError, TypeError, RuntimeError):
            raise UnfitError("has rows of several lengths") from None
    value = a_tensor(value)
    return value if value.ndim == 2 else value.reshape(0, 0) if not value.numel() else _refuse(value)


def _refuse(value: Tensor) -> Tensor:
    raise UnfitError(f"has a part of the shape {tuple(value.shape)}; two dimensions are needed, rows and context")


def _shifted(windows: Calls, ids: Tensor, context: int) -> str | None:
    inputs, targets = windows(ids, context)
    if not len(inputs):
        return "there is no row"
    following = {(int(one), int(other)) for one, other in itertools.pairwise(ids)}
    for one, other in zip(inputs.flatten().tolist(), targets.flatten().tolist(), strict=True):
        if (one, other) not in following:
            return f"the target of {one} is {other}, which does not follow it in ids"
    for row, (some, others) in enumerate(zip(inputs.tolist(), targets.tolist(), strict=True)):
        if others[:-1] != some[1:]:
            return f"in row {row} the target of an input is not the next input"
    return None


def _each_once(windows: Calls, ids: Tensor, context: int) -> str | None:
    _, targets = windows(ids, context)
    if torch.equal(targets.flatten(), ids[1:]):
        return None
    return f"{len(ids) - 1} tokens must be targets, once each and in order; these are {targets.flatten().tolist()}"


def _same_rows(windows: Calls, ids: Tensor, context: int) -> str | None:
    found, right = windows(ids, context), answers.windows(ids, context)
    return differs(found[0], right[0]) or differs(found[1], right[1])


WINDOWS = Exercise(
    chapter=2,
    name="windows",
    parameters=("ids", "context_length"),
    task="two tensors (rows, context_length) from ids, a tensor of token ids: inputs, the stream cut into rows, and "
    "targets, the token after each input; tokens that fill no row are left out",
    difficulty=2,
    importance=3,
    minutes=15,
    fit=_rows,
    properties=(
        Property(
            "the target of a token is the token that follows it",
            _streams,
            _shifted,
            "The model reads a token and is asked for the next one.",
            "The row of targets is the row of inputs, one token later.",
        ),
        Property(
            "every token but the first is a target exactly once",
            _streams,
            _each_once,
            "Where does the next row begin? Its first input was the last target of the row before.",
            "Rows begin at 0, T, 2T and so on.",
        ),
        Property(
            "tokens that fill no row are left out, and no others",
            _any_streams,
            _same_rows,
            "A row needs one token more than its length.",
            "n tokens give (n - 1) // T rows.",
        ),
    ),
    second_hint="Write the stream 0 1 2 3 4 5 6 on paper, and below it the inputs and targets for rows of three.",
    answer=answers.windows,
)

EXERCISES = (MERGE, ENCODE_WORD, WINDOWS)
