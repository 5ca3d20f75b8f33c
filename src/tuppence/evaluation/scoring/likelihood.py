"""Computes log-likelihoods of given continuations of contexts, for multiple choice, LAMBADA and lm-eval.

A question is one context with its continuations. Questions are scored in batches of similar length; only the tokens of
continuations go through the head. The continuations of a question share their context, which is read once into a KV
cache. The result equals scoring each continuation with its context alone, up to the rounding of the kernels.

The boundary between context and continuation, and the cut of a context that is too long, follow lm-eval (EleutherAI,
lm-evaluation-harness), so that the results agree. `encode_question` takes text; everything else works on token ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tuppence.core.errors import InputError, NonFiniteError
from tuppence.model.cache import KVCache
from tuppence.model.loss import token_scores
from tuppence.model.modes import evaluation_mode

if TYPE_CHECKING:
    from tuppence.model.gpt import GPT
    from tuppence.tokenizer import Tokenizer

TOKENS_PER_BATCH = 4096
"""Large enough for efficient matrix products; limits memory for every context length."""


@dataclass(frozen=True)
class Question:
    """Token ids of a context (at least one) and of the continuations to score after it (at least one each)."""

    context: list[int]
    continuations: list[list[int]]


@dataclass(frozen=True)
class Likelihood:
    """The score of one continuation.

    Attributes:
        log_probability: of the continuation given the context, in nats: the sum over its tokens.
        is_greedy: greedy generation gives exactly this continuation: each of its tokens is the most likely one.
    """

    log_probability: float
    is_greedy: bool


def encode_question(tokenizer: Tokenizer, context: str, continuations: Sequence[str]) -> Question:
    """Encodes a context and its continuations, with the boundary of lm-eval.

    White space at the end of the context moves to the continuation, because tokens begin with their space. Both are
    encoded together, and the ids after those of the context alone are the continuation. An empty context becomes
    `<|endoftext|>`.

    Raises:
        InputError: a continuation has no token of its own; or the context is empty and the tokenizer has no
            `<|endoftext|>`.
    """
    stripped = context.rstrip()
    space = context[len(stripped) :]
    if stripped:
        context_ids = tokenizer.encode(stripped)
        continuation_ids = [
            tokenizer.encode(stripped + space + continuation)[len(context_ids) :] for continuation in continuations
        ]
    else:
        context_ids = [tokenizer.end_of_text]
        continuation_ids = [tokenizer.encode(space + continuation) for continuation in continuations]
    for continuation, ids in zip(continuations, continuation_ids, strict=True):
        if not ids:
            raise InputError(
                f"the continuation {continuation!r} has no token of its own", "give continuations that are not empty"
            )
    return Question(context_ids, continuation_ids)


def score_questions(
    model: GPT, questions: Sequence[Question], *, tokens_per_batch: int = TOKENS_PER_BATCH, share_contexts: bool = True
) -> Iterator[tuple[int, list[Likelihood]]]:
    """Scores every continuation of every question, longer questions first.

    If a context with a continuation is longer than the model's context, the first tokens of the context are cut off.

    Args:
        model: on the device and under the autocast that the caller chooses; evaluated without dropout.
        tokens_per_batch: tokens of a batch, including padding; a single question can be longer.
        share_contexts: read the context of several continuations once. If False, it is read with each of them, which
            is slower.

    Yields:
        The index of a question, and one likelihood for each of its continuations.

    Raises:
        InputError: a continuation is longer than the model's context, or an id is not in its vocabulary.
        NonFiniteError: the model predicts NaN.
    """
    context_length = model.config.context_length
    shared: list[int] = []
    single: list[int] = []
    for index, question in enumerate(questions):
        _check_question(question, context_length, model.config.vocab_size)
        longest = max(map(len, question.continuations))
        # a context that must be cut is not shared: it is cut differently for each continuation
        fits = len(question.context) + longest - 1 <= context_length
        (shared if share_contexts and fits and len(question.continuations) > 1 else single).append(index)

    with evaluation_mode(model):
        for batch in _batches_of_single(questions, single, context_length, tokens_per_batch):
            yield from _score_single(model, questions, batch)
        for batch in _batches_of_shared(questions, shared, context_length, tokens_per_batch):
            yield from _score_shared(model, questions, batch)


def check_vocabulary(question: Question, vocab_size: int) -> None:
    """Checks the ids of a question. A caller can call this to name the row in its own message.

    Raises:
        InputError: an id is not in the vocabulary.
    """
    highest = max(max(question.context), *map(max, question.continuations))
    if highest >= vocab_size:
        raise InputError(f"token {highest} is not in the vocabulary of {vocab_size}", "use the model's tokenizer")


def _check_question(question: Question, context_length: int, vocab_size: int) -> None:
    longest = max(map(len, question.continuations))
    if longest > context_length:
        raise InputError(
            f"a continuation has {longest:,} tokens, and the model sees {context_length:,}",
            "leave the row out, or evaluate a model with a longer context",
        )
    check_vocabulary(question, vocab_size)


# ---- each continuation with its own context ------------------------------------------------------------------------


def _batches_of_single(
    questions: Sequence[Question], indices: list[int], context_length: int, tokens_per_batch: int
) -> Iterator[list[int]]:
    """Yields batches of questions of similar length. All continuations of a question are in one batch."""

    def length(index: int) -> int:
        question = questions[index]
        return min(context_length, len(question.context) + max(map(len, question.continuations)) - 1)

    batch: list[int] = []
    rows = 0
    for index in sorted(indices, key=length, reverse=True):
        new = len(questions[index].continuations)
        if batch and (rows + new) * length(batch[0]) > tokens_per_batch:
            yield batch
            batch, rows = [], 0
        batch.append(index)
        rows += new
    if batch:
        yield batch


@torch.inference_mode()
def _score_single(model: GPT, questions: Sequence[Question], batch: list[int]) -> list[tuple[int, list[Likelihood]]]:
    rows = [
        (question.context, continuation)
        for question in map(questions.__getitem__, batch)
        for continuation in question.continuations
    ]
    inputs = [(context + continuation)[-model.config.context_length - 1 : -1] for context, continuation in rows]
    hidden_BTD = model.hidden(_padded(inputs, model))
    scored = [
        hidden_BTD[row, len(read) - len(continuation) : len(read)]
        for row, (read, (_, continuation)) in enumerate(zip(inputs, rows, strict=True))
    ]
    likelihoods = _likelihoods(model, torch.cat(scored), [continuation for _, continuation in rows])
    return [(index, [next(likelihoods) for _ in questions[index].continuations]) for index in batch]


# ---- continuations that share their context ------------------------------------------------------------------------


def _batches_of_shared(
    questions: Sequence[Question], indices: list[int], context_length: int, tokens_per_batch: int
) -> Iterator[list[int]]:
    """Yields batches of questions with continuations, then contexts, of similar length.

    Continuations are the larger part of the tokens and of the padding. Sorted by context first, HellaSwag has a quarter
    more tokens to read.
    """

    def lengths(index: int) -> tuple[int, int]:
        return max(map(len, questions[index].continuations)), len(questions[index].context)

    batch: list[int] = []
    rows = longest_continuation = longest_context = 0
    for index in sorted(indices, key=lengths, reverse=True):
        continuation, context = lengths(index)
        new_rows = rows + len(questions[index].continuations)
        continuation, context = max(continuation, longest_continuation), max(context, longest_context)
        is_full = new_rows * continuation + (len(batch) + 1) * context > tokens_per_batch
        # padding must not move a position beyond the model's last one
        if batch and (is_full or context + continuation - 1 > context_length):
            yield batch
            batch, new_rows = [], len(questions[index].continuations)
            continuation, context = lengths(index)
        batch.append(index)
        rows, longest_continuation, longest_context = new_rows, continuation, context
    if batch:
        yield batch


@torch.inference_mode()
def _score_shared(model: GPT, questions: Sequence[Question], batch: list[int]) -> list[tuple[int, list[Likelihood]]]:
    contexts = [questions[index].context for index in batch]
    longest = max(map(len, contexts))
    cache = _new_cache(model, [len(context) for context in contexts], longest)
    hidden_BTD = model.hidden(_padded(contexts, model, at_end=True), cache)

    rows = [(row, continuation) for row, index in enumerate(batch) for continuation in questions[index].continuations]
    question_of_row = torch.tensor([row for row, _ in rows], device=hidden_BTD.device)
    # the last token of the context predicts the first token of a continuation
    first_BD = hidden_BTD[:, -1][question_of_row]
    fed = [continuation[:-1] for _, continuation in rows]
    scored = [first_BD[row : row + 1] for row in range(len(rows))]
    if any(fed):
        width = max(map(len, fed))
        wide = _new_cache(model, [len(contexts[row]) for row, _ in rows], longest + width)
        wide.keys_LBHSK[:, :, :, :longest] = cache.keys_LBHSK[:, question_of_row]
        wide.values_LBHSK[:, :, :, :longest] = cache.values_LBHSK[:, question_of_row]
        wide.length = longest
        rest_BTD = model.hidden(_padded(fed, model), wide)
        scored = [torch.cat((one, rest_BTD[row, : len(fed[row])])) for row, one in enumerate(scored)]
    likelihoods = _likelihoods(model, torch.cat(scored), [continuation for _, continuation in rows])
    return [(index, [next(likelihoods) for _ in questions[index].continuations]) for index in batch]


def _new_cache(model: GPT, lengths: list[int], capacity: int) -> KVCache:
    weight = model.token_embedding.weight
    device = weight.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    return KVCache(model.config, lengths, capacity, dtype, weight.device)


# ---- both ----------------------------------------------------------------------------------------------------------


def _padded(rows: list[list[int]], model: GPT, *, at_end: bool = False) -> Tensor:
    """Returns token ids, (B, T), padded on the right; or padded on the left for a KV cache (`at_end`)."""
    longest = max(map(len, rows))
    padded = [[0] * (longest - len(row)) + row if at_end else row + [0] * (longest - len(row)) for row in rows]
    return torch.tensor(padded, device=model.token_embedding.weight.device)


def _likelihoods(model: GPT, hidden_ND: Tensor, continuations: list[list[int]]) -> Iterator[Likelihood]:
    """Returns one likelihood for each continuation, from the hidden states that predict its tokens, (N, D)."""
    targets_N = torch.tensor(
        [token for continuation in continuations for token in continuation], device=hidden_ND.device
    )
    log_probabilities_N, best_N = token_scores(hidden_ND, model.token_embedding.weight, targets_N)
    if not torch.isfinite(log_probabilities_N).all():
        raise NonFiniteError("the model predicts NaN", "its weights are damaged: try another checkpoint")
    lengths = [len(continuation) for continuation in continuations]
    sums = [part.double().sum().item() for part in torch.split(log_probabilities_N.cpu(), lengths)]
    greedy = [bool(part.all()) for part in torch.split(best_N.cpu(), lengths)]
    return iter([Likelihood(total, every) for total, every in zip(sums, greedy, strict=True)])
