"""The task `lambada`: predict the last word of a passage, which people can do only from the whole passage.

Paperno et al. 2016, arXiv:1606.06031, in OpenAI's version. `accuracy` is the share of passages whose last word is the
model's greedy continuation. `perplexity` is e to the mean negative log-probability of the last word (per word, not per
token). Both are defined as in lm-eval's `lambada_openai`.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tuppence.data.records.rows import Row
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.contamination import contamination
from tuppence.evaluation.rows.files import RowFile, bad_row, find_file, keys_of, read_rows
from tuppence.evaluation.scoring.questions import Posed, score_rows
from tuppence.evaluation.task import TaskResult, about_rows, known, open_log, row_scores, standard_error
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel


@dataclass(frozen=True)
class Passage:
    """A passage without its last word, and that word with the space before it."""

    where: str
    context: str
    continuation: str


def lambada(loaded: LoadedModel[GPT], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Scores a file of passages.

    Raises:
        InputError: there is no file, or a row cannot be used.
    """
    began = time.perf_counter()
    file = read_rows(find_file("lambada", config.data_of("lambada"), config.data_folder), config.limit)
    passages = read_passages(file)
    rows = [Posed(one.where, one.context, [one.continuation]) for one in passages]
    with open_log("lambada", loaded, file.sha256, folder) as log:
        results = score_rows("lambada", loaded, file, rows, log, lambda likelihoods: asdict(likelihoods[0]))
    columns = {
        key: [None if result is None else float(result[key]) for result in results]
        for key in ("is_greedy", "log_probability")
    }
    right, log_probabilities = (known(column) for column in columns.values())
    mean, error = float(np.mean(log_probabilities)), standard_error(log_probabilities)
    perplexity = math.exp(min(-mean, 700))  # JSON has no infinity
    accuracy, accuracy_error = sum(right) / len(right), standard_error(right)
    return TaskResult(
        metrics={
            "accuracy": accuracy,
            "stderr": accuracy_error,
            "acc": accuracy,
            "acc_stderr": accuracy_error,
            "perplexity": perplexity,
            "perplexity_stderr": None if error is None else perplexity * error,  # to the first order
            "log_probability": mean,
            **about_rows(file, config, loaded),
            **contamination(loaded.folder, file.path, [passage.context for passage in passages]),
            "left_out": len(passages) - len(right),
            "seconds": round(time.perf_counter() - began, 3),
        },
        scores={
            "accuracy": row_scores(columns["is_greedy"], file),
            "log_probability": row_scores(columns["log_probability"], file),
        },
    )


def read_passages(file: RowFile) -> list[Passage]:
    """Reads rows `{context, continuation}` or `{text}`. The last word of a text follows its last space.

    Raises:
        InputError: a row has another format, or only one word.
    """
    return [_passage(row) for row in file.rows]


def _passage(row: Row) -> Passage:
    if {"context", "continuation"} <= row.values.keys():
        context, word = row.text("context"), row.text("continuation").strip()
    elif "text" in row.values:
        context, _, word = row.text("text").rpartition(" ")
    else:
        raise bad_row(f"{row.where}: neither 'text' nor 'context' and 'continuation': it has {keys_of(row)}")
    if not context.strip() or not word.strip():
        raise bad_row(f"{row.where}: a passage and its last word are needed")
    return Passage(row.where, context, f" {word}")
