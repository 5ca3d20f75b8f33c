"""Computes the class probabilities of texts.

A batch has texts of similar length. Without another --precision it is computed in float32, so that a label does not
depend on the other texts of the batch. Called by `tasks.classification` and by `tuppence classify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from tuppence.core.errors import InputError
from tuppence.data.buckets import pad
from tuppence.data.records.texts import encode_texts
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import LoadedModel

TOKENS_AT_ONCE = {"cpu": 1024}
"""Device → tokens of a batch, including padding. 8,192 are a third slower on a CPU, because its caches are small."""

TEXTS_AT_ONCE = 2048
"""Texts of a stream that are held at a time: enough to sort them by length, and little memory."""


@dataclass(frozen=True)
class Classified:
    """A text and its predicted class.

    Attributes:
        label: the most likely one.
        probabilities: label → probability.
    """

    text: str
    label: str
    probabilities: dict[str, float]


def class_probabilities(
    loaded: LoadedModel[SequenceScorer],
    texts: Sequence[str],
    on_batch: Callable[[NDArray[np.int64], NDArray[np.float64]], object] | None = None,
) -> NDArray[np.float64]:
    """Returns the probabilities of the classes for every text, (N, C), in the order of the texts.

    Args:
        texts: cut at the end if they are longer than the context.
        on_batch: called after every batch with the indices of its texts and their probabilities.

    Raises:
        InputError: a text is empty.
    """
    context_length = loaded.config.context_length
    encoded = encode_texts(loaded.tokenizer, texts, context_length=context_length)
    results = np.empty((len(texts), len(loaded.labels)))
    with torch.inference_mode(), loaded.autocast():
        for numbers in batches_of_tokens(encoded.lengths, tokens_at_once(loaded.device)):
            rows = [encoded.rows[number] for number in numbers]
            tokens_BT = torch.from_numpy(pad(rows, value=0, limit=context_length)).to(loaded.device)
            lengths_B = torch.from_numpy(encoded.lengths[numbers]).to(loaded.device)
            scores_BC = loaded.model(tokens_BT, lengths_B).double()
            results[numbers] = scores_BC.softmax(dim=-1).cpu().numpy()
            if on_batch is not None:
                on_batch(numbers, results[numbers])
    return results


def classify(loaded: LoadedModel[SequenceScorer], texts: Iterable[str]) -> Iterator[Classified]:
    """Classifies a stream of texts of any length, in order. Holds `TEXTS_AT_ONCE` texts at a time.

    Raises:
        InputError: a text is empty (the message has its number in the stream); or the model is a reward model.
    """
    if loaded.kind == "reward model":
        raise InputError(
            f"{loaded.folder} is a reward model: it names no classes",
            f"score pairs of answers with it: tuppence evaluate {loaded.folder} --data PAIRS",
        )
    stream, before = iter(texts), 0
    while chunk := list(islice(stream, TEXTS_AT_ONCE)):
        for number, text in enumerate(chunk, start=before + 1):
            if not text.strip():
                raise InputError(f"text {number:,} is empty", "leave it out")
        for text, row in zip(chunk, class_probabilities(loaded, chunk), strict=True):
            label = loaded.labels[int(row.argmax())]
            yield Classified(text, label, dict(zip(loaded.labels, row.tolist(), strict=True)))
        before += len(chunk)


def tokens_at_once(device: str) -> int:
    """Returns the number of tokens of a batch on a device.

    Example:
        >>> tokens_at_once("cpu"), tokens_at_once("cuda:1")
        (1024, 16384)
    """
    return TOKENS_AT_ONCE.get(device.partition(":")[0], 16_384)


def batches_of_tokens(lengths: NDArray[np.int64], tokens: int) -> Iterator[NDArray[np.int64]]:
    """Yields the indices of the texts in batches, the longest first.

    A batch has at most `tokens` tokens including padding, and at least one text.

    Example:
        >>> [batch.tolist() for batch in batches_of_tokens(np.array([3, 9, 4, 2]), tokens=10)]
        [[1], [2, 0], [3]]
    """
    longest_first = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(longest_first):
        size = max(1, tokens // int(lengths[longest_first[start]]))
        yield longest_first[start : start + size]
        start += size
