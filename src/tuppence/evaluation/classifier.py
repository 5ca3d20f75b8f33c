"""A classifier that is ready to be asked: texts in, the probability of each label out.

Batches are made by length and computed in float32 unless another precision is asked for, so that a label does not
depend on which texts stand beside it. Used by `classification`, which measures, and by `tuppence classify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tuppence.core.environment import choose_device, choose_precision
from tuppence.core.errors import InputError
from tuppence.data.buckets import pad
from tuppence.data.records.texts import encode_texts
from tuppence.evaluation.subject import Subject
from tuppence.model.adapters import is_adapter
from tuppence.model.heads import SequenceScorer
from tuppence.model.weights import load_scorer, model_folder
from tuppence.tokenizer import Tokenizer

TOKENS_AT_ONCE = {"cpu": 1024}
"""Tokens of a batch, padding counted, by device. 8,192 are a third slower on a CPU: its caches are small."""

TEXTS_AT_ONCE = 2048
"""Texts that are held while a stream is classified: enough to sort by length, little enough for any memory."""


@dataclass(frozen=True)
class Classified:
    """A text and what the model takes it for.

    Attributes:
        label: the likeliest.
        probabilities: of every label, by name.
    """

    text: str
    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Classifier(Subject):
    """A subject that sorts texts into classes; `model` is its body.

    Attributes:
        scorer: body and head.
        labels: the classes by their ids.
    """

    scorer: SequenceScorer
    labels: tuple[str, ...]

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the weights of body and head, and the names of the classes."""
        head = self.scorer.score.weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
        return hashlib.sha256("\n".join([super().fingerprint, *self.labels]).encode() + head).hexdigest()

    def probabilities(
        self, texts: Sequence[str], on_batch: Callable[[NDArray[np.int64], NDArray[np.float64]], object] | None = None
    ) -> NDArray[np.float64]:
        """Probabilities of the classes for every text, (N, C), in the order of the texts.

        Args:
            texts: cut at the right where they are longer than the context.
            on_batch: called after every batch with the numbers of its texts and their probabilities.

        Raises:
            InputError: a text is empty.
        """
        context_length = self.model.config.context_length
        encoded = encode_texts(self.tokenizer, texts, context_length=context_length)
        results = np.empty((len(texts), len(self.labels)))
        with torch.inference_mode(), self.arithmetic():
            for numbers in batches_of_tokens(encoded.lengths, tokens_at_once(self.device)):
                rows = [encoded.rows[number] for number in numbers]
                tokens_BT = torch.from_numpy(pad(rows, value=0, limit=context_length)).to(self.device)
                lengths_B = torch.from_numpy(encoded.lengths[numbers]).to(self.device)
                scores_BC = self.scorer(tokens_BT, lengths_B).double()
                results[numbers] = scores_BC.softmax(dim=-1).cpu().numpy()
                if on_batch is not None:
                    on_batch(numbers, results[numbers])
        return results

    def classify(self, texts: Iterable[str]) -> Iterator[Classified]:
        """Classifies a stream of texts of any length, in order; holds some thousands of them at a time.

        Raises:
            InputError: a text is empty, counted from the stream's beginning; or the model has one score, no classes.
        """
        if len(self.labels) == 1:
            raise InputError(
                f"{self.folder} is a reward model: it names no classes",
                f"score pairs of answers with it: tuppence evaluate {self.folder} --data PAIRS",
            )
        stream, before = iter(texts), 0
        while chunk := list(islice(stream, TEXTS_AT_ONCE)):
            for number, text in enumerate(chunk, start=before + 1):
                if not text.strip():
                    raise InputError(f"text {number:,} is empty", "leave it out")
            for text, row in zip(chunk, self.probabilities(chunk), strict=True):
                label = self.labels[int(row.argmax())]
                yield Classified(text, label, dict(zip(self.labels, row.tolist(), strict=True)))
            before += len(chunk)


def load_classifier(folder: str | Path, device: str = "auto", precision: str = "auto") -> Classifier:
    """Loads the classifier of a run, or of a `GPT2ForSequenceClassification` folder with its tokenizer.

    Args:
        precision: of the matrix products; "auto" is float32 on every device, see above.

    Raises:
        InputError: there is no classifier or tokenizer, one is damaged, or they do not belong together.
    """
    folder, device = Path(folder), choose_device(device)
    source = model_folder(folder)
    if is_adapter(folder):
        raise InputError(f"{folder} is an adapter without its classifier's labels", "give the run it belongs to")
    scorer, labels = load_scorer(source, device=device)
    tokenizer = Tokenizer.load(source)
    if tokenizer.vocab_size > scorer.gpt.config.vocab_size:
        raise InputError(
            f"the tokenizer in {source} has {tokenizer.vocab_size:,} ids, the model only"
            f" {scorer.gpt.config.vocab_size:,}",
            "put the tokenizer beside the model that it was trained with",
        )
    chosen = choose_precision(device, "float32" if precision == "auto" else precision)
    return Classifier(folder, scorer.gpt, tokenizer, device, chosen, scorer, tuple(labels))


def tokens_at_once(device: str) -> int:
    """Tokens of a batch on a device.

    Example:
        >>> tokens_at_once("cpu"), tokens_at_once("cuda:1")
        (1024, 16384)
    """
    return TOKENS_AT_ONCE.get(device.partition(":")[0], 16_384)


def batches_of_tokens(lengths: NDArray[np.int64], tokens: int) -> Iterator[NDArray[np.int64]]:
    """Every text once, the longest first, as many at a time as fill `tokens` with padding counted; at least one.

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
