"""The task `perplexity`: loss, perplexity and bits per byte of a text, or of the validation split of a DATA folder.

`scoring.perplexity` computes the metrics. This file finds the text, shows the progress, and opens the log from which a
killed evaluation continues.
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
from tuppence.core.run import Run
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.scoring.perplexity import perplexity
from tuppence.evaluation.scoring.streams import bytes_of_tokens, open_stream
from tuppence.evaluation.task import Scores, TaskResult, open_log
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel
from tuppence.storage import find_input, is_remote


def text_perplexity(loaded: LoadedModel[GPT], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Scores a text.

    Raises:
        InputError: no text was named and the run has none, or the text cannot be scored.
    """
    data = config.data_of("perplexity") or data_of_run(loaded.folder)
    if data is None:
        raise InputError("perplexity needs a text", "add --data DATA (its validation split) or --data FILE")
    stream = open_stream(data, loaded.tokenizer)
    began = time.perf_counter()
    scored: list[tuple[float, int]] = []  # (nats, bytes) of each window
    cut = {name: getattr(config, name) for name in ("context_length", "stride", "batch_size")}
    # the log has the sha256 of each block's tokens: of a file that has grown, only the new blocks are scored
    with open_log("perplexity", loaded, "", folder, cut) as log, console.progress("bytes") as bar:
        if log.results:
            console.note(f"{console.counted(len(log.results), 'block')} had been scored before: {log.path}")
        task = bar.add_task("perplexity", total=stream.total_bytes)

        def on_batch(nats: Sequence[float], text_bytes: Sequence[int]) -> None:
            scored.extend(zip(nats, text_bytes, strict=True))
            bar.advance(task, sum(text_bytes))

        with loaded.autocast():
            score = perplexity(
                loaded.model,
                stream.pieces,
                bytes_of_tokens(loaded.tokenizer),
                **cut,
                max_tokens=config.max_tokens,
                on_batch=on_batch,
                log=log,
            )
    nats, text_bytes = np.array(scored, dtype=np.float64).T
    return TaskResult(
        metrics={
            **asdict(score),
            "data": data,
            "max_tokens": config.max_tokens,
            "precision": loaded.precision.name,
            "device": loaded.device,
            "seconds": round(time.perf_counter() - began, 3),
        },
        scores={"bits_per_byte": Scores(nats / math.log(2), text_bytes, "windows of text", data)},
    )


def data_of_run(folder: Path) -> str | None:
    """Returns the DATA folder of the pretraining run that a run is or comes from; None if unknown."""
    for run, content in Run.of(folder).lineage(find_input):
        path = run.named(content, "data")
        if path is not None and "base" not in content:
            return path if is_remote(path) else str(run.find(path) or path)
    return None
