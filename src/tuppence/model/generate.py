"""Generates tokens with a GPT: several prompts at once, with a KV cache. Ids only; for text see `text`.

Guarantees, independent of the rest of the batch:
- a continuation depends only on its prompt and its `Sampling` (up to the rounding of the kernels);
- it has `max_tokens` tokens, or fewer if a stop id ends it. A sequence can be longer than the model's context: when its
  window is full, the model reads the newest half again from position 0, and generation continues. This costs one
  forward pass over a window for every context_length/2 tokens. If a prompt is too long, the model sees its newest part.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tuppence.core.errors import InputError
from tuppence.model.cache import KVCache
from tuppence.model.gpt import GPT
from tuppence.model.graph_step import graph_step
from tuppence.model.modes import evaluation_mode
from tuppence.model.native.decode_step import compiled_step
from tuppence.model.sampling import Sampling, choose

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Generation:
    """One prompt's continuation.

    Attributes:
        ids: the new tokens; the stop id that ended them is not among them.
        finish_reason: "stop" (a stop id, or a call of `finish`) or "length" (`max_tokens` were generated).
    """

    ids: list[int]
    finish_reason: FinishReason


def generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling | Sequence[Sampling],
    *,
    stop_ids: Collection[int] = (),
    vocab_size: int | None = None,
) -> list[Generation]:
    """Continues every prompt, all of them at once. Arguments as in `Decoder`.

    Raises:
        InputError: a prompt is empty, or an id is not in the vocabulary.
    """
    decoder = Decoder(model, prompts, sampling, stop_ids=stop_ids, vocab_size=vocab_size)
    for _ in decoder:
        pass
    return decoder.generations()


class Decoder:
    """Generates one batch, token by token; iterate over it for (index of the prompt, new id).

    Args:
        model: any GPT, on any device; its training mode is restored after every step.
        prompts: token ids, at least one each; lengths may differ.
        sampling: one for all prompts, or one for each. Equal prompts with equal seeds continue equally.
        stop_ids: tokens that end a sequence, such as the end of text.
        vocab_size: ids from this number on are never drawn, for a model with a vocabulary larger than its
            tokenizer's.

    Attributes:
        samplings: one for each prompt.
    """

    def __init__(
        self,
        model: GPT,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling | Sequence[Sampling],
        *,
        stop_ids: Collection[int] = (),
        vocab_size: int | None = None,
    ) -> None:
        check_prompts(prompts, model.config.vocab_size)
        self.model = model
        self.samplings = [sampling] * len(prompts) if isinstance(sampling, Sampling) else list(sampling)
        if len(self.samplings) != len(prompts):
            raise InputError(f"{len(self.samplings)} samplings for {len(prompts)} prompts", "give one for each prompt")
        self.stop_ids = frozenset(stop_ids)
        self.vocab_size = vocab_size
        self.sequences = [list(prompt) for prompt in prompts]
        self.prompt_lengths = [len(prompt) for prompt in prompts]
        self._randoms = [random.Random(one.seed) for one in self.samplings]
        self._reasons: list[FinishReason | None] = [None if one.max_tokens else "length" for one in self.samplings]
        self._starts = [0] * len(prompts)
        """Where each sequence's window begins."""
        self._rows: list[int] = []
        """Which prompt each row of the cache belongs to."""
        self._groups: list[tuple[Sampling, list[int]]] = []
        """Rows of the cache that draw from their logits in the same way."""
        self._cache: KVCache | None = None
        self._quick_step: Callable[[list[int]], Tensor] | None = None
        """A function from every row's newest token to the next logits; None if only the model itself can be used."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        while not all(self._reasons):
            yield from self.step()

    def is_finished(self, index: int) -> bool:
        """Whether a sequence has ended."""
        return self._reasons[index] is not None

    def finish(self, index: int, reason: FinishReason = "stop") -> None:
        """Ends one sequence; its tokens are kept."""
        self._reasons[index] = reason

    def generations(self) -> list[Generation]:
        """The continuation of every prompt so far."""
        return [
            Generation(sequence[length:], reason or "length")
            for sequence, length, reason in zip(self.sequences, self.prompt_lengths, self._reasons, strict=True)
        ]

    def step(self) -> list[tuple[int, int]]:
        """Generates one more token for every unfinished sequence; the result contains no stop ids."""
        logits_BV = self._next_logits()[:, : self.vocab_size]
        new = []
        for index, token in zip(self._rows, self._choose(logits_BV), strict=True):
            if self._reasons[index]:
                continue  # finished, but still a row of the batch
            if token in self.stop_ids:
                self.finish(index)
                continue
            self.sequences[index].append(token)
            new.append((index, token))
            if not self._left(index):
                self.finish(index, "length")
        return new

    def _choose(self, logits_BV: Tensor) -> list[int]:
        """One token for every row."""
        uniforms_B = [self._randoms[index].random() for index in self._rows]
        if len(self._groups) == 1:
            return choose(logits_BV, self._groups[0][0], uniforms_B)
        tokens = [0] * len(self._rows)
        for sampling, rows in self._groups:
            chosen = choose(logits_BV[rows], sampling, [uniforms_B[row] for row in rows])
            for row, token in zip(rows, chosen, strict=True):
                tokens[row] = token
        return tokens

    def _left(self, index: int) -> int:
        """Number of tokens that a sequence can still get."""
        made = len(self.sequences[index]) - self.prompt_lengths[index]
        return self.samplings[index].max_tokens - made

    @torch.inference_mode()
    def _next_logits(self) -> Tensor:
        """Logits after every row's newest token, (B, V). Reads only that token if the cache has room for it."""
        with evaluation_mode(self.model):
            if self._cache is None or self._cache.is_full:
                tokens_BT = self._open_windows()
            else:
                newest = [self.sequences[index][-1] for index in self._rows]
                if self._quick_step is not None:
                    return self._quick_step(newest)
                tokens_BT = self._tensor([[token] for token in newest])
            return self.model.head(self.model.hidden(tokens_BT, self._cache)[:, -1])

    def _open_windows(self) -> Tensor:
        """Starts a new cache for the unfinished sequences, and returns the tokens to read into it."""
        self._rows = [index for index, reason in enumerate(self._reasons) if reason is None]
        self._groups = _group_by_distribution([self.samplings[index] for index in self._rows])
        windows = [self._window(index) for index in self._rows]
        longest = max(map(len, windows))
        wanted = max(self._left(index) for index in self._rows)
        weight = self.model.token_embedding.weight
        self._cache = KVCache(
            self.model.config,
            lengths=[len(window) for window in windows],
            capacity=min(self.model.config.context_length, longest + wanted),
            dtype=weight.dtype,
            device=weight.device,
        )
        self._quick_step = _quick_step(self.model, self._cache, wanted)
        return self._tensor([[0] * (longest - len(window)) + window for window in windows])

    def _window(self, index: int) -> list[int]:
        """The tokens of a sequence that the model reads: its window, or the newest part if the window is too long.

        The newest part has at least half the context length, and more if few tokens are still to be generated.
        """
        sequence, context = self.sequences[index], self.model.config.context_length
        if len(sequence) - self._starts[index] > context:
            self._starts[index] = len(sequence) - max(1, context // 2, context - self._left(index))
        return sequence[self._starts[index] :]

    def _tensor(self, rows: list[list[int]]) -> Tensor:
        return torch.tensor(rows, device=self.model.token_embedding.weight.device)


def _quick_step(model: GPT, cache: KVCache, tokens: int) -> Callable[[list[int]], Tensor] | None:
    """Returns the compiled step for a CPU or the captured step for a GPU, or None if neither can be used."""
    compiled = compiled_step(model, cache, tokens)
    if compiled is not None:
        return lambda newest: compiled(newest[0])
    return graph_step(model, cache, tokens)


def check_prompts(prompts: Sequence[Sequence[int]], vocab_size: int) -> None:
    """Checks that the model can read the prompts.

    Raises:
        InputError: a prompt is empty, or an id is not in the model's vocabulary.
    """
    for index, prompt in enumerate(prompts):
        if not prompt:
            raise InputError(f"prompt {index} has no tokens", "start with at least one, such as the end of text")
        for token in prompt:
            if not 0 <= token < vocab_size:
                raise InputError(
                    f"prompt {index} holds token {token}, and the model's vocabulary has {vocab_size:,}",
                    "use the tokenizer the model was trained with",
                )


def _group_by_distribution(samplings: Sequence[Sampling]) -> list[tuple[Sampling, list[int]]]:
    """Groups rows with equal temperature, top-k and top-p; each group has a sampling with these values."""
    groups: dict[tuple[float, int | None, float | None], tuple[Sampling, list[int]]] = {}
    for row, one in enumerate(samplings):
        groups.setdefault((one.temperature, one.top_k, one.top_p), (one, []))[1].append(row)
    return list(groups.values())
