"""The task `perplexity`: a text, or the validation split of a DATA folder, in; loss, perplexity and bits per byte out.

The numbers themselves are `perplexity`'s. Kept here: where the text comes from, the progress bar, and the log by which
a killed evaluation goes on where it stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.evaluation.perplexity import perplexity
from tuppence.evaluation.streams import bytes_of_tokens, open_stream
from tuppence.evaluation.subject import Subject, data_of_run
from tuppence.evaluation.task import Outcome, Scores, Settings, open_log


def text_perplexity(subject: Subject, settings: Settings, folder: Path | None) -> Outcome:
    """Scores a text.

    Raises:
        InputError: no text was named and the run knows none, or it cannot be scored.
    """
    data = settings.data_of("perplexity") or data_of_run(subject.folder)
    if data is None:
        raise InputError("perplexity needs a text", "add --data DATA (its validation split) or --data FILE")
    stream = open_stream(data, subject.tokenizer)
    began = time.perf_counter()
    scored: list[tuple[float, int]] = []  # of each window
    cut = {name: getattr(settings, name) for name in ("context_length", "stride", "batch_size")}
    # each block in the log has the sha256 of its tokens: a file that has grown is scored from where it has
    with open_log("perplexity", subject, "", folder, cut) as log, console.progress("bytes") as bar:
        if log.results:
            console.note(f"{console.counted(len(log.results), 'block')} had been scored before: {log.path}")
        task = bar.add_task("perplexity", total=stream.total_bytes)

        def on_batch(nats: Sequence[float], text_bytes: Sequence[int]) -> None:
            scored.extend(zip(nats, text_bytes, strict=True))
            bar.advance(task, sum(text_bytes))

        with subject.arithmetic():
            score = perplexity(
                subject.model,
                stream.pieces,
                bytes_of_tokens(subject.tokenizer),
                **cut,
                max_tokens=settings.max_tokens,
                on_batch=on_batch,
                log=log,
            )
    nats, text_bytes = np.array(scored, dtype=np.float64).T
    return Outcome(
        numbers={
            **asdict(score),
            "data": data,
            "max_tokens": settings.max_tokens,
            "precision": subject.precision.name,
            "device": subject.device,
            "seconds": round(time.perf_counter() - began, 3),
        },
        scores={"bits_per_byte": Scores(nats / math.log(2), text_bytes, "windows of text", data)},
    )
