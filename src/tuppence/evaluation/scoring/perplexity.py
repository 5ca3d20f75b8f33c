"""Computes the perplexity and the bits per byte of a model on a stream of tokens.

Loss and perplexity depend on the tokenizer: with a larger vocabulary a text has fewer tokens, and each is harder to
predict. Bits per byte does not, so it compares models of different tokenizers: it divides the nats of the whole text by
the number of its bytes instead of the number of its tokens.

Every token of the text is scored once. `<|endoftext|>` has no byte of the text and is not scored; it precedes each
document as context, so that the first token of a document is scored, too. Documents follow each other in one stream, as
in pretraining, so a window can begin in the previous document.

Method: https://huggingface.co/docs/transformers/perplexity (sliding window); bits per byte as in Gao et al. 2020,
"The Pile", arXiv:2101.00027, section 3.1. `tasks.perplexity` finds the text.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from tuppence.core.errors import InputError, NonFiniteError
from tuppence.data.buckets import IGNORED_TARGET
from tuppence.evaluation.rows.log import RowLog
from tuppence.evaluation.scoring.windows import Tokens, Window, batches, windows
from tuppence.model.modes import evaluation_mode

if TYPE_CHECKING:
    from tuppence.model.gpt import GPT

TOKENS_PER_BATCH = 4096
"""Large enough for efficient matrix products; limits memory for every context length."""


@dataclass(frozen=True)
class Perplexity:
    """Perplexity of a model on a text.

    Attributes:
        loss: nats per token, the mean over all scored tokens.
        perplexity: e to the loss.
        bits_per_byte: nats / (ln 2 × bytes).
        tokens: tokens scored.
        bytes: UTF-8 bytes of those tokens: of the whole text, unless there is a limit.
        context_length: the longest window, in tokens.
        stride: tokens from the start of one window to the start of the next.
    """

    loss: float
    perplexity: float
    bits_per_byte: float
    tokens: int
    bytes: int
    context_length: int
    stride: int


def perplexity(
    model: GPT,
    stream: Iterable[Tokens],
    bytes_of_token: NDArray[np.int64],
    *,
    context_length: int | None = None,
    stride: int | None = None,
    batch_size: int | None = None,
    max_tokens: int | None = None,
    on_batch: Callable[[Sequence[float], Sequence[int]], object] | None = None,
    log: RowLog | None = None,
) -> Perplexity:
    """Scores every token of `stream` except the first, each exactly once.

    Args:
        model: on the device and under the autocast that the caller chooses; evaluated without dropout.
        stream: pieces of one sequence of token ids; the first token is context only (`<|endoftext|>`).
        bytes_of_token: (V,) the number of UTF-8 bytes of each id; 0 for special tokens, which are not scored.
        context_length: the longest window, at most the context of the model, which is the default.
        stride: see `windows`; by default half the context length, rounded up.
        batch_size: number of windows in a batch; by default a batch has about 4,096 tokens.
        max_tokens: stop after this many scored tokens.
        on_batch: called after every batch with the nats and the scored bytes of each of its windows.
        log: an open log of the batches. A batch whose tokens are in the log is not scored again.

    Raises:
        InputError: stride or context length is out of range, an id is not in the vocabulary, or there is no token.
        NonFiniteError: the model predicts NaN.
    """
    longest = model.config.context_length
    context_length = longest if context_length is None else context_length
    if not 1 <= context_length <= longest:
        raise InputError(
            f"context length {context_length} is not from 1 to {longest}", f"the model sees {longest} tokens"
        )
    stride = (context_length + 1) // 2 if stride is None else stride
    if not 1 <= stride <= context_length:
        raise InputError(f"stride {stride} is not from 1 to {context_length}", "a stride is at most the context length")
    batch_size = batch_size or max(1, TOKENS_PER_BATCH // context_length)

    log = RowLog(None, {}) if log is None else log
    nats, tokens, text_bytes = 0.0, 0, 0
    cut = _limited(_without_specials(windows(stream, context_length, stride), bytes_of_token), max_tokens)
    with evaluation_mode(model), torch.inference_mode():
        for number, (inputs_BT, targets_BT) in enumerate(batches(cut, batch_size)):
            scored_BT = targets_BT != IGNORED_TARGET
            nats_B = _once(log, number, model, inputs_BT, targets_BT)
            bytes_B = np.where(scored_BT, bytes_of_token[np.where(scored_BT, targets_BT, 0)], 0).sum(axis=1).tolist()
            nats += math.fsum(nats_B)
            tokens += int(scored_BT.sum())
            text_bytes += sum(bytes_B)
            if on_batch:
                on_batch(nats_B, bytes_B)

    if tokens == 0:
        raise InputError("there is no token to score", "give a text that is not empty")
    loss = nats / tokens
    return Perplexity(
        loss=loss,
        perplexity=math.exp(loss) if loss < 700 else math.inf,
        bits_per_byte=nats / (math.log(2) * text_bytes),
        tokens=tokens,
        bytes=text_bytes,
        context_length=context_length,
        stride=stride,
    )


def _without_specials(cut: Iterable[Window], bytes_of_token: NDArray[np.int64]) -> Iterator[Window]:
    special_ids = np.flatnonzero(bytes_of_token == 0)
    for inputs, targets in cut:
        highest = int(max(inputs.max(), targets.max()))
        if highest >= len(bytes_of_token):
            raise InputError(
                f"token {highest} is not in the vocabulary of {len(bytes_of_token)}",
                "use the model's own tokenizer",
            )
        yield inputs, np.where(np.isin(targets, special_ids), IGNORED_TARGET, targets)


def _limited(cut: Iterable[Window], max_tokens: int | None) -> Iterator[Window]:
    left = max_tokens
    for inputs, targets in cut:
        scored = np.flatnonzero(targets != IGNORED_TARGET)
        if left is not None and len(scored) >= left:
            end = scored[left - 1] + 1 if left > 0 else 0
            if end:
                yield inputs[:end], targets[:end]
            return
        if left is not None:
            left -= len(scored)
        yield inputs, targets


def _once(log: RowLog, number: int, model: GPT, inputs_BT: Tokens, targets_BT: Tokens) -> list[float]:
    """Returns the nats of each window of a batch: from the log if it has the same tokens, else from the model."""
    digest = hashlib.sha256(inputs_BT.tobytes() + targets_BT.tobytes()).hexdigest()
    known = log.results.get(number, {})
    stored = known.get("nats")
    if known.get("tokens_sha256") == digest and isinstance(stored, list) and len(stored) == len(inputs_BT):
        return [float(nats) for nats in stored]
    nats_B = _summed_losses(model, inputs_BT, targets_BT)
    log.add(number, {"nats": nats_B, "tokens_sha256": digest})
    return nats_B


def _summed_losses(model: GPT, inputs_BT: Tokens, targets_BT: Tokens) -> list[float]:
    """Returns the summed loss of each window, in nats."""
    device = next(model.parameters()).device
    nats_B = model.row_losses(torch.from_numpy(inputs_BT).to(device), torch.from_numpy(targets_BT).to(device))
    if not nats_B.isfinite().all():
        raise NonFiniteError(
            "the model's loss is not a finite number", "its weights are damaged: try another checkpoint"
        )
    return [float(nats) for nats in nats_B]
