"""The comparison of base and policy, against transformers' model, scipy's standard error, and a count of letters."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from tests.tasks.ppo.conftest import LIKED, SIZES, CountingReward
from transformers import AutoModelForCausalLM

from tuppence.core.run import Run
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.model.weights import load_model
from tuppence.tasks.ppo.answers import Answer, GenerationConfig, seeds_for, write_answers
from tuppence.tasks.ppo.held_out import Judges, compare
from tuppence.tasks.ppo.objective import HELD_OUT_SEEDS
from tuppence.tokenizer import Tokenizer

PROMPTS = [[3 + number, *range(20, 20 + number % 5)] for number in range(7)]
SEED = 4


@pytest.fixture
def out(tmp_path: Path, tokenizer: Tokenizer) -> Path:
    """A base, and a run that has taught it to write what is liked, and to end."""
    torch.manual_seed(0)
    model = GPT(SIZES)
    with torch.no_grad():
        model.token_embedding.weight.normal_(std=0.3)
        save_model(model, tmp_path / "base")
        embedding = model.token_embedding.weight
        model.final_norm.bias += 1.5 * embedding[sorted(LIKED)].sum(dim=0) + 5 * embedding[tokenizer.end_of_text]
    save_model(model, tmp_path / "run" / "model")
    Run(tmp_path / "run").update(status="done")
    return tmp_path / "run"


def compared(
    out: Path, tokenizer: Tokenizer, batch_size: int = 3, prompts: list[list[int]] = PROMPTS
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The means, and the lines of the file."""
    judges = Judges(
        load_model(out.parent / "base", dropout=0.0), CountingReward(), GenerationConfig(6, 1.0, tokenizer), batch_size
    )
    means = compare(out, judges, prompts, seed=SEED)
    return means, [json.loads(line) for line in (out / "held-out.jsonl").read_text().splitlines()]


def answers_of(folder: Path, tokenizer: Tokenizer) -> list[Answer]:
    seeds = seeds_for(SEED, HELD_OUT_SEEDS, len(PROMPTS))
    return write_answers(load_model(folder, dropout=0.0), PROMPTS, seeds, GenerationConfig(6, 1.0, tokenizer))


def test_a_line_has_a_prompt_and_both_answers_with_their_scores(out: Path, tokenizer: Tokenizer) -> None:
    _, rows = compared(out, tokenizer)
    assert [row["prompt"] for row in rows] == [tokenizer.decode(prompt) for prompt in PROMPTS]
    for name, folder in (("before", out.parent / "base"), ("after", out)):
        for row, answer in zip(rows, answers_of(folder, tokenizer), strict=True):
            assert row[name]["text"] == tokenizer.decode(answer.words)
            assert row[name]["answer_tokens"] == len(answer.ids)
            last = [*answer.prompt, *answer.words][-6:]
            assert row[name]["scores"] == pytest.approx(len([one for one in last if one in LIKED]) / 6, abs=1e-4)


def test_the_perplexity_under_the_base_is_transformers_over_all_tokens(out: Path, tokenizer: Tokenizer) -> None:
    means, _ = compared(out, tokenizer)
    theirs = AutoModelForCausalLM.from_pretrained(out.parent / "base").eval()
    for name, folder in (("before", out.parent / "base"), ("after", out)):
        nats, tokens = 0.0, 0
        for answer in answers_of(folder, tokenizer):
            ids = torch.tensor([[*answer.prompt, *answer.ids]])
            labels = ids.clone()
            labels[:, : len(answer.prompt)] = -100
            with torch.no_grad():
                nats += theirs(ids, labels=labels).loss.item() * len(answer.ids)
            tokens += len(answer.ids)
        assert means[name]["base_perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)


def test_the_gain_is_the_mean_of_paired_differences_with_scipys_standard_error(out: Path, tokenizer: Tokenizer) -> None:
    means, rows = compared(out, tokenizer)
    for name in ("before", "after"):
        assert means[name]["scores"] == pytest.approx(sum(row[name]["scores"] for row in rows) / 7, abs=1e-4)
    gains = [row["after"]["scores"] - row["before"]["scores"] for row in rows]
    assert len(set(gains)) > 2
    assert means["gain"]["scores"] == pytest.approx(sum(gains) / 7)
    assert means["gain"]["standard_error"] == pytest.approx(stats.sem(gains))
    assert Run(out).read()["held_out"] == means


def test_an_unchanged_policy_has_the_answers_of_its_base(out: Path, tokenizer: Tokenizer) -> None:
    save_model(load_model(out.parent / "base"), out / "model")
    means, rows = compared(out, tokenizer)
    assert means["before"] == means["after"]
    assert means["before"]["kl"] == 0
    assert means["gain"] == {"scores": 0, "standard_error": 0}
    assert all(row["before"] == row["after"] for row in rows)


def test_the_batch_size_changes_nothing_and_one_prompt_has_no_standard_error(out: Path, tokenizer: Tokenizer) -> None:
    whole, parts = (compared(out, tokenizer, batch_size=size)[0] for size in (7, 2))
    for name in ("before", "after", "gain"):
        assert whole[name] == pytest.approx(parts[name], abs=1e-3)
    assert compared(out, tokenizer, prompts=PROMPTS[:1])[0]["gain"]["standard_error"] == 0


def test_both_means_and_the_gain_are_printed(
    out: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    means, rows = compared(out, tokenizer)
    said = " ".join(capsys.readouterr().err.split())
    before, after = means["before"], means["after"]
    finished = sum(row["after"]["finished"] for row in rows)
    assert 0 < finished < 7
    for expected in (
        f"7 held-out prompts, before → after: reward {before['scores']:.3f} → reward {after['scores']:.3f}",
        f"KL 0.00 → KL {after['kl']:.2f}",
        f"→ {finished / 7:.0%} finished",
        f"→ perplexity under the base {after['base_perplexity']:.1f}",
        f"the reward's gain is {means['gain']['scores']:.3f}, with a standard error of",
    ):
        assert expected in said
