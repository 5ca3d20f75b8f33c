"""A classifier that is asked, against transformers' GPT2ForSequenceClassification."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.evaluation.conftest import World

from tuppence.core.errors import InputError
from tuppence.evaluation.scoring import classifier as module
from tuppence.evaluation.scoring.classifier import class_probabilities, classify
from tuppence.model.adapters import save_adapter
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer, train_only
from tuppence.model.loaded import LoadedModel, inspect, load
from tuppence.model.lora import LoRA
from tuppence.model.saving import save_scorer
from tuppence.model.weights import load_model

TEXTS = ["It rained.", "The lamp was lit, and the café stayed open.", "雨", "nobody minded <|endoftext|> the rain", "o"]

Classifier = LoadedModel[SequenceScorer]


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    sizes = ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=48, vocab_size=world.tokenizer.vocab_size)
    model = SequenceScorer(GPT(sizes), 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8)
    place = tmp_path_factory.mktemp("classifier") / "model"
    save_scorer(model, place, labels=["rain", "lamp", "none"], tokenizer=world.tokenizer)
    return place


@pytest.fixture
def classifier(folder: Path) -> Classifier:
    return load(folder, "cpu", head="scores")


def test_probabilities_are_those_of_transformers_in_padded_batches(folder: Path, classifier: Classifier) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = [text for text in TEXTS if "<|" not in text]  # theirs reads a special token's name as the token
    with torch.no_grad():
        expected = theirs(**tokenizer(texts, return_tensors="pt", padding=True)).logits.softmax(dim=-1)
    ours = class_probabilities(classifier, texts)
    assert np.abs(ours - expected.numpy()).max() < 1e-5
    assert ours.std(axis=0).min() > 0.01  # the texts do differ


def test_a_text_gets_the_same_probabilities_in_any_batch(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = np.concatenate([class_probabilities(classifier, [text]) for text in TEXTS])
    monkeypatch.setitem(module.TOKENS_AT_ONCE, "cpu", 60)
    seen: list[int] = []
    together = class_probabilities(classifier, TEXTS, on_batch=lambda numbers, _: seen.extend(numbers.tolist()))
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert sorted(seen) == [0, 1, 2, 3, 4]


def test_a_stream_is_classified_in_order_and_read_lazily(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 4)
    drawn = 0

    def stream() -> Iterator[str]:
        nonlocal drawn
        for number in range(10):
            drawn += 1
            yield TEXTS[number % 5] + f" {number}"

    results = classify(classifier, stream())
    first = next(results)
    assert drawn == 4
    everything = [first, *results]
    assert [one.text for one in everything] == [TEXTS[number % 5] + f" {number}" for number in range(10)]
    for one in everything:
        assert one.label == max(one.probabilities, key=lambda label: one.probabilities[label])
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert list(one.probabilities) == ["rain", "lamp", "none"]


def test_an_error_names_the_number_of_an_empty_text_in_the_stream(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 2)
    with pytest.raises(InputError, match="text 4 is empty"):
        list(classify(classifier, ["a", "b", "c", " "]))


def test_a_text_longer_than_the_context_is_cut_at_its_end(classifier: Classifier) -> None:
    long = "It rained again; nobody minded the rain. " * 20
    ids = classifier.tokenizer.encode(long)
    assert len(ids) > 48
    with torch.no_grad():
        scores = classifier.model(torch.tensor([ids[:48]]), torch.tensor([48]))
    np.testing.assert_allclose(class_probabilities(classifier, [long]), scores.softmax(dim=-1).numpy(), atol=1e-6)


def test_the_fingerprint_depends_on_body_head_and_labels(folder: Path, world: World, tmp_path: Path) -> None:
    first = load(folder, "cpu", head="scores")
    assert load(folder, "cpu", head="scores").values_fingerprint == first.values_fingerprint
    found = {first.values_fingerprint}
    for name, labels in (("labels", ["a", "lamp", "none"]), ("head", list(first.labels)), ("body", list(first.labels))):
        changed = load(folder, "cpu", head="scores")
        with torch.no_grad():
            if name == "head":
                changed.model.score.weight[0, 0] += 1
            if name == "body":
                changed.model.gpt.final_norm.bias[0] += 1
        save_scorer(changed.model, tmp_path / name, labels=labels, tokenizer=world.tokenizer)
        found.add(load(tmp_path / name, "cpu", head="scores").values_fingerprint)
    assert len(found) == 4


def test_the_kind_is_detected_and_a_language_model_is_refused(folder: Path, world: World) -> None:
    assert (inspect(folder).kind, inspect(world.model).kind) == ("classifier", "language model")
    with pytest.raises(InputError, match="is a language model: it has no scores"):
        load(world.model, head="scores")


def test_a_reward_model_and_an_adapter_alone_are_refused(world: World, tmp_path: Path) -> None:
    scorer = SequenceScorer(load_model(world.model), 1)
    save_scorer(scorer, tmp_path / "reward", labels=["reward"], tokenizer=world.tokenizer)
    with pytest.raises(InputError, match="is a reward model"):
        next(classify(load(tmp_path / "reward", "cpu", head="scores"), ["a"]))
    train_only(scorer, "lora", lora := LoRA(rank=2))
    place = tmp_path / "adapter"
    save_adapter(scorer.gpt, place, lora, base=world.model, base_sha256="", score=scorer.score)
    with pytest.raises(InputError, match="adapter without its classifier's labels"):
        load(place, "cpu", head="scores")
