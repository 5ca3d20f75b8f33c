"""Chapter 2: a fault in the library makes it fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.notebooks.cells import Cells, chapter_at
from torch import Tensor

import tuppence as tp
from tuppence.tokenizer import reference, trainer

TEXT = "02_Text_Data"


@pytest.fixture(autouse=True)
def at_test_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with chapter_at("test", tmp_path, monkeypatch):
        yield


def run_to(part: str) -> None:
    Cells(TEXT).run_before(part)


def overlapping(tokens: Sequence[Any], pair: tuple[Any, Any], new: Any) -> list[Any]:
    return [new if tuple(tokens[at : at + 2]) == pair else token for at, token in enumerate(tokens)]


def from_the_right(tokens: Sequence[Any], pair: tuple[Any, Any], new: Any) -> list[Any]:
    merged: list[Any] = []
    at = len(tokens) - 1
    while at >= 0:
        if at and (tokens[at - 1], tokens[at]) == pair:
            merged.append(new)
            at -= 2
        else:
            merged.append(tokens[at])
            at -= 1
    return merged[::-1]


def least_first(words: Mapping[bytes, int], count: int, on_progress: object = None) -> list[tuple[int, int]]:
    return reference.learn_merges(words, count)[::-1]


def longest_first(word: bytes, ranks: Mapping[bytes, int], below: int | None = None) -> list[bytes]:
    tokens = []
    while word:
        size = next(size for size in range(len(word), 0, -1) if word[:size] in ranks)
        tokens.append(word[:size])
        word = word[size:]
    return tokens


def without_shift(tokens_N: Tensor, context: int, batch_size: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        rows = tokens_N[: batch_size * context].view(batch_size, context)
        yield rows, rows


def one_token_lost(tokens_N: Tensor, context: int, batch_size: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    rows = tokens_N.unfold(0, context + 1, context + 1)
    while True:
        yield rows[:batch_size, :-1], rows[:batch_size, 1:]


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (reference, "merge", overlapping),
        (reference, "merge", from_the_right),
        (trainer, "learn_merges", least_first),
        (reference, "encode_word", longest_first),
    ],
)
def test_chapter_2_finds_a_fault_in_the_tokenizer(
    owner: Any, name: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError):
        run_to("generator = random.Random(2)")


@pytest.mark.parametrize("fault", [without_shift, one_token_lost])
def test_chapter_2_finds_a_fault_in_the_windows(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tp, "windows", fault, raising=False)
    cells = Cells(TEXT)
    cells.run("import importlib", "import hashlib", "ranks = tokenizer.vocabulary.ranks")
    with pytest.raises(AssertionError):
        cells.run("by_hand = [(ids[T * n")


def test_nothing_is_found_in_the_library_itself() -> None:
    torch.manual_seed(0)
    run_to("training, held_out = tp.stories")
