"""How likely a model finds given endings of given contexts: what multiple choice, LAMBADA and lm-eval are made of.

A question is one context and its endings. All questions are scored in batches of similar length; only the ending's
tokens go through the head. The endings of one question share their context, which is read once, into a KV cache. Equal
to scoring each context with each ending alone, up to the rounding of the kernels.

Where a context ends and an ending begins, and what is cut from a context that is too long, is decided as in lm-eval
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
    """Token ids of a context (at least one) and of the endings that are to be scored after it (at least one each)."""

    context: list[int]
    endings: list[list[int]]


@dataclass(frozen=True)
class Likelihood:
    """What the model thinks of one ending.

    Attributes:
        log_probability: of the whole ending given the context, in nats: the sum over its tokens.
        is_greedy: every token of it is the most likely one: the model would write exactly this ending.
    """

    log_probability: float
    is_greedy: bool


def encode_question(tokenizer: Tokenizer, context: str, endings: Sequence[str]) -> Question:
    """Ids of a context and its endings, cut where lm-eval cuts.

    White space at the end of the context moves to the ending, since tokens begin with their space; then both are
    encoded together, and what exceeds the ids of the context alone is the ending. An empty context is `<|endoftext|>`.

    Raises:
        InputError: an ending has no token of its own, or the tokenizer has no `<|endoftext|>` for an empty context.
    """
    stripped = context.rstrip()
    space = context[len(stripped) :]
    if stripped:
        context_ids = tokenizer.encode(stripped)
        ending_ids = [tokenizer.encode(stripped + space + ending)[len(context_ids) :] for ending in endings]
    else:
        context_ids = [tokenizer.end_of_text]
        ending_ids = [tokenizer.encode(space + ending) for ending in endings]
    for ending, ids in zip(endings, ending_ids, strict=True):
        if not ids:
            raise InputError(f"the ending {ending!r} has no token of its own", "give endings that are not empty")
    return Question(context_ids, ending_ids)


def score_questions(
    model: GPT, questions: Sequence[Question], *, tokens_per_batch: int = TOKENS_PER_BATCH, share_contexts: bool = True
) -> Iterator[tuple[int, list[Likelihood]]]:
    """Scores every ending of every question, longer ones first: (index of the question, one likelihood an ending).

    A context and ending longer than the model's context lose their oldest tokens.

    Args:
        model: in the device and under the autocast the caller wants; put into evaluation mode and back.
        tokens_per_batch: tokens read at once, padding included; a single question may be longer.
        share_contexts: read the context of several endings once. Without, each ending reads its own: slower.

    Raises:
        InputError: an ending is longer than the model's context, or an id is not in its vocabulary.
        NonFiniteError: the model predicts NaN.
    """
    context_length = model.config.context_length
    shared: list[int] = []
    single: list[int] = []
    for index, question in enumerate(questions):
        _check_question(question, context_length, model.config.vocab_size)
        longest = max(map(len, question.endings))
        # where a context must be cut, each ending has its own: no two of them see the same tokens
        fits = len(question.context) + longest - 1 <= context_length
        (shared if share_contexts and fits and len(question.endings) > 1 else single).append(index)

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
    highest = max(max(question.context), *map(max, question.endings))
    if highest >= vocab_size:
        raise InputError(f"token {highest} is not in the vocabulary of {vocab_size}", "use the model's tokenizer")


def _check_question(question: Question, context_length: int, vocab_size: int) -> None:
    longest = max(map(len, question.endings))
    if longest > context_length:
        raise InputError(
            f"an ending has {longest:,} tokens, and the model sees {context_length:,}",
            "leave the row out, or evaluate a model with a longer context",
        )
    check_vocabulary(question, vocab_size)


# ---- each ending with its own context ------------------------------------------------------------------------------


def _batches_of_single(
    questions: Sequence[Question], indices: list[int], context_length: int, tokens_per_batch: int
) -> Iterator[list[int]]:
    """Questions of similar length, all endings of a question in one batch."""

    def length(index: int) -> int:
        question = questions[index]
        return min(context_length, len(question.context) + max(map(len, question.endings)) - 1)

    batch: list[int] = []
    rows = 0
    for index in sorted(indices, key=length, reverse=True):
        new = len(questions[index].endings)
        if batch and (rows + new) * length(batch[0]) > tokens_per_batch:
            yield batch
            batch, rows = [], 0
        batch.append(index)
        rows += new
    if batch:
        yield batch


@torch.inference_mode()
def _score_single(model: GPT, questions: Sequence[Question], batch: list[int]) -> list[tuple[int, list[Likelihood]]]:
    rows = [(question.context, ending) for question in map(questions.__getitem__, batch) for ending in question.endings]
    inputs = [(context + ending)[-model.config.context_length - 1 : -1] for context, ending in rows]
    hidden_BTD = model.hidden(_padded(inputs, model))
    scored = [
        hidden_BTD[row, len(read) - len(ending) : len(read)]
        for row, (read, (_, ending)) in enumerate(zip(inputs, rows, strict=True))
    ]
    likelihoods = _likelihoods(model, torch.cat(scored), [ending for _, ending in rows])
    return [(index, [next(likelihoods) for _ in questions[index].endings]) for index in batch]


# ---- endings that share their context ------------------------------------------------------------------------------


def _batches_of_shared(
    questions: Sequence[Question], indices: list[int], context_length: int, tokens_per_batch: int
) -> Iterator[list[int]]:
    """Questions with endings of similar length, then contexts of similar length: endings are the larger part of what is
    read, and of what would be padding. (By context first, HellaSwag is a quarter more to read.)"""

    def lengths(index: int) -> tuple[int, int]:
        return max(map(len, questions[index].endings)), len(questions[index].context)

    batch: list[int] = []
    rows = longest_ending = longest_context = 0
    for index in sorted(indices, key=lengths, reverse=True):
        ending, context = lengths(index)
        new_rows = rows + len(questions[index].endings)
        ending, context = max(ending, longest_ending), max(context, longest_context)
        is_full = new_rows * ending + (len(batch) + 1) * context > tokens_per_batch
        # padding must not push a position beyond the last one that the model knows
        if batch and (is_full or context + ending - 1 > context_length):
            yield batch
            batch, new_rows = [], len(questions[index].endings)
            ending, context = lengths(index)
        batch.append(index)
        rows, longest_ending, longest_context = new_rows, ending, context
    if batch:
        yield batch


@torch.inference_mode()
def _score_shared(model: GPT, questions: Sequence[Question], batch: list[int]) -> list[tuple[int, list[Likelihood]]]:
    contexts = [questions[index].context for index in batch]
    longest = max(map(len, contexts))
    cache = _new_cache(model, [len(context) for context in contexts], longest)
    hidden_BTD = model.hidden(_padded(contexts, model, at_end=True), cache)

    rows = [(row, ending) for row, index in enumerate(batch) for ending in questions[index].endings]
    question_of_row = torch.tensor([row for row, _ in rows], device=hidden_BTD.device)
    # the first token of an ending is predicted by the context's last
    first_BD = hidden_BTD[:, -1][question_of_row]
    fed = [ending[:-1] for _, ending in rows]
    scored = [first_BD[row : row + 1] for row in range(len(rows))]
    if any(fed):
        width = max(map(len, fed))
        wide = _new_cache(model, [len(contexts[row]) for row, _ in rows], longest + width)
        wide.keys_LBHSK[:, :, :, :longest] = cache.keys_LBHSK[:, question_of_row]
        wide.values_LBHSK[:, :, :, :longest] = cache.values_LBHSK[:, question_of_row]
        wide.length = longest
        rest_BTD = model.hidden(_padded(fed, model), wide)
        scored = [torch.cat((one, rest_BTD[row, : len(fed[row])])) for row, one in enumerate(scored)]
    likelihoods = _likelihoods(model, torch.cat(scored), [ending for _, ending in rows])
    return [(index, [next(likelihoods) for _ in questions[index].endings]) for index in batch]


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


def _likelihoods(model: GPT, hidden_ND: Tensor, endings: list[list[int]]) -> Iterator[Likelihood]:
    """One likelihood an ending, from the hidden states that predict their tokens, one after the other."""
    targets_N = torch.tensor([token for ending in endings for token in ending], device=hidden_ND.device)
    log_probabilities_N, best_N = token_scores(hidden_ND, model.token_embedding.weight, targets_N)
    if not torch.isfinite(log_probabilities_N).all():
        raise NonFiniteError("the model predicts NaN", "its weights are damaged: try another checkpoint")
    lengths = [len(ending) for ending in endings]
    sums = [part.double().sum().item() for part in torch.split(log_probabilities_N.cpu(), lengths)]
    greedy = [bool(part.all()) for part in torch.split(best_N.cpu(), lengths)]
    return iter([Likelihood(total, every) for total, every in zip(sums, greedy, strict=True)])
