"""The reference log-probabilities of DPO: those of the model on every pair by itself, kept with their pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tasks.preferences import load, pairs_of, random_ids, their_model

from tuppence.model.gpt import GPT
from tuppence.tasks.pairs import Pairs, collate_pairs
from tuppence.tasks.reference import Reference


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    their_model("GPT2LMHeadModel", tmp_path / "policy", seed=0)
    return tmp_path / "policy"


@pytest.fixture
def model(folder: Path) -> GPT:
    return load(folder)


@pytest.fixture
def pairs() -> Pairs:
    return pairs_of(random_ids(9), held_out=2)


def by_definition(model: GPT, prompt: list[int], answer: list[int]) -> float:
    """Σ log p(token | prompt and the answer's earlier tokens), from the logits of the two in one row."""
    with torch.no_grad():
        logits_TV = model(torch.tensor([prompt + answer]))[0]
    predicted_from = torch.arange(len(prompt), len(prompt) + len(answer)) - 1
    return float(logits_TV.log_softmax(-1)[predicted_from, torch.tensor(answer)].sum())


@pytest.mark.parametrize("precompute", [False, True])
def test_log_probabilities_are_those_of_prompt_and_answer_alone(model: GPT, pairs: Pairs, precompute: bool) -> None:
    reference = Reference(pairs, model, precompute=precompute)
    reference.prepare(model, batch_size=4)
    rows = [*pairs.train, *pairs.val]
    found_B2 = reference.log_probabilities(*collate_pairs(rows))
    for row, found_2 in zip(rows, found_B2, strict=True):
        prompt, chosen, rejected = (row.ids[row.branches == branch].tolist() for branch in range(3))
        expected = [by_definition(model, prompt, answer) for answer in (chosen, rejected)]
        np.testing.assert_allclose(found_2.numpy(), expected, atol=1e-4)


def test_precomputed_values_stay_when_the_policy_changes(model: GPT, pairs: Pairs) -> None:
    reference = Reference(pairs, None, precompute=True)
    reference.prepare(model, batch_size=4)
    before = reference.log_probabilities(*collate_pairs(pairs.train))
    with torch.no_grad():
        model.token_embedding.weight.add_(0.1 * torch.randn_like(model.token_embedding.weight))
    reference.prepare(model, batch_size=4)
    assert torch.equal(reference.log_probabilities(*collate_pairs(pairs.train)), before)


def test_a_run_that_computes_its_reference_online_continues_so_and_reads_it_again(
    folder: Path, model: GPT, pairs: Pairs
) -> None:
    online = Reference(pairs, model, precompute=False)
    resumed = Reference(pairs, None, precompute=True, reload=lambda: load(folder))
    resumed.load_state(online.state())
    batch = collate_pairs(pairs.train)
    resumed.prepare(model, 8)
    assert resumed.state().keys() == {"precompute"}
    assert torch.equal(resumed.log_probabilities(*batch), online.log_probabilities(*batch))


def test_values_of_other_pairs_are_computed_again_or_refused(model: GPT, pairs: Pairs) -> None:
    before = Reference(pairs, None, precompute=True)
    before.prepare(model, batch_size=4)
    others = pairs_of(random_ids(9, seed=1), held_out=2)
    with pytest.raises(ValueError, match="are of other pairs"):
        Reference(others, None, precompute=True).load_state(before.state())
    resumed, fresh = (Reference(others, model, precompute=True) for _ in range(2))
    resumed.load_state(before.state())
    for reference in (resumed, fresh):
        reference.prepare(model, batch_size=4)
    assert torch.equal(resumed.state()["reference"], fresh.state()["reference"])


def test_the_reference_is_kept_or_the_policy_before_its_first_step_or_read_again(
    folder: Path, model: GPT, pairs: Pairs
) -> None:
    policy = load(folder)
    assert Reference(pairs, model, precompute=True).model_at(3, policy) is model
    again = Reference(pairs, None, precompute=True, reload=lambda: load(folder))
    assert again.model_at(0, policy) is policy
    assert again.model_at(3, policy) is not policy
