"""Chapter 1: a fault in the library makes it fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.notebooks.cells import Cells, chapter_at
from torch import Tensor
from torch.nn import functional as F

import tuppence as tp
from tuppence.cost import estimate, hardware, plan, rates
from tuppence.cost.answer import Plan
from tuppence.course import reading
from tuppence.model import attention
from tuppence.model.config import ModelConfig

FUNDAMENTALS = "01_LLM_Fundamentals"


@pytest.fixture(autouse=True)
def at_test_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with chapter_at("test", tmp_path, monkeypatch):
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names of the chapter after its GPT has been trained."""
    with pytest.MonkeyPatch.context() as patch, chapter_at("test", tmp_path_factory.mktemp("course"), patch):
        cells = Cells(FUNDAMENTALS)
        cells.run_before('text = "One morning the fox"')
        return cells.names


def after(names: dict[str, Any]) -> Cells:
    cells = Cells(FUNDAMENTALS)
    cells.names.update(names)
    return cells


def with_a_pencil() -> Cells:
    """The chapter without the GPT, which its sums do not need."""
    return after({"tp": tp, "torch": torch})


# ---- faults in the library -------------------------------------------------------------------------------------------


def mean_loss(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits, targets)


def without_shift(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits[1:], targets[:-1], reduction="sum")


@pytest.mark.parametrize("fault", [mean_loss, without_shift])
def test_chapter_1_finds_a_fault_in_the_loss(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tp, "cross_entropy", fault, raising=False)
    cells = Cells(FUNDAMENTALS)
    cells.run("import importlib", "counts = torch.zeros")
    with pytest.raises(AssertionError):
        cells.run("by_hand = -torch.stack([table[a, b]")


def row_before_the_last(model: Any, tokenizer: Any, text: str, k: int) -> Any:
    return reading.next_tokens(model, tokenizer, text[: text.rindex(" ")], k)


def scores_for_probabilities(model: Any, tokenizer: Any, text: str, k: int) -> Any:
    with torch.no_grad():
        best = model(torch.tensor([tokenizer.encode(text)]))[0, -1].topk(k)
    return tp.Table(["id", "probability"], list(zip(best.indices.tolist(), best.values.tolist(), strict=True)))


def first_token_left_out(model: Any, tokenizer: Any, text: str) -> Any:
    ids = torch.tensor(tokenizer.encode(text))
    with torch.no_grad():
        return SimpleNamespace(loss=F.cross_entropy(model(ids[None, :-1])[0], ids[1:]).item())


def loss_of_a_byte(model: Any, tokenizer: Any, text: str) -> Any:
    return SimpleNamespace(loss=reading.perplexity(model, tokenizer, text).bits_per_byte)


@pytest.mark.parametrize(
    ("name", "fault", "part"),
    [
        ("next_tokens", row_before_the_last, 'text = "One morning the fox"'),
        ("next_tokens", scores_for_probabilities, 'text = "One morning the fox"'),
        ("perplexity", first_token_left_out, "sentence = ["),
        ("perplexity", loss_of_a_byte, "sentence = ["),
    ],
)
def test_chapter_1_finds_a_fault_in_what_a_model_says(
    name: str, fault: Any, part: str, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tp, name, fault, raising=False)
    with pytest.raises(AssertionError):
        after(trained).run(part)


def not_causal(q: Tensor, k: Tensor, v: Tensor, *_: Any, **__: Any) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def nothing_left_out(config: ModelConfig, *parts: str) -> Any:
    return tp.GPT(config)


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [(attention, "fused_attention", not_causal), (tp, "ablated", nothing_left_out)],
)
def test_chapter_1_finds_a_model_that_looks_ahead(
    owner: Any, name: str, fault: Any, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault, raising=False)
    cells = after(trained)
    cells.names["batch"] = cells.names["unseen"][: 2 * 64].view(2, 64)
    with pytest.raises(AssertionError):
        cells.run("changed = batch.clone()")


def mask_of_an_encoder(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    return torch.ones(queries, keys, dtype=torch.bool, device=device)


def later_tokens_alone(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    return torch.ones(queries, keys, dtype=torch.bool, device=device).triu(keys - queries)


@pytest.mark.parametrize("fault", [mask_of_an_encoder, later_tokens_alone])
def test_chapter_1_finds_a_fault_in_the_mask(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tp, "causal_mask", fault, raising=False)
    with pytest.raises(AssertionError):
        with_a_pencil().run("n = 6")


def no_biases(self: ModelConfig) -> int:
    return (self.vocab_size + self.context_length + 12 * self.n_layers * self.d_model) * self.d_model


count, operations = ModelConfig.parameter_count, ModelConfig.flops_per_token


def head_of_its_own(self: ModelConfig) -> int:
    return count(self) + self.vocab_size * self.d_model


def no_final_norm(self: ModelConfig) -> int:
    return count(self) - 2 * self.d_model


def forward_alone(self: ModelConfig) -> float:
    return operations(self) / 3


def no_attention(self: ModelConfig) -> float:
    return 6.0 * count(self)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("parameter_count", no_biases),
        ("parameter_count", head_of_its_own),
        ("parameter_count", no_final_norm),
        ("flops_per_token", forward_alone),
        ("flops_per_token", no_attention),
    ],
)
def test_chapter_1_finds_a_fault_in_a_count(name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelConfig, name, fault)
    with pytest.raises(AssertionError):
        with_a_pencil().run("L, D, V, T = 12", "N = by_hand")


price_of, peak_of, lines_of = rates.price_of, hardware.known_peak, plan._lines


def price_of_ec2(item: str, **options: Any) -> Any:
    return price_of(item.removeprefix("ml."), **options)


def peak_of_float32(device: str, precision: str) -> Any:
    return peak_of(device, "float32")


def price_ignored(self: estimate.Estimate) -> float:
    return self.hours


def discounted_twice(self: estimate.Estimate) -> float:
    return self.on_demand * 0.35 * 0.35


def never_discounted(self: estimate.Estimate) -> float:
    return self.sagemaker_on_demand


def without_lead(self: estimate.Estimate) -> float:
    return self.hours * self.sagemaker.usd


def milliseconds(self: estimate.Estimate) -> float:
    return self.hours * 3600 * 1000 * self.speed.flops_per_second / (6e6 * self.model_params_millions)


def a_token_for_each(self: estimate.Estimate) -> float:
    return 1e6 * self.model_params_millions


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (rates, "price_of", price_of_ec2),
        (hardware, "known_peak", peak_of_float32),
        (estimate.Estimate, "on_demand", property(price_ignored)),
        (estimate.Estimate, "compute", property(discounted_twice)),
        (estimate.Estimate, "sagemaker_spot", property(never_discounted)),
        (estimate.Estimate, "sagemaker_on_demand", property(without_lead)),
        (estimate, "price_of", price_of_ec2),
        (estimate.Estimate, "tokens", property(milliseconds)),
        (estimate.Estimate, "tokens_wanted", property(a_token_for_each)),
    ],
)
def test_chapter_1_finds_a_fault_in_a_price(owner: Any, name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(AssertionError):
        sums_to_the_calculator()


def sums_to_the_calculator() -> Cells:
    cells = with_a_pencil()
    cells.run("L, D, V, T = 12", "N = by_hand", "from tuppence.cost.hardware import", "small = tp.estimate_aws_cost")
    return cells


def price_ignored_by_the_plan(self: plan.Machine) -> float:
    return 1.0


def half_of_the_dollars(*arguments: Any) -> Any:
    return tuple(replace(line, dollars=line.dollars / 2) for line in lines_of(*arguments))


def the_first_row(self: Plan) -> Any:
    return self.rows[0]


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (plan.Machine, "usd_per_hour", property(price_ignored_by_the_plan)),
        (plan, "_lines", half_of_the_dollars),
        (Plan, "best", property(the_first_row)),
    ],
)
def test_chapter_1_finds_a_fault_in_the_plan(
    owner: Any, name: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault)
    cells = with_a_pencil()
    cells.names["price_of"] = price_of
    with pytest.raises(AssertionError):
        cells.run("plan = tp.plan(budget=100)")


def test_nothing_is_found_in_the_library_itself(trained: dict[str, Any]) -> None:
    cells = after(trained)
    cells.run('text = "One morning the fox"', "sentence = [", "batch = unseen", "n = 6", "changed = batch.clone()")
    sums_to_the_calculator().run("plan = tp.plan(budget=100)")
