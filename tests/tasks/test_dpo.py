"""Our DPO against trl's own trainer: same weights, same pairs, float32."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tasks.preferences import END, Ids, load, pairs_of, random_ids, their_model, their_tokenizer

from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import to_hugging_face
from tuppence.model.lora import LoRA, add_lora, frozen_copy, lora_layers
from tuppence.tasks.dpo import DPOConfig, DPORecipe, Preferences, dpo_losses
from tuppence.tasks.reference import Reference
from tuppence.training.config import TrainConfig

BETA = 0.3
BATCH = TrainConfig(batch_size=8, sample_tokens=0)


def objective(ids: list[Ids], *, reference: GPT | None = None, precompute: bool = False, **choice: Any) -> Preferences:
    config = DPORecipe(align=DPOConfig(beta=BETA, **choice), train=BATCH)
    pairs = pairs_of(ids)
    return Preferences(pairs, Reference(pairs, reference, precompute=precompute), config)


def one_batch(ours: Preferences) -> Any:
    (batch,) = ours.batches(0, 0, 1)
    return batch


@pytest.fixture
def policy(tmp_path: Path) -> Any:
    return their_model("GPT2LMHeadModel", tmp_path / "policy", seed=0)


@pytest.fixture
def reference(tmp_path: Path) -> Any:
    return their_model("GPT2LMHeadModel", tmp_path / "reference", seed=1)


def their_trainer(policy: Any, reference: Any, ids: list[Ids], folder: Path) -> Any:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")

    class OnIds(trl.DPOTrainer):  # type: ignore[misc,name-defined]
        """trl's trainer on pairs that are encoded already."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    arguments = trl.DPOConfig(
        output_dir=str(folder),
        beta=BETA,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to=[],
        max_length=None,
        disable_tqdm=True,
    )
    columns = ("prompt_ids", "chosen_ids", "rejected_ids")
    data = datasets.Dataset.from_list([dict(zip(columns, parts, strict=True)) for parts in ids])
    return OnIds(policy, reference, arguments, train_dataset=data, processing_class=their_tokenizer())


def their_loss(trainer: Any, ids: list[Ids]) -> torch.Tensor:
    columns = ("prompt_ids", "chosen_ids", "rejected_ids")
    batch = trainer.data_collator([dict(zip(columns, parts, strict=True)) for parts in ids])
    loss: torch.Tensor = trainer.compute_loss(trainer.model, batch)
    return loss


def test_loss_gradients_and_metrics_are_those_of_trl(policy: Any, reference: Any, tmp_path: Path) -> None:
    ids = random_ids()
    trainer = their_trainer(policy, reference, ids, tmp_path / "run")
    expected = their_loss(trainer, ids[:-1])
    expected.backward()

    ours = objective(ids, reference=load(tmp_path / "reference"))
    model = load(tmp_path / "policy").train()
    loss, metrics = ours.loss(model, *one_batch(ours))
    torch.testing.assert_close(loss / 5, expected, atol=1e-5, rtol=1e-5)
    assert abs(loss.item() / 5 - math.log(2)) > 0.01
    (loss / 5).backward()

    gradients = to_hugging_face({name: parameter.grad for name, parameter in model.named_parameters()})
    theirs = {name: parameter.grad for name, parameter in policy.named_parameters()}
    assert gradients.keys() == theirs.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, theirs[name], atol=1e-5, rtol=1e-4)

    (logged,) = (trainer._metrics[mode] for mode in ("train",))
    for name in ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"):
        assert metrics[name].item() / 5 == pytest.approx(logged[name][0], abs=1e-5)
    for name in ("logps/chosen", "logps/rejected"):
        assert metrics[name].item() / 5 == pytest.approx(logged[name][0], abs=1e-4)


def test_label_smoothing_mixes_trls_losses_of_the_pair_and_of_the_swapped_pair(
    policy: Any, reference: Any, tmp_path: Path
) -> None:
    ids = random_ids()
    trainer = their_trainer(policy, reference, ids, tmp_path / "run")
    turned = [(prompt, rejected, chosen) for prompt, chosen, rejected in ids]
    expected = 0.8 * their_loss(trainer, ids[:-1]) + 0.2 * their_loss(trainer, turned[:-1])
    ours = objective(ids, reference=load(tmp_path / "reference"), label_smoothing=0.2)
    loss, _ = ours.loss(load(tmp_path / "policy"), *one_batch(ours))
    torch.testing.assert_close(loss / 5, expected.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_the_first_loss_is_ln_2(policy: Any, tmp_path: Path, label_smoothing: float) -> None:
    ours = objective(random_ids(), reference=load(tmp_path / "policy"), label_smoothing=label_smoothing)
    model = load(tmp_path / "policy").train()
    add_lora(model, LoRA(rank=2))
    loss, metrics = ours.loss(model, *one_batch(ours))
    assert loss.item() / 5 == pytest.approx(math.log(2), abs=1e-7)
    assert metrics["rewards/margins"].item() == 0


def adapted(folder: Path) -> GPT:
    return stirred(load(folder))


def stirred(model: GPT) -> GPT:
    """The model with an adapter that changes what it computes."""
    add_lora(model, LoRA(rank=2))
    torch.manual_seed(3)
    with torch.no_grad():
        for _, layer in lora_layers(model):
            layer.lora_B.normal_(std=0.3)
    return model.train()


def test_parameters_shared_with_the_policy_are_as_good_a_reference_as_copies(policy: Any, tmp_path: Path) -> None:
    model = load(tmp_path / "policy")
    references = [frozen_copy(model, shared=shared) for shared in (True, False)]
    stirred(model)
    losses = []
    for reference in references:
        ours = objective(random_ids(), reference=reference)
        losses.append(ours.loss(model, *one_batch(ours))[0].item())
    assert losses[0] == losses[1]
    assert losses[0] / 5 != pytest.approx(math.log(2), abs=1e-4)


def test_a_precomputed_reference_gives_the_loss_of_one_computed_online(policy: Any, tmp_path: Path) -> None:
    model, base = adapted(tmp_path / "policy"), load(tmp_path / "policy")
    online = objective(random_ids(20), reference=base)
    before = objective(random_ids(20), reference=base, precompute=True)
    before.prepare(0, model)
    for batch in (one_batch(online), next(iter(online.evaluation()))):
        results = [ours.loss(model, *batch) for ours in (online, before)]
        torch.testing.assert_close(*(loss for loss, _ in results), atol=1e-5, rtol=1e-5)
        gradients = [
            torch.autograd.grad(loss, [layer.lora_A for _, layer in lora_layers(model)]) for loss, _ in results
        ]
        torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)


def test_a_precomputed_reference_is_restored_and_refused_for_other_pairs(policy: Any, tmp_path: Path) -> None:
    model = load(tmp_path / "policy")
    before = objective(random_ids(9), precompute=True, full=True)
    before.prepare(0, model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)  # full finetuning: the reference is nowhere else any more
    resumed = objective(random_ids(9), precompute=True)
    resumed.load_state(before.state())
    losses = [ours.loss(model, *one_batch(before))[0].item() for ours in (before, resumed)]
    assert losses[0] == losses[1]
    assert losses[0] / 8 != pytest.approx(math.log(2), abs=1e-4)
    for others in (random_ids(6), random_ids(9, seed=1)):
        with pytest.raises(ValueError, match="are of other pairs"):
            objective(others, full=True).load_state(before.state())
    with pytest.raises(ValueError, match="no reference"):
        resumed.load_state({})


def test_with_an_adapter_the_reference_of_other_pairs_is_computed_again(policy: Any, tmp_path: Path) -> None:
    model = adapted(tmp_path / "policy")  # as after some steps: the reference is the model without the adapter
    base = load(tmp_path / "policy")
    before = objective(random_ids(9), reference=base, precompute=True)
    before.prepare(0, model)
    resumed, fresh = (objective(random_ids(9, seed=1), reference=base, precompute=True) for _ in range(2))
    resumed.load_state(before.state())
    for one in (resumed, fresh):
        one.prepare(4, model)
    assert resumed.loss(model, *one_batch(resumed))[0].item() == fresh.loss(model, *one_batch(fresh))[0].item()


def test_eight_batches_of_one_have_the_gradient_of_one_batch_of_eight(policy: Any, tmp_path: Path) -> None:
    whole = adapted(tmp_path / "policy")
    parts = copy.deepcopy(whole)
    ours = objective(random_ids(9), reference=load(tmp_path / "policy"))
    batch = one_batch(ours)
    ours.loss(whole, *batch)[0].backward()
    for row in range(8):
        ours.loss(parts, *(tensor[row : row + 1] for tensor in batch))[0].backward()
    for (name, first), (_, second) in zip(whole.named_parameters(), parts.named_parameters(), strict=True):
        if first.requires_grad:
            torch.testing.assert_close(first.grad, second.grad, atol=1e-5, rtol=1e-5, msg=name)


def test_a_row_without_target_adds_no_loss_and_no_gradient(policy: Any, tmp_path: Path) -> None:
    model = adapted(tmp_path / "policy")
    ours = objective(random_ids(3), reference=load(tmp_path / "policy"))
    tokens, branches, numbers = one_batch(ours)
    loss, metrics = ours.loss(model, tokens, branches, torch.full_like(numbers, -100))
    loss.backward()
    assert loss.item() == 0
    assert not any(value.item() for value in metrics.values())
    assert all(not layer.lora_A.grad.any() for _, layer in lora_layers(model))


def test_the_loss_is_the_papers_equation() -> None:
    policy, reference = torch.tensor([[-3.0, -9.0], [-4.0, -1.0]]), torch.tensor([[-5.0, -7.0], [-4.0, -2.0]])
    expected = [math.log(1 + math.exp(-0.5 * 4.0)), math.log(1 + math.exp(0.5 * 1.0))]
    assert dpo_losses(policy, reference, beta=0.5).tolist() == pytest.approx(expected)


def test_training_an_adapter_does_not_change_the_base(policy: Any, tmp_path: Path) -> None:
    model = load(tmp_path / "policy")
    base = frozen_copy(model, shared=True)
    stirred(model)
    ours = objective(random_ids(), reference=base)
    ours.loss(model, *one_batch(ours))[0].backward()
    torch.testing.assert_close(base(torch.tensor([[1, END]])), load(tmp_path / "policy")(torch.tensor([[1, END]])))
    assert all(parameter.grad is None for name, parameter in model.named_parameters() if "lora_" not in name)
