"""Compares base and trained policy: their answers to held-out prompts, with scores.

Both generate with the same seeds. `compare` runs after training, on RUN/model as it was written. It writes
RUN/held-out.jsonl, with one line for each prompt and both answers, and the means in run.yaml.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core.console import note
from tuppence.core.run import Run
from tuppence.data.records.held_out import prompt_row, write_held_out
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.weights import load_model
from tuppence.tasks.ppo.answers import Answer, GenerationConfig, seeds_for, write_answers
from tuppence.tasks.ppo.objective import HELD_OUT_SEEDS
from tuppence.tasks.ppo.policy import PolicyWithValue
from tuppence.tasks.ppo.quality import Quality, answer_quality, distinct
from tuppence.tasks.ppo.rollout import judge

_Row = dict[str, Any]


@dataclass(frozen=True)
class Judges:
    """The models that measure answers.

    Attributes:
        base: the model that the policy started from.
        reward: the reward model, on the same device.
        generation: how answers are generated.
        batch_size: answers in a batch.
    """

    base: GPT
    reward: SequenceScorer
    generation: GenerationConfig
    batch_size: int


def compare(out: Path, judges: Judges, prompts: Sequence[list[int]], *, seed: int) -> dict[str, dict[str, float]]:
    """Generates and measures the answers of both models.

    Args:
        prompts: held-out prompts, in ids.
        seed: of the generation.

    Returns:
        The means over held-out prompts, "before" (the base) and "after" (RUN/model): those of `Quality`,
        `base_perplexity` over all tokens, and `distinct_2` over all answers. "gain" has the mean difference of the two
        scores of a prompt, and its standard error.
    """
    run = Run(out)
    device = judges.reward.score.weight.device
    rows: list[_Row] = [{} for _ in prompts]
    means = {}
    for name, gpt in (("before", judges.base), ("after", load_model(run.model, device=device, dropout=0.0))):
        answers, quality = _answer(gpt, judges, prompts, seed)
        means[name] = _means(answers, quality)
        for row, answer, number in zip(rows, answers, range(len(answers)), strict=True):
            measured = {key: round(float(values[number]), 4) for key, values in vars(quality).items()}
            row[name] = {"text": judges.generation.tokenizer.decode(answer.words), **measured}
    gains = [row["after"]["scores"] - row["before"]["scores"] for row in rows]
    means["gain"] = {"scores": statistics.fmean(gains), "standard_error": _standard_error(gains)}
    texts = [judges.generation.tokenizer.decode(prompt) for prompt in prompts]
    write_held_out(run, map(prompt_row, texts, rows))
    run.update(held_out=means)
    note(f"{len(prompts):,} held-out prompts, before → after: " + _in_words(means["before"], means["after"]))
    note("the reward's gain is {scores:.3f}, with a standard error of {standard_error:.3f}".format(**means["gain"]))
    return means


def _answer(gpt: GPT, judges: Judges, prompts: Sequence[list[int]], seed: int) -> tuple[list[Answer], Quality]:
    answers: list[Answer] = []
    seeds = seeds_for(seed, HELD_OUT_SEEDS, len(prompts))
    for start in range(0, len(prompts), judges.batch_size):
        some = slice(start, start + judges.batch_size)
        answers += write_answers(gpt, prompts[some], seeds[some], judges.generation)
    judged = judge(PolicyWithValue(gpt).eval(), judges.base, judges.reward, answers, judges.batch_size)
    return answers, answer_quality(answers, judged)


def _means(answers: Sequence[Answer], quality: Quality) -> dict[str, float]:
    means = {key: float(values.mean()) for key, values in vars(quality).items()}
    tokens = quality.answer_tokens
    nats = float((quality.base_loss * tokens).sum() / tokens.sum())
    extra = {
        "base_perplexity": math.exp(min(nats, 700.0)),
        "distinct_2": distinct([answer.ids for answer in answers], 2),
    }
    return {key: round(value, 4) for key, value in {**means, **extra}.items()}


def _standard_error(values: Sequence[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _in_words(before: dict[str, float], after: dict[str, float]) -> str:
    shown = {
        "scores": "reward {:.3f}",
        "kl": "KL {:.2f}",
        "entropy": "entropy {:.2f}",
        "answer_tokens": "{:.1f} tokens",
        "finished": "{:.0%} finished",
        "repeated_4grams": "{:.1%} repeated",
        "base_perplexity": "perplexity under the base {:.1f}",
    }
    return ", ".join(f"{form.format(before[key])} → {form.format(after[key])}" for key, form in shown.items())
