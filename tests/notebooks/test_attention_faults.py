"""Chapter 3: its surprise holds for other seeds, and a fault in the library makes it fail."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from tests.notebooks.cells import Cells
from torch import Tensor
from torch.nn import functional as F

import tuppence as tp
from tuppence.model import attention

ATTENTION = "03_Attention"


# ---- the surprise: the cells' own assertions, for other seeds -------------------------------------------------------


def two_layers_quote_and_one_does_not(seeds: list[int]) -> None:
    cells = Cells(ATTENTION)
    cells.run("import importlib", "from tuppence.model.attention import", "def quoting_rows", "class Quoting")
    train = cells.names["train_quoting"]
    for seed in seeds:
        cells.names["train_quoting"] = partial(train, seed=seed)
        cells.run("assert end(one) > 1.5", "tp.attention_maps(two.model, row)", "assert quoted.max() > 0.7")
        cells.run("def preference", "class Forbidding")


@pytest.mark.soak
@pytest.mark.usefixtures("at_test_scale")
def test_two_layers_learn_to_quote_and_one_does_not() -> None:
    two_layers_quote_and_one_does_not([1, 2])


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("at_laptop_scale")
def test_two_layers_learn_to_quote_at_full_scale() -> None:
    two_layers_quote_and_one_does_not([0, 1, 2])


# ---- faults in the library -------------------------------------------------------------------------------------------


def unscaled(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, dropout: float = 0.0) -> tuple[Tensor, Tensor]:
    weights = torch.softmax((q @ k.mT).masked_fill(~mask, -torch.inf), dim=-1)
    return weights @ v, weights


def masked_last(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, dropout: float = 0.0) -> tuple[Tensor, Tensor]:
    weights = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1) * mask
    return weights @ v, weights


def over_queries(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, dropout: float = 0.0) -> tuple[Tensor, Tensor]:
    scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, -torch.inf)
    weights = torch.softmax(scores, dim=-2)
    return weights @ v, weights


def not_itself(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries - 1)


def one_more(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries + 1)


def not_causal(q: Tensor, k: Tensor, v: Tensor, *_: Any, **__: Any) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def heads_by_view_alone(self: attention.CausalSelfAttention, x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], self.n_heads, x.shape[1], -1)


@pytest.mark.usefixtures("at_test_scale")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("attention", unscaled),
        ("attention", masked_last),
        ("attention", over_queries),
        ("causal_mask", not_itself),
        ("causal_mask", one_more),
    ],
)
def test_chapter_3_finds_a_fault_in_the_attention(name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tp, name, fault, raising=False)
    with pytest.raises(AssertionError):
        Cells(ATTENTION).run_before("def quoting_rows")


@pytest.mark.usefixtures("at_test_scale")
@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [(attention, "fused_attention", not_causal), (attention.CausalSelfAttention, "_split", heads_by_view_alone)],
)
def test_chapter_3_finds_a_fault_in_the_layer(
    owner: Any, name: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError):
        Cells(ATTENTION).run_before("def quoting_rows")


@pytest.mark.usefixtures("at_test_scale")
def test_nothing_is_found_in_the_library_itself() -> None:
    Cells(ATTENTION).run_before("def quoting_rows")
