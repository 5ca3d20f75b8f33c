"""Copies are dropped, and splits depend only on the text, not on the position of a document."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.data.pieces import Piece
from tuppence.data.selection import (
    Deduplicator,
    OneText,
    assign_by_hash,
    assign_splits,
    only_text,
    split_tail,
)


def pieces(*documents: list[str]) -> Iterator[Piece]:
    for number, parts in enumerate(documents, 1):
        for position, part in enumerate(parts, 1):
            yield Piece("a.txt", number, part, last=position == len(parts))


def joined(found: Iterator[Piece]) -> list[str]:
    texts = [""]
    for piece in found:
        texts[-1] += piece.text
        if piece.last:
            texts.append("")
    assert texts.pop() == ""
    return texts


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4), max_size=12))
def test_copies_are_dropped_and_first_documents_kept_in_order(documents: list[list[str]]) -> None:
    # cut as the reader does: equal texts have equal pieces, so "ab" is never both one piece and two
    documents = [[piece * 2 for piece in parts] for parts in documents]
    deduplicator = Deduplicator()
    wanted = list(dict.fromkeys("".join(parts) for parts in documents))
    assert joined(deduplicator.unique(pieces(*documents))) == wanted
    assert deduplicator.dropped == len(documents) - len(wanted)


def test_long_documents_with_equal_beginnings_and_other_ends_are_kept() -> None:
    documents = [["head", "one"], ["head", "two"], ["head", "one"], ["head", "two", "more"]]
    deduplicator = Deduplicator()
    assert joined(deduplicator.unique(pieces(*documents))) == ["headone", "headtwo", "headtwomore"]
    assert deduplicator.dropped == 1


def test_documents_seen_in_one_stream_are_dropped_from_the_next() -> None:
    deduplicator = Deduplicator()
    assert joined(deduplicator.unique(pieces(["held out"], ["other"]))) == ["held out", "other"]
    assert joined(deduplicator.unique(pieces(["new"], ["held out"]))) == ["new"]


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5])
def test_the_hash_holds_out_about_the_requested_share(fraction: float) -> None:
    documents = [[f"document {number}"] for number in range(20_000)]
    held_out = sum(split == "val" for split, _ in assign_splits(pieces(*documents), assign_by_hash(fraction, 0)))
    deviation = (fraction * (1 - fraction) * len(documents)) ** 0.5
    assert abs(held_out - fraction * len(documents)) < 4 * deviation


def test_the_split_depends_only_on_text_and_seed() -> None:
    documents = [[f"document {number}"] for number in range(300)]

    def splits(order: list[list[str]], seed: int) -> dict[str, str]:
        return {piece.text: split for split, piece in assign_splits(pieces(*order), assign_by_hash(0.3, seed))}

    assert splits(documents, 1) == splits(documents[::-1], 1)
    assert splits(documents, 1) != splits(documents, 2)


def test_the_pieces_of_a_document_stay_in_one_split() -> None:
    documents = [[f"head {number}", "middle", "end"] for number in range(100)]
    seen: dict[int, set[str]] = {}
    for split, piece in assign_splits(pieces(*documents), assign_by_hash(0.5, 0)):
        seen.setdefault(piece.number, set()).add(split)
    assert all(len(splits) == 1 for splits in seen.values())
    assert len({next(iter(splits)) for splits in seen.values()}) == 2


def test_only_text_counts_copies_and_stops_at_another_text() -> None:
    assert only_text(pieces(["four", "more"])) == OneText(characters=8, copies=1)
    assert only_text(pieces(["four", "more"], ["fourmo", "re"])) == OneText(characters=8, copies=2)
    drawn = pieces(["one"], ["two"], ["three"])
    assert only_text(drawn) is None
    assert next(drawn).text == "three"
    assert only_text(pieces()) is None


@given(
    parts=st.lists(st.text(alphabet="ab \n", min_size=1, max_size=12), min_size=1, max_size=6),
    share=st.floats(0.05, 0.95),
)
def test_the_end_of_the_only_document_is_the_validation_split(parts: list[str], share: float) -> None:
    whole = "".join(parts)
    train_characters = int(len(whole) * share)
    found = list(split_tail(pieces(parts), train_characters))
    train = "".join(piece.text for split, piece in found if split == "train")
    val = "".join(piece.text for split, piece in found if split == "val")
    assert train + val == whole
    assert len(train) <= train_characters
    assert [split for split, piece in found if piece.last] == ["train", "val"]


def test_the_validation_split_begins_at_a_line_if_possible() -> None:
    found = list(split_tail(pieces(["first line\nsecond line\nthird line\n"]), 25))
    assert [(split, piece.text) for split, piece in found] == [
        ("train", "first line\nsecond line\n"),
        ("val", "third line\n"),
    ]
