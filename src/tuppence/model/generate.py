"""Token after token from a GPT: several prompts at once, a KV cache, streaming. Ids only; for text see `text`.

What is promised, whatever else is in the batch:
- a prompt's continuation depends on the prompt, its seed and the settings alone (up to the rounding of the
  kernels);
- `max_tokens` tokens come, or fewer and a stop id. A sequence may outgrow the model's context: when its window is
  full, the newest half is read again from position 0 on and generation continues. So does a prompt that is too
  long: the model sees its newest part. One reading for every context_length/2 tokens, and no error at token 1,025.
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
from tuppence.model.decode_step import compiled_step
from tuppence.model.gpt import GPT
from tuppence.model.graph_step import graph_step
from tuppence.model.sampling import Sampling, choose

FinishReason = Literal["stop", "length"]
Seed = int | Sequence[int] | None


@dataclass(frozen=True)
class Generation:
    """One prompt's continuation.

    Attributes:
        ids: the new tokens; the stop id that ended them is not among them.
        finish_reason: "stop" (a stop id, or the caller said so) or "length" (`max_tokens` were made).
    """

    ids: list[int]
    finish_reason: FinishReason


def generate(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Seed = None,
    stop_ids: Collection[int] = (),
    on_token: Callable[[int, int], bool | None] | None = None,
    vocab_size: int | None = None,
) -> list[Generation]:
    """Continues every prompt, all of them at once.

    Args:
        model: any GPT, on any device; its training mode is left as it was.
        prompts: token ids, at least one each; lengths may differ.
        max_tokens: new tokens for each prompt, at most.
        temperature, top_k, top_p: see `Sampling`. Temperature 0 is greedy.
        seed: one for all prompts, or one for each (equal prompts with equal seeds continue equally). None is fresh
            randomness; torch's global generator is neither used nor moved.
        stop_ids: tokens that end a sequence, such as the end of text.
        on_token: called with (index of the prompt, id) for every new token; returning True ends that sequence.
        vocab_size: ids from here on are never drawn, for a model whose vocabulary was padded beyond its
            tokenizer's.

    Raises:
        InputError: a prompt is empty, an id is not in the vocabulary, or a setting is out of range.
    """
    decoder = Decoder(model, prompts, max_tokens, Sampling(temperature, top_k, top_p), seed, stop_ids, vocab_size)
    for index, token in decoder:
        if on_token is not None and on_token(index, token):
            decoder.finish(index)
    return decoder.generations()


def stream(
    model: GPT,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Seed = None,
    stop_ids: Collection[int] = (),
    vocab_size: int | None = None,
) -> Iterator[tuple[int, int]]:
    """Like `generate`, as an iterator over (index of the prompt, id), each as soon as it is known."""
    yield from Decoder(model, prompts, max_tokens, Sampling(temperature, top_k, top_p), seed, stop_ids, vocab_size)


class Decoder:
    """The state of one batch while it is written; iterate over it for (index of the prompt, new id).

    `generate` and `stream` are loops over it. Arguments as in `generate`.
    """

    def __init__(
        self,
        model: GPT,
        prompts: Sequence[Sequence[int]],
        max_tokens: int,
        sampling: Sampling,
        seed: Seed,
        stop_ids: Collection[int],
        vocab_size: int | None,
    ) -> None:
        if max_tokens < 0:
            raise InputError(f"max_tokens {max_tokens} is negative", "give the number of new tokens wanted")
        check_prompts(prompts, model.config.vocab_size)
        self.model = model
        self.max_tokens = max_tokens
        self.sampling = sampling
        self.stop_ids = frozenset(stop_ids)
        self.vocab_size = vocab_size
        self.sequences = [list(prompt) for prompt in prompts]
        self.prompt_lengths = [len(prompt) for prompt in prompts]
        self._randoms = [random.Random(seed_of_one) for seed_of_one in _seeds(seed, len(prompts))]
        self._reasons: list[FinishReason | None] = [None if max_tokens > 0 else "length" for _ in prompts]
        self._starts = [0] * len(prompts)
        """Where each sequence's window begins."""
        self._rows: list[int] = []
        """Which prompt each row of the cache belongs to."""
        self._cache: KVCache | None = None
        self._quick_step: Callable[[list[int]], Tensor] | None = None
        """From every row's newest token to the logits of its next, where there is something faster than the model."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        while not all(self._reasons):
            yield from self.step()

    def finish(self, index: int, reason: FinishReason = "stop") -> None:
        """Ends one sequence; what it has stays."""
        self._reasons[index] = reason

    def generations(self) -> list[Generation]:
        """What every prompt has so far."""
        return [
            Generation(sequence[length:], reason or "length")
            for sequence, length, reason in zip(self.sequences, self.prompt_lengths, self._reasons, strict=True)
        ]

    def step(self) -> list[tuple[int, int]]:
        """One more token for every unfinished sequence; stop ids are not among them."""
        logits_BV = self._next_logits()[:, : self.vocab_size]
        uniforms_B = [self._randoms[index].random() for index in self._rows]
        new = []
        for index, token in zip(self._rows, choose(logits_BV, self.sampling, uniforms_B), strict=True):
            if self._reasons[index]:
                continue  # finished, but still a row of the batch
            if token in self.stop_ids:
                self.finish(index)
                continue
            self.sequences[index].append(token)
            new.append((index, token))
            if self._made(index) == self.max_tokens:
                self.finish(index, "length")
        return new

    def _made(self, index: int) -> int:
        return len(self.sequences[index]) - self.prompt_lengths[index]

    @torch.inference_mode()
    def _next_logits(self) -> Tensor:
        """Logits after every row's newest token, (B, V): from that token alone where the cache has room for it."""
        training = self.model.training
        if training:
            self.model.eval()
        try:
            if self._cache is None or self._cache.is_full:
                tokens_BT = self._open_windows()
            else:
                newest = [self.sequences[index][-1] for index in self._rows]
                if self._quick_step is not None:
                    return self._quick_step(newest)
                tokens_BT = self._tensor([[token] for token in newest])
            return self.model.head(self.model.hidden(tokens_BT, self._cache)[:, -1])
        finally:
            if training:
                self.model.train()

    def _open_windows(self) -> Tensor:
        """Starts a new cache for the unfinished sequences, and returns the tokens to read into it."""
        self._rows = [index for index, reason in enumerate(self._reasons) if reason is None]
        windows = [self._window(index) for index in self._rows]
        longest = max(map(len, windows))
        wanted = max(self.max_tokens - self._made(index) for index in self._rows)
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
        """What the model sees of a sequence: its window so far; if that outgrew the context, its newest part.

        That is half the context or more, as far as there is room for the tokens to come.
        """
        sequence, context = self.sequences[index], self.model.config.context_length
        if len(sequence) - self._starts[index] > context:
            room = self.max_tokens - self._made(index)
            self._starts[index] = len(sequence) - max(1, context // 2, context - room)
        return sequence[self._starts[index] :]

    def _tensor(self, rows: list[list[int]]) -> Tensor:
        return torch.tensor(rows, device=self.model.token_embedding.weight.device)


def _quick_step(model: GPT, cache: KVCache, tokens: int) -> Callable[[list[int]], Tensor] | None:
    """The compiled step of a CPU or the captured one of a GPU, or None where neither can be had."""
    compiled = compiled_step(model, cache, tokens)
    if compiled is not None:
        return lambda newest: compiled(newest[0])
    return graph_step(model, cache, tokens)


def check_prompts(prompts: Sequence[Sequence[int]], vocab_size: int) -> None:
    """Refuses what a model cannot read.

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


def _seeds(seed: Seed, count: int) -> Sequence[int | None]:
    if seed is None or isinstance(seed, int):
        return [seed] * count
    if len(seed) != count:
        raise InputError(f"{len(seed)} seeds for {count} prompts", "give one seed, or one for each prompt")
    return seed
