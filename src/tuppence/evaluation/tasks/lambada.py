"""LAMBADA: predict the last word of a passage. People need the whole passage for it, not only its last sentence.

Paperno et al. 2016, arXiv:1606.06031, in OpenAI's version. `accuracy`: the share of passages whose last word is what
the model would write itself, token after token. `perplexity`: of the last word, e to the mean of its negative
log-probability (by word, not by token). Both as in lm-eval's `lambada_openai`.
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
from tuppence.evaluation.rows.files import RowFile, bad_row, find_file, read_rows
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
        InputError: no file, or a row that cannot be used.
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
    perplexity = math.exp(min(-mean, 700))  # JSON knows no infinity
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
    """Rows `{context, continuation}`, or `{text}`, whose last word follows its last space.

    Raises:
        InputError: a row of another form, or of a single word.
    """
    return [_passage(row) for row in file.rows]


def _passage(row: Row) -> Passage:
    if {"context", "continuation"} <= row.values.keys():
        context, word = row.text("context"), row.text("continuation").strip()
    elif "text" in row.values:
        context, _, word = row.text("text").rpartition(" ")
    else:
        keys = ", ".join(map(str, list(row.values)[:8])) or "nothing"
        raise bad_row(f"{row.where}: neither 'text' nor 'context' and 'continuation': it has {keys}")
    if not context.strip() or not word.strip():
        raise bad_row(f"{row.where}: a passage and its last word are needed")
    return Passage(row.where, context, f" {word}")
