"""Multiple choice: which of several endings does the model find most likely?

- `acc`: the ending with the highest log-probability, summed over its tokens.
- `acc_norm`: the same per character of the ending, since a sum favours short ones; as in lm-eval 0.4.
- `acc_bytes`: per UTF-8 byte; the same as `acc_norm` for plain English.

The model gets no examples (zero-shot). Reading rows is the business of `choices`, scoring that of `likelihood`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.evaluation.choices import Choice, read_choices
from tuppence.evaluation.likelihood import check_question, encode_question, score_questions
from tuppence.evaluation.rowlog import Result, RowLog
from tuppence.evaluation.rows import bad_row, find_file, read_rows
from tuppence.evaluation.subject import Subject
from tuppence.evaluation.task import Numbers, Outcome, Settings, about_rows, open_log, row_scores, standard_error

METRICS: dict[str, Callable[[str], float]] = {
    "acc": lambda ending: 1.0,
    "acc_norm": lambda ending: float(len(ending)),
    "acc_bytes": lambda ending: float(len(ending.encode())),
}
"""What each metric divides an ending's log-probability by."""


def multiple_choice(task: str, subject: Subject, settings: Settings, folder: Path | None) -> Outcome:
    """Scores a file of questions; `task` names it and finds its file in the catalog.

    Raises:
        InputError: no file, or a row that cannot be used.
    """
    began = time.perf_counter()
    file = read_rows(find_file(task, settings.data_of(task), settings.data_folder), settings.limit)
    choices = read_choices(file, task)
    with open_log(task, subject, file.sha256, folder) as log:
        score_choices(subject, choices, log)
        results = log.ordered(len(choices))
    right = {metric: right_answers(choices, results, metric) for metric in METRICS}
    numbers: Numbers = {}
    for metric, values in right.items():
        numbers[metric] = sum(values) / len(values)
        numbers[f"{metric}_stderr"] = standard_error(values)
    return Outcome(
        numbers={
            "accuracy": numbers["acc"],
            "stderr": numbers["acc_stderr"],
            **numbers,
            "chance": sum(1 / len(choice.endings) for choice in choices) / len(choices),
            **about_rows(file, settings, subject),
            "seconds": round(time.perf_counter() - began, 3),
        },
        scores={metric: row_scores(values, file) for metric, values in right.items()},
    )


def score_choices(subject: Subject, choices: list[Choice], log: RowLog) -> None:
    """Adds to `log` the log-probability of every ending of every question that is not in it yet, by its index."""
    missing = log.missing(len(choices))
    config, questions = subject.model.config, []
    for index in missing:
        choice = choices[index]
        try:
            question = encode_question(subject.tokenizer, choice.context, [f" {ending}" for ending in choice.endings])
            check_question(question, config.context_length, config.vocab_size)
        except InputError as error:
            raise bad_row(f"{choice.where}: {error.message}") from error
        questions.append(question)
    with console.progress("rows") as bar, subject.arithmetic():
        progress = bar.add_task("scoring", total=len(choices), completed=len(choices) - len(missing))
        for index, likelihoods in score_questions(subject.model, questions):
            log.add(missing[index], {"log_probabilities": [one.log_probability for one in likelihoods]})
            bar.advance(progress)


def right_answers(choices: list[Choice], results: list[Result], metric: str) -> list[float]:
    """For each question 1 where the right ending is the most likely one, else 0; of equal ones the first counts.

    Example:
        A long right ending, less likely as a whole and more likely by the character:

        >>> choice = Choice("row 1", "Two and two is", ("six", "certainly four"), gold=1)
        >>> result = {"log_probabilities": [-6.0, -7.0]}
        >>> right_answers([choice], [result], "acc"), right_answers([choice], [result], "acc_norm")
        ([0.0], [1.0])
    """
    return [
        float(
            np.argmax(
                [
                    log_probability / METRICS[metric](ending)
                    for log_probability, ending in zip(result["log_probabilities"], choice.endings, strict=True)
                ]
            )
            == choice.gold
        )
        for choice, result in zip(choices, results, strict=True)
    ]
