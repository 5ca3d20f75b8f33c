"""Chapter 4: its surprises hold for other seeds, and a fault in the library makes it fail."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from tests.notebooks.cells import Cells
from torch import Tensor, nn
from torch.nn import functional as F

from tuppence.model import attention, gpt
from tuppence.model.config import ModelConfig

GPT_MODEL = "04_GPT_Model"


# ---- the surprise: the cells' own assertions, for other seeds -------------------------------------------------------


def parts_matter_as_chapter_4_says(seeds: list[int]) -> None:
    cells = Cells(GPT_MODEL)
    cells.run("import importlib", "from tuppence.model.cache import")
    first = cells.index("def train_without")
    data, training = cells.sources[first].split("runs = {")
    cells.sources[first : first + 1] = [data, "runs = {" + training]
    cells.run("def train_without")
    train = cells.names["train_without"]
    for seed in seeds:
        cells.names["train_without"] = partial(train, seed=seed)
        cells.run_from("runs = {", "def loss_one_by_one")


@pytest.mark.soak
@pytest.mark.usefixtures("at_test_scale")
def test_the_parts_of_a_gpt_matter_as_the_chapter_says() -> None:
    parts_matter_as_chapter_4_says([2, 3])


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("at_laptop_scale")
def test_the_parts_of_a_gpt_matter_at_full_scale() -> None:
    parts_matter_as_chapter_4_says([1, 2, 3])


# ---- faults in the library -------------------------------------------------------------------------------------------


def heads_by_view_alone(self: attention.CausalSelfAttention, x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], self.n_heads, x.shape[1], -1)


def post_norm(self: gpt.Block, x: Tensor, cache: Any = None, layer: int = 0) -> Tensor:
    x = self.attention_norm(x + self.attention(x, cache, layer))
    out: Tensor = self.mlp_norm(x + self.mlp(x))
    return out


def without_residual(self: gpt.Block, x: Tensor, cache: Any = None, layer: int = 0) -> Tensor:
    out: Tensor = self.mlp(self.mlp_norm(self.attention(self.attention_norm(x), cache, layer)))
    return out


def equal_start(self: gpt.GPT, module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)


def forgotten_biases(self: ModelConfig) -> int:
    return (self.vocab_size + self.context_length + 12 * self.n_layers * self.d_model) * self.d_model


def two_operations(self: ModelConfig) -> float:
    return 2.0 * self.parameter_count()


@pytest.mark.usefixtures("at_test_scale")
@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (gpt, "gelu", F.relu),
        (gpt.Block, "forward", post_norm),
        (gpt.Block, "forward", without_residual),
        (gpt.GPT, "_initialise", equal_start),
        (ModelConfig, "parameter_count", forgotten_biases),
        (ModelConfig, "flops_per_token", two_operations),
        (attention.CausalSelfAttention, "_split", heads_by_view_alone),
    ],
)
def test_chapter_4_finds_a_fault_in_the_model(
    owner: Any, name: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError):
        Cells(GPT_MODEL).run_before("def train_without")


@pytest.mark.usefixtures("at_test_scale")
def test_nothing_is_found_in_the_library_itself() -> None:
    Cells(GPT_MODEL).run_before("def train_without")
