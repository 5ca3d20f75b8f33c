"""Duplicates go, splits follow the text, and nothing depends on where a document stands."""

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
def test_exact_copies_are_dropped_and_the_first_ones_kept_in_order(documents: list[list[str]]) -> None:
    # cut like the reader cuts: equal texts are cut alike, so that "ab" is never both one piece and two
    documents = [[piece * 2 for piece in parts] for parts in documents]
    deduplicator = Deduplicator()
    wanted = list(dict.fromkeys("".join(parts) for parts in documents))
    assert joined(deduplicator.unique(pieces(*documents))) == wanted
    assert deduplicator.dropped == len(documents) - len(wanted)


def test_long_documents_with_the_same_beginning_are_told_apart_by_their_ends() -> None:
    documents = [["head", "one"], ["head", "two"], ["head", "one"], ["head", "two", "more"]]
    deduplicator = Deduplicator()
    assert joined(deduplicator.unique(pieces(*documents))) == ["headone", "headtwo", "headtwomore"]
    assert deduplicator.dropped == 1


def test_documents_seen_in_one_stream_are_dropped_from_the_next() -> None:
    deduplicator = Deduplicator()
    assert joined(deduplicator.unique(pieces(["held out"], ["other"]))) == ["held out", "other"]
    assert joined(deduplicator.unique(pieces(["new"], ["held out"]))) == ["new"]


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5])
def test_the_hash_holds_out_about_the_share_that_was_asked_for(fraction: float) -> None:
    documents = [[f"document {number}"] for number in range(20_000)]
    held_out = sum(split == "val" for split, _ in assign_splits(pieces(*documents), assign_by_hash(fraction, 0)))
    deviation = (fraction * (1 - fraction) * len(documents)) ** 0.5
    assert abs(held_out - fraction * len(documents)) < 4 * deviation


def test_the_split_follows_from_the_text_and_the_seed_alone() -> None:
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


def test_one_text_is_measured_with_its_copies_and_another_one_ends_the_search() -> None:
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
def test_the_tail_of_the_only_document_becomes_the_validation_split(parts: list[str], share: float) -> None:
    whole = "".join(parts)
    train_characters = int(len(whole) * share)
    found = list(split_tail(pieces(parts), train_characters))
    train = "".join(piece.text for split, piece in found if split == "train")
    val = "".join(piece.text for split, piece in found if split == "val")
    assert train + val == whole
    assert len(train) <= train_characters
    assert [split for split, piece in found if piece.last] == ["train", "val"]


def test_the_tail_begins_on_a_new_line_where_there_is_one() -> None:
    found = list(split_tail(pieces(["first line\nsecond line\nthird line\n"]), 25))
    assert [(split, piece.text) for split, piece in found] == [
        ("train", "first line\nsecond line\n"),
        ("val", "third line\n"),
    ]
