"""Multiple choice: which of several endings does the model find most likely?

- `acc`: the ending with the highest log-probability, summed over its tokens.
- `acc_norm`: the same per character of the ending, since a sum favours short ones; as in lm-eval 0.4.
- `acc_bytes`: per UTF-8 byte; the same as `acc_norm` for plain English.

The model gets no examples (zero-shot). Reading rows is the business of `choices`, scoring that of `questions`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tuppence.evaluation.asked_before import asked_before
from tuppence.evaluation.choices import Choice, read_choices
from tuppence.evaluation.likelihood import Likelihood
from tuppence.evaluation.questions import Posed, score_rows
from tuppence.evaluation.rowlog import Result
from tuppence.evaluation.rows import find_file, read_rows
from tuppence.evaluation.task import Numbers, Outcome, Settings, about_rows, known, open_log, row_scores, standard_error
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel

METRICS: dict[str, Callable[[str], float]] = {
    "acc": lambda ending: 1.0,
    "acc_norm": lambda ending: float(len(ending)),
    "acc_bytes": lambda ending: float(len(ending.encode())),
}
"""What each metric divides an ending's log-probability by."""


def multiple_choice(task: str, loaded: LoadedModel[GPT], settings: Settings, folder: Path | None) -> Outcome:
    """Scores a file of questions; `task` names it and finds its file in the catalog.

    Raises:
        InputError: no file, or a row that cannot be used.
    """
    began = time.perf_counter()
    file = read_rows(find_file(task, settings.data_of(task), settings.data_folder), settings.limit)
    choices = read_choices(file, task)
    rows = [Posed(one.where, one.context, [f" {ending}" for ending in one.endings]) for one in choices]
    with open_log(task, loaded, file.sha256, folder) as log:
        results = score_rows("scoring", loaded, file, rows, log, _log_probabilities)
    right = {metric: right_answers(choices, results, metric) for metric in METRICS}
    numbers: Numbers = {}
    for metric, values in right.items():
        scored = known(values)
        numbers[metric] = sum(scored) / len(scored)
        numbers[f"{metric}_stderr"] = standard_error(scored)
    answered = [choice for choice, result in zip(choices, results, strict=True) if result is not None]
    return Outcome(
        numbers={
            "accuracy": numbers["acc"],
            "stderr": numbers["acc_stderr"],
            **numbers,
            "chance": sum(1 / len(choice.endings) for choice in answered) / len(answered),
            **about_rows(file, settings, loaded),
            **asked_before(loaded.folder, file.path, [choice.question for choice in choices]),
            "left_out": len(choices) - len(answered),
            "seconds": round(time.perf_counter() - began, 3),
        },
        scores={metric: row_scores(values, file) for metric, values in right.items()},
    )


def _log_probabilities(likelihoods: list[Likelihood]) -> Result:
    return {"log_probabilities": [one.log_probability for one in likelihoods]}


def right_answers(choices: list[Choice], results: Sequence[Result | None], metric: str) -> list[float | None]:
    """For each question 1 where the right ending is the most likely one, else 0; of equal ones the first counts.

    None where there is no result: the question was left out.

    Example:
        A long right ending, less likely as a whole and more likely by the character:

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
    pairs = zip(result["log_probabilities"], choice.endings, strict=True)
    return int(np.argmax([log_probability / size(ending) for log_probability, ending in pairs]))
