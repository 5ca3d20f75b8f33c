"""Everything that determines a tokenizer's ids: tokens, merges, split pattern and special tokens, with checks.

There are two ways to read a BPE vocabulary. Hugging Face's `tokenizers` applies a *list of merges*: the pair
listed first is merged first. tiktoken only has *ranks of byte strings*: of all neighbours, those whose joined
bytes have the lowest rank are merged first. They differ if one token can be made from two pairs, (a, bc) and
(ab, c), and the second pair occurs. A `Vocabulary` excludes this: both ways, and `reference`, give the same ids.

- every token except the 256 bytes has one merge, of two tokens that are older than itself;
- the older merges, applied to the bytes of a token, give the two parts of its merge (`check_merges_are_reached`).

Why this suffices: apply the merges in order, and consider a stretch of text whose ends no merge has crossed so far. It
has the same tokens as its bytes alone. When token t is merged, every such stretch with t's bytes is the pair of t's
merge, so no other pair has t's bytes. Merges learned from a text always have this property; the check is for files of
other projects.

Built by the trainer and by the readers of files; `Tokenizer` wraps one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tuppence.core.errors import InputError
from tuppence.tokenizer import byte_alphabet
from tuppence.tokenizer.patterns import SplitPattern
from tuppence.tokenizer.reference import recover_merges

END_OF_TEXT = "<|endoftext|>"

Merge = tuple[bytes, bytes]


@dataclass(frozen=True)
class Vocabulary:
    """A valid byte-level BPE vocabulary; the constructor raises `InputError` for any other.

    Attributes:
        ranks: id of each token except the special ones; ids of merged tokens increase in the order of the merges.
        merges: the two parts of each merged token, in order.
        pattern: cuts a text into words.
        special_tokens: id of each special token. All ids together are 0, 1, 2 … without gaps.
    """

    ranks: Mapping[bytes, int]
    merges: Sequence[Merge]
    pattern: SplitPattern
    special_tokens: Mapping[str, int]

    def __post_init__(self) -> None:
        check_bytes(self.ranks)
        check_ids(self.ranks, self.special_tokens)
        check_names(self.ranks, self.special_tokens)
        check_order(self.ranks, self.merges)
        check_merges_are_reached(self.merges)

    @classmethod
    def from_merges(cls, merges: Sequence[Merge], pattern: SplitPattern, special_tokens: Sequence[str]) -> Vocabulary:
        """The vocabulary that training gives: the bytes, then the merges, then the special tokens."""
        tokens = [bytes([value]) for value in range(256)] + [left + right for left, right in merges]
        specials = {name: len(tokens) + row for row, name in enumerate(special_tokens)}
        return cls({token: row for row, token in enumerate(tokens)}, merges, pattern, specials)

    @classmethod
    def from_ranks(
        cls, ranks: Mapping[bytes, int], pattern: SplitPattern, special_tokens: Mapping[str, int]
    ) -> Vocabulary:
        """The vocabulary of a file that only has ranks (`*.tiktoken`); recovers the merges.

        Raises:
            InputError: a token cannot be made from two others.
        """
        check_bytes(ranks)
        check_ids(ranks, special_tokens)
        return cls(ranks, recover_merges(ranks), pattern, special_tokens)

    @cached_property
    def size(self) -> int:
        """The number of ids, special tokens included."""
        return len(self.ranks) + len(self.special_tokens)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of everything that determines ids; it does not depend on the file or its format."""
        digest = hashlib.sha256(f"tuppence vocabulary 1 {self.pattern.name}".encode())
        specials = ((name.encode(), token) for name, token in self.special_tokens.items())
        for kind, tokens in ((b"token", self.ranks.items()), (b"special", specials)):
            for token, identity in sorted(tokens, key=lambda item: item[1]):
                digest.update(b"%s %d %d " % (kind, identity, len(token)) + token)
        return digest.hexdigest()


def name_of(token: bytes | str) -> str:
    """A token in the form for error messages."""
    text = token if isinstance(token, str) else token.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 40 else text[:40] + "…")


def check_bytes(ranks: Mapping[bytes, int]) -> None:
    """Checks that every byte has a token: otherwise some text could not be encoded.

    Raises:
        InputError: one is missing.
    """
    for value in range(256):
        if bytes([value]) not in ranks:
            raise InputError(
                f"the vocabulary has no token for the byte 0x{value:02x}",
                "only byte-level BPE vocabularies with all 256 bytes can be used",
            )


def check_ids(ranks: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> None:
    """Checks that the ids are 0, 1, 2 …, each once.

    Raises:
        InputError: an id is negative, given twice, or left out.
    """
    owner: dict[int, bytes | str] = {}
    entries: list[tuple[bytes | str, int]] = [*ranks.items(), *special_tokens.items()]
    for token, identity in entries:
        if not token:
            raise InputError(f"the token with id {identity} is empty", "remove it from the file")
        if identity in owner:
            raise InputError(
                f"the tokens {name_of(owner[identity])} and {name_of(token)} both have the id {identity}",
                "every token needs an id of its own",
            )
        owner[identity] = token
    for expected, identity in enumerate(sorted(owner)):
        if identity != expected:
            raise InputError(
                f"no token has the id {min(expected, identity)}, but {name_of(owner[identity])} has {identity}"
                if identity > expected
                else f"the token {name_of(owner[identity])} has the id {identity}",
                "ids must be 0, 1, 2 … without gaps",
            )


def check_names(ranks: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> None:
    """Checks that no special token has the name of another token in a `tokenizer.json`: " !" is written "Ġ!" there.

    Raises:
        InputError: one has.
    """
    for name in special_tokens:
        try:
            token = byte_alphabet.to_bytes(name)
        except InputError:
            continue
        if token in ranks:
            raise InputError(
                f"the special token {name_of(name)} is how files write the token {name_of(token)}",
                "give it another name, such as <|something|>",
            )


def check_order(ranks: Mapping[bytes, int], merges: Sequence[Merge]) -> None:
    """Checks that merge i makes the i-th merged token, from two older ones.

    Raises:
        InputError: it does not.
    """
    if len(merges) != len(ranks) - 256:
        raise InputError(
            f"{len(merges):,} merges cannot make {len(ranks) - 256:,} tokens", "the files do not belong together"
        )
    youngest = -1
    for left, right in merges:
        identity = ranks.get(left + right)
        if identity is None:
            raise InputError(
                f"the merge {name_of(left)} + {name_of(right)} makes a token that the vocabulary lacks",
                "the files do not belong together",
            )
        for part in (left, right):
            if part not in ranks or (len(part) > 1 and ranks[part] >= identity):
                raise InputError(
                    f"the merge {name_of(left)} + {name_of(right)} comes before its part {name_of(part)} exists",
                    "the merges are out of order: restore the file",
                )
        if identity <= youngest:
            raise InputError(
                f"the id {identity} of {name_of(left + right)} is not in the order of the merges",
                "only vocabularies whose ids follow their merges can be used (GPT-2's do, RoBERTa's do not)",
            )
        youngest = identity


def check_merges_are_reached(merges: Sequence[Merge]) -> None:
    """Checks that the merges, applied to the bytes of each token, end with its own merge (see the module's docstring).

    Start at the merge of left and right, and go back in time: undo the merges that made the two tokens on either side
    of the border between left and right, the youngest first. If at some time these two tokens had a merge of their own
    that was next, it would have crossed the border, and the merge of left and right would never happen.

    Raises:
        InputError: a merge is never reached, because an older one uses its bytes.
    """
    age = {left + right: row for row, (left, right) in enumerate(merges)}
    parts = {left + right: (left, right) for left, right in merges}
    row_of_pair = {pair: row for row, pair in enumerate(merges)}
    if len(parts) < len(merges):
        raise InputError("two merges make the same token", "keep the one that training found")
    for row, (left, right) in enumerate(merges):
        before = row
        facing = (left, right)
        while True:
            crossing = row_of_pair.get(facing, row)
            if crossing < before:
                taken = name_of(merges[crossing][0] + merges[crossing][1])
                raise InputError(
                    f"the merge {name_of(left)} + {name_of(right)} is never reached: {taken} is merged first",
                    "readers of such a vocabulary disagree on its ids; only vocabularies that were trained can be used",
                )
            left_age, right_age = age.get(facing[0], -1), age.get(facing[1], -1)
            if left_age > right_age:
                # of equal pairs, the left one is merged first, so the border remains
                before, facing = left_age, (parts[facing[0]][1], facing[1])
            elif right_age >= 0:
                before, facing = right_age + 1, (facing[0], parts[facing[1]][0])
            else:
                break
