"""Log-likelihoods of given continuations of given contexts, as multiple choice, LAMBADA and lm-eval need them.

A question is one context and its continuations. Questions are scored in batches of similar length; only the tokens of
continuations go through the head. The continuations of a question share their context, which is read once, into a KV
cache. The result equals scoring each context with each continuation alone, up to the rounding of the kernels.

Where a context ends and a continuation begins, and what is cut from a context that is too long, follows lm-eval
(EleutherAI, lm-evaluation-harness), so that numbers agree. Token ids only below `encode_question`; no files.
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

if TYPE_CHECKING:
    from tuppence.model.gpt import GPT
    from tuppence.tokenizer import Tokenizer

TOKENS_PER_BATCH = 4096
"""Enough to keep the matrix products busy; bounds memory whatever the context length."""


@dataclass(frozen=True)
class Question:
    """Token ids of a context (at least one) and of the continuations to score after it (at least one each)."""

    context: list[int]
    continuations: list[list[int]]


@dataclass(frozen=True)
class Likelihood:
    """The score of one continuation.

    Attributes:
        log_probability: of the whole continuation given the context, in nats: the sum over its tokens.
        is_greedy: every token of it is the most likely one: greedy generation gives exactly this continuation.
    """

    log_probability: float
    is_greedy: bool


def encode_question(tokenizer: Tokenizer, context: str, continuations: Sequence[str]) -> Question:
    """Ids of a context and its continuations, cut where lm-eval cuts.

    White space at the end of the context moves to the continuation, since tokens begin with their space; then both are
    encoded together, and the ids after those of the context alone are the continuation. An empty context is
    `<|endoftext|>`.

    Raises:
        InputError: a continuation has no token of its own, or an empty context has no `<|endoftext|>`.
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
    """Scores every continuation of every question, longer ones first.

    A context and continuation longer than the model's context lose their oldest tokens.

    Args:
        model: in the device and under the autocast the caller wants; put into evaluation mode and back.
        tokens_per_batch: tokens read at once, padding included; a single question may be longer.
        share_contexts: read the context of several continuations once. Without it each is read with its own: slower.

    Yields:
        The index of a question and one likelihood for each of its continuations.

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
        # where a context must be cut, each continuation has its own: no two of them see the same tokens
        fits = len(question.context) + longest - 1 <= context_length
        (shared if share_contexts and fits and len(question.continuations) > 1 else single).append(index)

    was_training = model.training
    model.eval()
    try:
        for batch in _batches_of_single(questions, single, context_length, tokens_per_batch):
            yield from _score_single(model, questions, batch)
        for batch in _batches_of_shared(questions, shared, context_length, tokens_per_batch):
            yield from _score_shared(model, questions, batch)
    finally:
        model.train(was_training)


def check_vocabulary(question: Question, vocab_size: int) -> None:
    """Refuses ids that the model does not know; callers that know the row say it.

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
    """Questions of similar length, all continuations of a question in one batch."""

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
    """Questions with continuations, then contexts, of similar length: continuations are the larger part
    of what is read, and of the padding. (By context first, HellaSwag is a quarter more to read.)"""

    def lengths(index: int) -> tuple[int, int]:
        return max(map(len, questions[index].continuations)), len(questions[index].context)

    batch: list[int] = []
    rows = longest_continuation = longest_context = 0
    for index in sorted(indices, key=lengths, reverse=True):
        continuation, context = lengths(index)
        new_rows = rows + len(questions[index].continuations)
        continuation, context = max(continuation, longest_continuation), max(context, longest_context)
        is_full = new_rows * continuation + (len(batch) + 1) * context > tokens_per_batch
        # padding must not push a position beyond the last one that the model knows
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
    # the first token of a continuation is predicted by the context's last
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
    """(B, T) token ids: padding follows the tokens, or stands before them (`at_end`), as a KV cache wants it."""
    longest = max(map(len, rows))
    padded = [[0] * (longest - len(row)) + row if at_end else row + [0] * (longest - len(row)) for row in rows]
    return torch.tensor(padded, device=model.token_embedding.weight.device)


def _likelihoods(model: GPT, hidden_ND: Tensor, continuations: list[list[int]]) -> Iterator[Likelihood]:
    """One likelihood a continuation, from the hidden states that predict their tokens, one after the other."""
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
