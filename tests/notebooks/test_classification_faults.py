"""Chapter 6: its surprise holds for other seeds, and a fault in the library makes it fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.notebooks.cells import Cells, chapter_at
from torch import Tensor

import tuppence as tp
from tuppence.evaluation.scoring import class_baselines
from tuppence.evaluation.scoring.classifier import class_probabilities
from tuppence.evaluation.statistics import class_metrics
from tuppence.model import heads, lora
from tuppence.model.heads import SequenceScorer

CLASSIFICATION = "06_Classification"
MAJORITY, LAST_TOKEN, TRAINING = "always_ham =", "def padded(amount)", "rates = {"
RESULTS, WRONG_COLUMN = "def trained_numbers(name)", "def spam_at(column, amount)"
COUNTS, ROC, CALIBRATION, VERDICT = "def four_counts", "thresholds = [np.inf", "by_hand.append(", "mine, other, twin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("course")


@pytest.fixture(autouse=True)
def at_test_scale(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with chapter_at("test", folder, monkeypatch):
        yield


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Any]:
    """The names of the chapter up to its last metric, with its runs: trained once for all tests."""
    with pytest.MonkeyPatch.context() as patch, chapter_at("test", folder, patch):
        cells = Cells(CLASSIFICATION)
        cells.run_before("ham_lost, spam_read = 10, 1")
        return cells.names


def after(names: dict[str, Any]) -> Cells:
    cells = Cells(CLASSIFICATION)
    cells.names.update(names)
    return cells


# ---- the surprise: the cell's own assertion, for other seeds ---------------------------------------------------------


def padding_matters(seeds: list[int], cells: Cells, folder: Path) -> None:
    names = cells.names
    for seed in seeds:
        run = tp.classify(
            names["base"],
            names["messages"],
            folder / f"seed-{seed}",
            steps=names["steps"],
            learning_rate=names["rates"]["all"],
            embedding_learning_rate=1e-2,
            finetune__fractions=(0.8, 0.1, 0.1),
            seed=seed,
        )
        names["runs"] = {"all": run}
        names["answers"] = {"all": names["class_probabilities"](run.loaded, names["texts"])}
        cells.run(WRONG_COLUMN)


def test_at_the_last_column_padding_changes_the_answer(trained: dict[str, Any], tmp_path: Path) -> None:
    padding_matters([2, 3], after(trained), tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_at_the_last_column_padding_changes_the_answer_at_full_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chapter_at("laptop", tmp_path, monkeypatch):
        cells = Cells(CLASSIFICATION)
        cells.run_before(TRAINING)
        cells.names.update(steps=120, rates={"all": 2e-3})
        padding_matters([1, 2, 3], cells, tmp_path)


# ---- faults in the library -------------------------------------------------------------------------------------------


def last_column(self: SequenceScorer, tokens_BT: Tensor, lengths_B: Tensor) -> Any:
    return self.score(self.gpt.hidden(tokens_BT)[:, -1])


def one_too_far(self: SequenceScorer, tokens_BT: Tensor, lengths_B: Tensor) -> Any:
    hidden_BTD = self.gpt.hidden(tokens_BT)
    return self.score(hidden_BTD[torch.arange(len(lengths_B)), lengths_B.clamp(max=tokens_BT.shape[1] - 1)])


def mean_of_the_real(self: SequenceScorer, tokens_BT: Tensor, lengths_B: Tensor) -> Any:
    hidden_BTD = self.gpt.hidden(tokens_BT)
    real_BT1 = (torch.arange(tokens_BT.shape[1]) < lengths_B[:, None])[..., None]
    return self.score((hidden_BTD * real_BT1).sum(dim=1) / lengths_B[:, None])


def first_token(self: SequenceScorer, tokens_BT: Tensor, lengths_B: Tensor) -> Any:
    return self.score(self.gpt.hidden(tokens_BT)[:, 0])


@pytest.mark.parametrize("fault", [last_column, one_too_far, mean_of_the_real, first_token])
def test_chapter_6_finds_a_head_that_reads_elsewhere(
    fault: Any, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SequenceScorer, "forward", fault)
    with pytest.raises(AssertionError):
        after(trained).run(LAST_TOKEN)


def labels_swapped(train: Any, labels: Any, rows: int) -> Any:
    return class_baselines.majority_class(train, labels, rows)[:, ::-1]


def labels_equally_likely(train: Any, labels: Any, rows: int) -> Any:
    return np.full((rows, len(labels)), 1 / len(labels))


@pytest.mark.parametrize("fault", [labels_swapped, labels_equally_likely])
def test_chapter_6_finds_a_fault_in_the_majority(fault: Any, trained: dict[str, Any]) -> None:
    cells = after(trained)
    cells.names["majority_class"] = fault
    with pytest.raises(AssertionError):
        cells.run(MAJORITY)


def nothing_frozen(model: SequenceScorer, kind: Any, shape: Any = None) -> None:
    model.requires_grad_(True)


def head_frozen(model: SequenceScorer, kind: Any, shape: Any = None) -> None:
    heads.train_only(model, kind, shape)
    model.score.requires_grad_(False)


def first_block(model: SequenceScorer, kind: Any, shape: Any = None) -> None:
    heads.train_only(model, "head" if kind == "last-block" else kind, shape)
    if kind == "last-block":
        model.gpt.blocks[0].requires_grad_(True)


@pytest.mark.parametrize("fault", [nothing_frozen, head_frozen, first_block])
def test_chapter_6_finds_a_fault_in_what_is_trained(fault: Any, trained: dict[str, Any]) -> None:
    cells = after(trained)
    cells.names["train_only"] = fault
    with pytest.raises(AssertionError):
        cells.run(RESULTS)


@pytest.mark.parametrize(("kind", "in_fact"), [("head", "all"), ("last-block", "all"), ("lora", "last-block")])
def test_chapter_6_finds_that_other_weights_have_moved(kind: str, in_fact: str, trained: dict[str, Any]) -> None:
    cells = after(trained)
    cells.names["runs"] = {**trained["runs"], kind: _with_the_weights_of(trained["runs"], kind, in_fact)}
    with pytest.raises(AssertionError):
        cells.run(RESULTS)


def _with_the_weights_of(runs: Any, kind: str, other: str) -> Any:
    class Mixed:
        def __getattr__(self, name: str) -> Any:
            return getattr(runs[other if name == "model" else kind], name)

    return Mixed()


def alpha_alone(self: lora.LoRA) -> float:
    return self.alpha


def merged_without_scale(self: lora.LoRALinear) -> Tensor:
    return self.weight + self.lora_B.detach() @ self.lora_A.detach()


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [(lora.LoRA, "scaling", property(alpha_alone)), (lora.LoRALinear, "merged_weight", merged_without_scale)],
)
def test_chapter_6_finds_a_fault_in_lora(
    owner: Any, name: str, fault: Any, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault)
    cells = after(trained)
    run = cells.names["train"](cells.names["base"], cells.names["messages"], f"lora-{fault}"[:20], "lora")
    cells.names["runs"] = {**trained["runs"], "lora": run}
    with pytest.raises(AssertionError):
        cells.run(RESULTS)


def in_another_order(loaded: Any, texts: Any) -> Any:
    return class_probabilities(loaded, texts)[::-1]


def of_the_other_class(loaded: Any, texts: Any) -> Any:
    return class_probabilities(loaded, texts)[:, ::-1]


@pytest.mark.parametrize("fault", [in_another_order, of_the_other_class])
def test_chapter_6_finds_a_fault_in_the_probabilities(fault: Any, trained: dict[str, Any]) -> None:
    cells = after(trained)
    cells.names["class_probabilities"] = fault
    with pytest.raises(AssertionError):
        cells.run(RESULTS, WRONG_COLUMN)


MEASURES = class_metrics.measures


def swapped(*arguments: Any) -> Any:
    found = MEASURES(*arguments)
    return {**found, "precision": found["recall"], "recall": found["precision"]}


def macro(*arguments: Any) -> Any:
    found = MEASURES(*arguments)
    return {**found, "f1": found["macro_f1"]}


def mean_of_both(*arguments: Any) -> Any:
    found = MEASURES(*arguments)
    return {**found, "f1": (found["precision"][:, 1] + found["recall"][:, 1]) / 2}


def of_ham(*arguments: Any) -> Any:
    found = MEASURES(*arguments)
    return {**found, "f1": found["class_f1"][:, 0]}


def upside_down(*arguments: Any) -> Any:
    found = MEASURES(*arguments)
    return {**found, "auc": 1 - found["auc"]}


def ties_as_wins(predictions: Any, *arguments: Any) -> Any:
    spam, gold = predictions.probabilities[:, 1], predictions.gold
    wins = (spam[gold == 1][:, None] >= spam[gold == 0]).mean()
    return {**MEASURES(predictions, *arguments), "auc": np.array([wins])}


def weights_ignored(predictions: Any, weights: Any = None) -> Any:
    found = MEASURES(predictions)
    return {name: value.repeat(1 if weights is None else len(weights), axis=0) for name, value in found.items()}


def counted_twice(*arguments: Any) -> Any:
    found = MEASURES(*arguments)
    return {**found, "brier": 2 * found["brier"]}


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        (swapped, COUNTS),
        (macro, COUNTS),
        (mean_of_both, COUNTS),
        (of_ham, COUNTS),
        (upside_down, ROC),
        (ties_as_wins, ROC),
        (counted_twice, CALIBRATION),
        (weights_ignored, VERDICT),
    ],
)
def test_chapter_6_finds_a_fault_in_a_measure(fault: Any, part: str, trained: dict[str, Any]) -> None:
    cells = after(trained)
    cells.names["measures"] = fault
    with pytest.raises(AssertionError):
        cells.run(*([part] if part in (COUNTS, VERDICT) else [COUNTS, part]))


def five_bins(predictions: Any) -> Any:
    confidence = predictions.probabilities.max(axis=1)
    return confidence, (np.ceil(confidence * 5) - 1).astype(np.int64)


def by_the_probability_of_spam(predictions: Any) -> Any:
    spam = predictions.probabilities[:, 1]
    return spam, (np.ceil(spam * 10) - 1).astype(np.int64).clip(0, 9)


def one_bin(predictions: Any) -> Any:
    confidence = predictions.probabilities.max(axis=1)
    return confidence, np.zeros(len(confidence), dtype=np.int64)


@pytest.mark.parametrize("fault", [five_bins, by_the_probability_of_spam, one_bin])
def test_chapter_6_finds_a_fault_in_the_bins(
    fault: Any, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_metrics, "_confidence", fault)
    with pytest.raises(AssertionError):
        after(trained).run(CALIBRATION)


def other_draws(models: Any, seed: int = 0) -> Any:
    return [class_metrics.bootstrap_measures([model], seed=number)[0] for number, model in enumerate(models)]


def nine_tenths(values: Any) -> Any:
    return np.quantile(values, [0.05, 0.95]).tolist()


@pytest.mark.parametrize(("name", "fault"), [("bootstrap_measures", other_draws), ("interval", nine_tenths)])
def test_chapter_6_finds_a_fault_in_the_interval(name: str, fault: Any, trained: dict[str, Any]) -> None:
    cells = after(trained)
    cells.names[name] = fault
    with pytest.raises(AssertionError):
        cells.run(VERDICT)


def test_nothing_is_found_in_the_library_itself(trained: dict[str, Any]) -> None:
    after(trained).run(MAJORITY, LAST_TOKEN, RESULTS, WRONG_COLUMN, COUNTS, ROC, CALIBRATION, VERDICT)
