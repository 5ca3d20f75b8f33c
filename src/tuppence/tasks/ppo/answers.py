"""Answers to prompts: generated, laid out as tensors, and scored by a reward model.

An answer depends only on the weights, the prompt and its seed: not on torch's random state, and (up to rounding) not on
the rest of the batch. A rollout that a kill interrupted is therefore generated again with the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuppence.core.errors import NonFiniteError
from tuppence.data.buckets import IGNORED_TARGET, batches_by_length, pad
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.sampling import Sampling
from tuppence.tasks.ppo.policy import merged
from tuppence.tokenizer import Tokenizer
from tuppence.training.finite import SAVED


@dataclass(frozen=True)
class GenerationConfig:
    """How answers are generated.

    Attributes:
        max_tokens: largest number of tokens of an answer, the end of text included.
        temperature: 1 samples from the policy itself; PPO's ratios are exact only then. 0 is greedy.
        tokenizer: its end of text ends an answer.
    """

    max_tokens: int
    temperature: float
    tokenizer: Tokenizer


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        prompt: ids of the prompt.
        ids: ids of the answer, at least one.
        finished: whether the answer ends with the end of text.
    """

    prompt: list[int]
    ids: list[int]
    finished: bool

    @property
    def words(self) -> list[int]:
        """The ids of the answer without the end of text; may be empty."""
        return self.ids[:-1] if self.finished else self.ids


def write_answers(
    gpt: GPT, prompts: Sequence[list[int]], seeds: Sequence[int], generation: GenerationConfig
) -> list[Answer]:
    """Generates one answer to each prompt, in one batch.

    Args:
        prompts: each has at least one token, and the context has room for the answer.
        seeds: one for each prompt.
    """
    end = generation.tokenizer.end_of_text
    device = gpt.token_embedding.weight.device.type
    # float32: autocast would cast every matrix again for every token
    with merged(gpt), torch.autocast(device, enabled=False):
        written = generate(
            gpt,
            prompts,
            [
                Sampling(temperature=generation.temperature, max_tokens=generation.max_tokens, seed=seed)
                for seed in seeds
            ],
            stop_ids=[end],
            vocab_size=generation.tokenizer.vocab_size,
        )
    return [
        Answer(list(prompt), [*answer.ids, end] if answer.finish_reason == "stop" else answer.ids, ended)
        for prompt, answer in zip(prompts, written, strict=True)
        for ended in [answer.finish_reason == "stop"]
    ]


def seeds_for(seed: int, step: int, count: int) -> list[int]:
    """A seed for each prompt of a step: a hash of (seed, step, place).

    Example:
        >>> seeds_for(1, 0, 3) == seeds_for(1, 0, 4)[:3], len({*seeds_for(1, 0, 9), *seeds_for(1, 1, 9)})
        (True, 18)
    """
    return [int(np.random.SeedSequence((seed, step, place)).generate_state(1, np.uint64)[0]) for place in range(count)]


def lay_out(answers: Sequence[Answer], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Tokens and targets of answers, (B, T) each. A target is a token of the answer, at the position that predicts it.

    Example:
        >>> tokens, targets = lay_out([Answer([5, 6], [7, 8], finished=False)])
        >>> tokens[0, :3].tolist(), targets[0, :3].tolist()
        ([5, 6, 7], [-100, 7, 8])
    """
    rows = [np.array([*answer.prompt, *answer.ids][:-1], dtype=np.int64) for answer in answers]
    targets = [np.array([IGNORED_TARGET] * (len(a.prompt) - 1) + a.ids, dtype=np.int64) for a in answers]
    width = max(len(row) for row in rows)  # not rounded up beyond the context
    stacked = (pad(rows, 0, limit=width), pad(targets, IGNORED_TARGET, limit=width))
    tokens_BT, targets_BT = (torch.from_numpy(array).to(device) for array in stacked)
    return tokens_BT, targets_BT


@torch.no_grad()
def score_answers(reward: SequenceScorer, answers: Sequence[Answer], batch_size: int) -> Tensor:
    """The score of each prompt with its answer by the reward model, (B,), float32, on its device.

    The score is that of the last token before the end of text, as in `tasks.reward`. Texts that are longer than the
    context of the reward model lose their beginning.

    Raises:
        NonFiniteError: a score is NaN or infinite.
    """
    limit = reward.gpt.config.context_length
    device = reward.score.weight.device
    texts = [np.array([*answer.prompt, *answer.words][-limit:], dtype=np.int64) for answer in answers]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    scores_B = torch.zeros(len(answers), device=device)
    for rows in batches_by_length(lengths, batch_size):
        tokens_BT = torch.from_numpy(pad([texts[row] for row in rows], 0, limit=limit)).to(device)
        scores_BC = reward(tokens_BT, torch.from_numpy(lengths[rows]).to(device))
        scores_B[torch.from_numpy(rows).to(device)] = scores_BC[:, 0].float()
    if not bool(scores_B.isfinite().all()):
        bad = float(scores_B[~scores_B.isfinite()][0])
        raise NonFiniteError(
            f"the reward model gives {bad} for an answer; {SAVED}",
            "check the reward model: its held-out accuracy is in its run.yaml",
        )
    return scores_B
