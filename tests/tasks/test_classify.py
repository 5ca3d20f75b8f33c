"""The objective of classification, and the defaults that depend on the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tuppence.core.config import load_config
from tuppence.data.buckets import IGNORED_TARGET
from tuppence.data.records.texts import encode_texts
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import inspect
from tuppence.model.saving import save_model
from tuppence.tasks.classify import (
    Classes,
    ClassifyJob,
    ClassifyRecipe,
    _with_embedding_rate,
    _with_evaluations,
)
from tuppence.tasks.labelled import EncodedLabelled, LabelledFiles
from tuppence.tokenizer import train_tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.objective import count_targets

TEXTS = ["see you", "you have won a prize, call now", "noon", "it rained and rained", "call me"]
LABELS = [0, 1, 0, 2, 1]


def config(*overrides: str) -> ClassifyRecipe:
    return load_config(ClassifyRecipe, overrides=overrides)


@pytest.fixture
def objective() -> Classes:
    tokenizer = train_tokenizer(TEXTS, vocab_size=260)
    encoded = encode_texts(tokenizer, TEXTS, context_length=32)
    rows = [EncodedLabelled(ids, label) for ids, label in zip(encoded.rows, LABELS, strict=True)]
    return Classes(rows, rows[:3], 32, TrainConfig(batch_size=2, seed=3))


@pytest.fixture
def model() -> SequenceScorer:
    torch.manual_seed(0)
    return SequenceScorer(GPT(ModelConfig(n_layers=1, n_heads=1, d_model=8, context_length=32, vocab_size=260)), 3)


def test_the_loss_is_the_cross_entropy_summed_over_texts(objective: Classes, model: SequenceScorer) -> None:
    rows = objective._train
    loss, found = objective.loss(model, *objective.collate(rows))
    scores = torch.cat([model(torch.tensor([row.ids.tolist()]), torch.tensor([len(row.ids)])) for row in rows])
    torch.testing.assert_close(loss, F.cross_entropy(scores, torch.tensor(LABELS)) * len(rows))
    assert float(found["accuracy"]) == float((scores.argmax(dim=-1) == torch.tensor(LABELS)).sum())


@pytest.mark.parametrize("left_out", [{"word_dropout": 0.5}, {"crop": 1.0}])
def test_deletions_depend_on_text_and_step_only_and_held_out_texts_are_whole(
    left_out: dict[str, float],
) -> None:
    rows = [EncodedLabelled(np.arange(20) + 20 * number, number) for number in range(8)]

    def texts(
        step: int, batch_size: int, accumulation_steps: int, rank: int = 0, ranks: int = 1
    ) -> dict[int, list[int]]:
        config = TrainConfig(batch_size=batch_size, accumulation_steps=accumulation_steps)
        found = {}
        for tokens_BT, lengths_B, labels_B in Classes(rows, rows, 32, config, **left_out).batches(step, rank, ranks):
            for tokens, length, label in zip(tokens_BT.tolist(), lengths_B.tolist(), labels_B.tolist(), strict=True):
                found[label] = tokens[:length]
        return found

    whole = texts(3, batch_size=8, accumulation_steps=1)
    assert whole == texts(3, batch_size=1, accumulation_steps=8)
    assert whole == texts(3, 2, 2, rank=0, ranks=2) | texts(3, 2, 2, rank=1, ranks=2)
    assert whole != texts(4, batch_size=8, accumulation_steps=1)
    assert sum(map(len, whole.values())) < 160
    validated = Classes(rows, rows, 32, TrainConfig(batch_size=8), **left_out).evaluation()
    assert sum(int(lengths_B.sum()) for _, lengths_B, _ in validated) == 160


def test_a_text_is_one_target_and_its_padding_is_no_token(objective: Classes) -> None:
    batch = objective.collate(objective._train)
    assert count_targets(batch) == len(TEXTS)
    assert objective.tokens(batch) == sum(len(row.ids) for row in objective._train)


def test_a_rank_without_rows_adds_no_loss_and_no_gradient(objective: Classes, model: SequenceScorer) -> None:
    batches = [batch for step in range(3) for rank in range(2) for batch in objective.batches(step, rank, 2)]
    empty = [batch for batch in batches if (batch[-1] == IGNORED_TARGET).all()]
    assert empty
    loss, found = objective.loss(model, *empty[0])
    loss.backward()
    assert (loss.item(), float(found["accuracy"]), objective.tokens(empty[0])) == (0.0, 0.0, 0)
    assert model.score.weight.grad is not None
    assert not model.score.weight.grad.any()


def test_the_split_has_a_seed_of_its_own(tmp_path: Path) -> None:
    sizes = ModelConfig(n_layers=1, n_heads=1, d_model=8, context_length=32, vocab_size=260)
    save_model(GPT(sizes), tmp_path / "base", tokenizer=train_tokenizer(TEXTS, vocab_size=260))
    rows = [f"{'spam' if n % 5 else 'ham'}\tsee {n}" for n in range(50)]
    (tmp_path / "all.tsv").write_text("\n".join(rows))
    base, given = inspect(tmp_path / "base"), LabelledFiles(tmp_path / "all.tsv")

    def trained(*overrides: str) -> Sequence[object]:
        return ClassifyJob(base, given, tmp_path / "run", config(*overrides)).rows

    assert trained("train.seed=2", "finetune.split_seed=1") == trained("train.seed=1") != trained("train.seed=2")


def test_every_text_is_seen_once_an_epoch(objective: Classes) -> None:
    seen = [label for step in range(3) for batch in objective.batches(step, 0, 1) for label in batch[-1].tolist()]
    assert sorted(seen) == sorted(LABELS)


def test_the_rows_are_validated_twice_an_epoch_unless_the_recipe_says_otherwise() -> None:
    assert _with_evaluations(config("train.batch_size=10").train, rows=1000).eval_every == 50
    assert _with_evaluations(config("train.batch_size=4", "train.accumulation_steps=5").train, 1000).eval_every == 25
    assert _with_evaluations(config("train.batch_size=64").train, rows=10).eval_every == 1
    assert _with_evaluations(config("train.eval_every=7").train, rows=1000).eval_every == 7
    assert _with_evaluations(config("train.eval_every=0").train, rows=1000).eval_every == 0


def test_the_learning_rate_of_the_embeddings_is_a_multiple_unless_the_recipe_gives_it() -> None:
    plain, slow, own = (
        _with_embedding_rate(config(*overrides).train)
        for overrides in ((), ("train.lr=1e-7",), ("train.lr=1e-7", "train.embedding_learning_rate=1e-5"))
    )
    assert plain.embedding_learning_rate == 2e-3  # as runs of before have it in run.yaml
    assert slow.embedding_learning_rate == pytest.approx(2e-3 / 3e-4 * 1e-7, rel=1e-5)
    assert own.embedding_learning_rate == 1e-5
