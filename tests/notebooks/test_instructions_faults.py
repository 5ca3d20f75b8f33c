"""Chapter 7: its surprise holds for other seeds, and a fault in the library makes it fail."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.notebooks.cells import Cells, chapter_at
from torch import Tensor

from tuppence.data.records import encoding
from tuppence.model import lora
from tuppence.tasks import instruct
from tuppence.tokenizer.chat_template import Segment, render

INSTRUCTIONS = "07_Instructions"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("course")  # one base model for all tests


@pytest.fixture
def at_test_scale(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with chapter_at("test", folder, monkeypatch):
        yield


@pytest.fixture
def at_laptop_scale(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with chapter_at("laptop", folder, monkeypatch):
        yield


# ---- the surprise: the cells' own assertions, for other seeds -------------------------------------------------------


def rank_decides_as_chapter_7_says(seeds: list[int]) -> None:
    cells = Cells(INSTRUCTIONS)
    cells.run_before("runs, start, answers, forgotten = compare()")
    compare = cells.names["compare"]
    for seed in seeds:
        cells.names["compare"] = partial(compare, seed)
        cells.run_from("runs, start, answers, forgotten = compare()", "tp.figures.rank_and_forgetting")


@pytest.mark.soak
@pytest.mark.usefixtures("at_test_scale")
def test_the_rank_decides_what_is_learned_and_forgotten() -> None:
    rank_decides_as_chapter_7_says([2, 3])


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("at_laptop_scale")
def test_the_rank_decides_at_full_scale() -> None:
    rank_decides_as_chapter_7_says([1, 2, 3])


# ---- faults in the library -------------------------------------------------------------------------------------------


def end_not_trained(messages: Any, *, add_generation_prompt: bool) -> list[Segment]:
    return [part._replace(ends=False) for part in render(messages, add_generation_prompt=add_generation_prompt)]


def prompt_trained(messages: Any, *, add_generation_prompt: bool) -> list[Segment]:
    return [part._replace(trained=True) for part in render(messages, add_generation_prompt=add_generation_prompt)]


def mean_loss(model: Any, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
    logits_BTV = model(tokens_BT)
    return torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


def merged_without_scale(self: lora.LoRALinear) -> Tensor:
    weight = self.weight if self._unmerged is None else self._unmerged
    return weight + self.lora_B.detach() @ self.lora_A.detach()


def alpha_alone(self: lora.LoRA) -> float:
    return self.alpha


@pytest.mark.usefixtures("at_test_scale")
@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (encoding, "render", end_not_trained),
        (encoding, "render", prompt_trained),
        (instruct, "response_loss", mean_loss),
        (lora.LoRA, "scaling", property(alpha_alone)),
        (lora.LoRALinear, "merged_weight", merged_without_scale),
    ],
)
def test_chapter_7_finds_a_fault_in_the_library(
    owner: Any, name: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError):
        Cells(INSTRUCTIONS).run_before("def compare")


@pytest.mark.usefixtures("at_test_scale")
def test_nothing_is_found_in_the_library_itself() -> None:
    Cells(INSTRUCTIONS).run_before("def compare")
