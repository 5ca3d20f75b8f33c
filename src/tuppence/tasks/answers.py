"""Greedy answers to a few held-out prompts: samples of a finetune, and the answers of its base."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuppence.data.records.conversations import Conversation
from tuppence.data.records.encoding import encode_prompt
from tuppence.data.records.leaks import prompt_of
from tuppence.data.records.preferences import Preference
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.modes import evaluation_mode
from tuppence.model.sampling import Sampling
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import Message
from tuppence.training.objective import Sample

SHOWN_PROMPTS = 4

ANSWER_MARK = "\n→ "
"""Stands between request and answer in the samples of a run."""


@dataclass(frozen=True)
class Prompt:
    """A held-out prompt.

    Attributes:
        row: index in the held-out rows.
        text: the prompt as text, for display.
        ids: the encoded prompt.
    """

    row: int
    text: str
    ids: list[int]


def shown_prompts(
    rows: Sequence[Preference | Conversation], tokenizer: Tokenizer, *, context_length: int
) -> list[Prompt]:
    """The first held-out prompts that leave a quarter of the context for the answer."""
    prompts = [
        Prompt(number, prompt_of(row), encode_prompt(tokenizer, prompt_messages(row)))
        for number, row in enumerate(rows[: 10 * SHOWN_PROMPTS])
    ]
    return [prompt for prompt in prompts if len(prompt.ids) <= 3 * context_length // 4][:SHOWN_PROMPTS]


def answer_samples(model: GPT, prompts: Sequence[Prompt], tokenizer: Tokenizer, *, max_tokens: int) -> list[Sample]:
    """The present answers of a model as samples; empty if `max_tokens` is 0."""
    if not max_tokens:
        return []
    answers = greedy_answers(model, prompts, tokenizer, max_tokens=max_tokens)
    return [Sample(prompt.text + ANSWER_MARK, answer) for prompt, answer in zip(prompts, answers, strict=True)]


def greedy_answers(model: GPT, prompts: Sequence[Prompt], tokenizer: Tokenizer, *, max_tokens: int) -> list[str]:
    """Answers by greedy decoding, within the context. Uses no random state."""
    if not prompts or not max_tokens:
        return ["" for _ in prompts]
    room = model.config.context_length - max(len(prompt.ids) for prompt in prompts)
    with evaluation_mode(model):
        answers = generate(
            model,
            [prompt.ids for prompt in prompts],
            Sampling(temperature=0.0, max_tokens=min(max_tokens, room)),
            stop_ids=[tokenizer.end_of_text],
            vocab_size=tokenizer.vocab_size,
        )
    return [tokenizer.decode(answer.ids) for answer in answers]


class BaseAnswers:
    """The greedy answers of the base of a run. They are computed once, and kept in every checkpoint.

    Args:
        prompts, tokenizer, max_tokens: as in `greedy_answers`.

    Attributes:
        texts: one answer to each prompt; None if they are not known yet.
    """

    def __init__(self, prompts: Sequence[Prompt], tokenizer: Tokenizer, max_tokens: int) -> None:
        self._prompts, self._tokenizer, self._max_tokens = prompts, tokenizer, max_tokens
        self.texts: list[str] | None = None

    def compute(self, base: GPT) -> list[str]:
        """Computes and returns `texts`."""
        with torch.autocast(base.token_embedding.weight.device.type, enabled=False):
            self.texts = greedy_answers(base, self._prompts, self._tokenizer, max_tokens=self._max_tokens)
        return self.texts

    def state(self) -> dict[str, Tensor]:
        """The answers as bytes of JSON, with what was asked; {} if they are not known yet."""
        if self.texts is None:
            return {}
        content = json.dumps({**self._asked(), "answers": self.texts}).encode()
        return {"base_answers": torch.tensor(list(content), dtype=torch.uint8)}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Restores what `state` returned. Answers to other prompts, or of another length, are dropped."""
        self.texts = None
        if "base_answers" in tensors:
            content = json.loads(bytes(tensors["base_answers"].tolist()))
            answers = content.pop("answers")
            self.texts = answers if content == self._asked() else None

    def _asked(self) -> dict[str, object]:
        return {"prompts": [prompt.ids for prompt in self._prompts], "max_tokens": self._max_tokens}


def prompt_messages(row: Preference | Conversation) -> Sequence[Message]:
    """The messages before the last response."""
    return row.prompt if isinstance(row, Preference) else row.messages[:-1]
