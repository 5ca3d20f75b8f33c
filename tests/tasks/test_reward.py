"""Our reward model against trl's own trainer and transformers' model: same weights, same pairs, float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tasks.preferences import Ids, pairs_of, random_ids, their_model, their_tokenizer

from tuppence.model.heads import SequenceScorer
from tuppence.model.hugging_face import to_hugging_face
from tuppence.model.weights import load_scorer
from tuppence.tasks.reward import Comparisons, branch_rewards
from tuppence.training.config import TrainConfig

BATCH = TrainConfig(batch_size=8)


@pytest.fixture
def theirs(tmp_path: Path) -> Any:
    return their_model("GPT2ForSequenceClassification", tmp_path / "reward", seed=0)


def ours(folder: Path) -> SequenceScorer:
    return load_scorer(folder)


def comparisons_of(ids: list[Ids]) -> Comparisons:
    pairs = pairs_of(ids)
    return Comparisons(pairs.train, pairs.val, BATCH)


def whole(ids: list[Ids]) -> list[dict[str, list[int]]]:
    """Prompt and answer in one, as RewardTrainer takes them."""
    return [{"chosen_ids": prompt + chosen, "rejected_ids": prompt + rejected} for prompt, chosen, rejected in ids]


def test_loss_gradients_and_metrics_are_those_of_trl(theirs: Any, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    ids = random_ids()
    arguments = trl.RewardConfig(
        output_dir=str(tmp_path / "run"),
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to=[],
        max_length=None,
        disable_tqdm=True,
    )
    trainer = trl.RewardTrainer(
        theirs, arguments, train_dataset=datasets.Dataset.from_list(whole(ids)), processing_class=their_tokenizer()
    )
    expected = trainer.compute_loss(trainer.model, trainer.data_collator(whole(ids[:-1])))
    expected.backward()

    comparisons = comparisons_of(ids)
    model = ours(tmp_path / "reward")
    (batch,) = comparisons.batches(0, 0, 1)
    loss, metrics = comparisons.loss(model, *batch)
    torch.testing.assert_close(loss / 5, expected, atol=1e-5, rtol=1e-5)
    (loss / 5).backward()

    gradients = to_hugging_face({name: parameter.grad for name, parameter in model.gpt.named_parameters()})
    gradients["score.weight"] = model.score.weight.grad
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(gradients.pop(name), parameter.grad, atol=1e-5, rtol=1e-4)
    assert not gradients
    for name in ("accuracy", "margin", "mean_reward"):
        assert metrics[name].item() / 5 == pytest.approx(trainer._metrics["train"][name][0], abs=1e-5)


def test_a_pair_in_one_row_has_the_rewards_of_two_rows(theirs: Any, tmp_path: Path) -> None:
    model = ours(tmp_path / "reward")
    theirs.eval()
    ids = [*random_ids(), ([3, 1, 4], [1, 5], [])]  # an empty answer is judged by its prompt
    pairs, comparisons = pairs_of(ids), comparisons_of(ids)
    tokens, branches, _ = comparisons.collate([*pairs.train, *pairs.val])
    rewards_B2 = branch_rewards(model, tokens, branches)
    for row, (prompt, *answers) in enumerate(ids):
        for column, answer in enumerate(answers):
            text = torch.tensor([prompt + answer])
            torch.testing.assert_close(rewards_B2[row, column], theirs(text).logits[0, 0])
            torch.testing.assert_close(rewards_B2[row, column], model(text, torch.tensor([text.shape[1]]))[0, 0])


def test_rewards_are_float32_under_autocast(theirs: Any, tmp_path: Path) -> None:
    model = ours(tmp_path / "reward")
    comparisons = comparisons_of(random_ids())
    (batch,) = comparisons.batches(0, 0, 1)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = comparisons.loss(model, *batch)
        assert branch_rewards(model, *batch[:2]).dtype == torch.float32
    exact, _ = comparisons.loss(model, *batch)
    assert loss.item() == pytest.approx(exact.item(), rel=0.05)
