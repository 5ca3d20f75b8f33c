"""Data in memory: the embedded sets as lists, texts as tokens, tokens as windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tuppence.core.errors import InputError
from tuppence.course.display import TokenStrip
from tuppence.data.batches import permute
from tuppence.synthetic import iter_instructions, iter_preferences, iter_sms, iter_stories
from tuppence.synthetic.instructions import Task
from tuppence.synthetic.preferences import PreferenceRow
from tuppence.synthetic.sms import LabelledSms
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.imports import import_tokenizer

PLOTS = 8
"""Stories of eight plots, as in the quickstart: a small model learns them in minutes."""


def stories(count: int, seed: int = 0, plots: int | None = PLOTS) -> list[str]:
    """Returns short English stories, the same on every machine.

    Args:
        plots: the number of plots they are drawn from; None for all.
    """
    return list(iter_stories(count, seed, plots))


def sms(count: int, seed: int = 0) -> list[LabelledSms]:
    """Returns text messages with `.text` and `.label`, "ham" or "spam"."""
    return list(iter_sms(count, seed))


def instructions(count: int, seed: int = 0) -> list[Task]:
    """Returns tasks with `.instruction`, `.input`, `.output` and `.kind`."""
    return list(iter_instructions(count, seed))


def preferences(count: int, seed: int = 0) -> list[PreferenceRow]:
    """Returns pairs with `.prompt`, `.chosen` and `.rejected`."""
    return list(iter_preferences(count, seed))


def load_tokenizer(path: str | Path | Sequence[str | Path]) -> Tokenizer:
    """Returns the tokenizer of a run, a folder or a file; also of `vocab.bpe` with `encoder.json`, or `*.tiktoken`.

    Raises:
        InputError: there is none.
    """
    if isinstance(path, str | Path) and Path(path).suffix not in (".bpe", ".tiktoken"):
        return Tokenizer.load(path)
    return import_tokenizer(path)


def tokens(texts: str | Sequence[str], tokenizer: Tokenizer) -> Tensor:
    """Returns texts as one sequence of ids, each followed by the end-of-text token: int64, (N,)."""
    ids: list[int] = []
    for text in [texts] if isinstance(texts, str) else texts:
        ids += [*tokenizer.encode(text), *tokenizer.start_ids]
    return torch.tensor(ids)


def show_tokens(tokenizer: Tokenizer, text: str | Sequence[int] | Tensor) -> TokenStrip:
    """Shows where a tokenizer cuts a text, or the tokens of a list of ids."""
    ids = tokenizer.encode(text) if isinstance(text, str) else [int(token) for token in text]
    contents = tuple(tokenizer.decode_bytes([token]) for token in ids)
    return TokenStrip(tuple(content.decode("utf-8", "replace") for content in contents), tuple(ids), contents)


def windows(tokens_N: Tensor, context: int, batch_size: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields batches of windows without end, in the order in which training reads them.

    The tokens are cut into windows of `context` inputs without overlap; a window's targets are its inputs shifted by
    one. Every epoch reads each window once, in a new order.

    Yields:
        (inputs_BT, targets_BT), int64.

    Raises:
        InputError: there are fewer tokens than a window and its last target.
    """
    count = (len(tokens_N) - 1) // context
    if count < 1:
        raise InputError(f"{len(tokens_N):,} tokens are fewer than one window of {context:,}", "use more text")
    return _windows(tokens_N, context, batch_size, seed, count)


def _windows(tokens_N: Tensor, context: int, batch_size: int, seed: int, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    first = 0
    while True:
        epochs_B, places_B = np.divmod(np.arange(first, first + batch_size), count)
        numbers = [
            int(permute(place, count, seed, int(epoch))[0])
            for epoch, place in zip(epochs_B, places_B[:, None], strict=True)
        ]
        rows_BT = torch.stack([tokens_N[number * context : (number + 1) * context + 1] for number in numbers])
        yield rows_BT[:, :-1].contiguous(), rows_BT[:, 1:].contiguous()
        first += batch_size
