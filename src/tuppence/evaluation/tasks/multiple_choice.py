"""Scores multiple-choice tasks: the accuracy if the most likely continuation is chosen.

- `acc`: chooses by log-probability, summed over the tokens of a continuation.
- `acc_norm`: chooses by log-probability per character, because the sum favours short continuations; as in lm-eval 0.4.
- `acc_bytes`: chooses by log-probability per UTF-8 byte; the same as `acc_norm` for plain English.

The prompt has no examples (zero-shot). `choices` reads the rows, `scoring.questions` scores them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.contamination import contamination
from tuppence.evaluation.rows.choices import Choice
from tuppence.evaluation.rows.files import find_file, read_rows
from tuppence.evaluation.rows.log import Result
from tuppence.evaluation.scoring.likelihood import Likelihood
from tuppence.evaluation.scoring.questions import Posed, score_rows
from tuppence.evaluation.task import Metrics, TaskResult, about_rows, known, open_log, row_scores, standard_error
from tuppence.evaluation.tasks.choices import read_choices
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel

METRICS: dict[str, Callable[[str], float]] = {
    "acc": lambda continuation: 1.0,
    "acc_norm": lambda continuation: float(len(continuation)),
    "acc_bytes": lambda continuation: float(len(continuation.encode())),
}
"""Metric → the number by which it divides the log-probability of a continuation."""


def multiple_choice(task: str, loaded: LoadedModel[GPT], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Scores a file of questions.

    Args:
        task: its name, by which its file is found in the catalog.

    Raises:
        InputError: there is no file, or a row cannot be used.
    """
    began = time.perf_counter()
    file = read_rows(find_file(task, config.data_of(task), config.data_folder), config.limit)
    choices = read_choices(file, task)
    rows = [
        Posed(one.where, one.context, [f" {continuation}" for continuation in one.continuations]) for one in choices
    ]
    with open_log(task, loaded, file.sha256, folder) as log:
        results = score_rows("scoring", loaded, file, rows, log, _log_probabilities)
    right = {metric: right_answers(choices, results, metric) for metric in METRICS}
    metrics: Metrics = {}
    for metric, values in right.items():
        scored = known(values)
        metrics[metric] = sum(scored) / len(scored)
        metrics[f"{metric}_stderr"] = standard_error(scored)
    answered = [choice for choice, result in zip(choices, results, strict=True) if result is not None]
    return TaskResult(
        metrics={
            "accuracy": metrics["acc"],
            "stderr": metrics["acc_stderr"],
            **metrics,
            "chance": sum(1 / len(choice.continuations) for choice in answered) / len(answered),
            **about_rows(file, config, loaded),
            **contamination(loaded.folder, file.path, [choice.question for choice in choices]),
            "left_out": len(choices) - len(answered),
            "seconds": round(time.perf_counter() - began, 3),
        },
        scores={metric: row_scores(values, file) for metric, values in right.items()},
    )


def _log_probabilities(likelihoods: list[Likelihood]) -> Result:
    return {"log_probabilities": [one.log_probability for one in likelihoods]}


def right_answers(choices: list[Choice], results: Sequence[Result | None], metric: str) -> list[float | None]:
    """Returns 1.0 for each question whose right continuation is the most likely one, else 0.0.

    If several are equally likely, the first is chosen. A question that was left out (its result is None) gets None.

    Example:
        The right continuation is long; it is less likely as a whole and more likely per character:

        >>> choice = Choice("row 1", "Two and two is", ("six", "certainly four"), gold=1)
        >>> result = {"log_probabilities": [-6.0, -7.0]}
        >>> right_answers([choice], [result], "acc"), right_answers([choice], [result], "acc_norm")
        ([0.0], [1.0])
    """
    return [
        None if result is None else float(_most_likely(choice, result, metric) == choice.gold)
        for choice, result in zip(choices, results, strict=True)
    ]


def _most_likely(choice: Choice, result: Result, metric: str) -> int:
    size = METRICS[metric]
    pairs = zip(result["log_probabilities"], choice.continuations, strict=True)
    return int(np.argmax([log_probability / size(continuation) for log_probability, continuation in pairs]))
