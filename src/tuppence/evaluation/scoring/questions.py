"""Scores the rows of LAMBADA and of multiple-choice tasks into a row log.

A row with a continuation that is longer than the model's context is left out and counted. The tasks interpret the rows
and compute metrics from their likelihoods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.evaluation.rows.files import RowFile, bad_row
from tuppence.evaluation.rows.log import Result, RowLog
from tuppence.evaluation.scoring.likelihood import (
    Likelihood,
    Question,
    check_vocabulary,
    encode_question,
    score_questions,
)
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel

_LEFT_OUT = "left_out"


class Posed(NamedTuple):
    """A row to score: its position for messages, the context, and the continuations with their leading space."""

    where: str
    context: str
    continuations: Sequence[str]


def score_rows(
    name: str,
    loaded: LoadedModel[GPT],
    file: RowFile,
    rows: Sequence[Posed],
    log: RowLog,
    result: Callable[[list[Likelihood]], Result],
) -> list[Result | None]:
    """Scores the rows that are not in `log` yet, and adds their results to it.

    Args:
        name: shown in the progress line.
        file: the file of the rows.
        result: converts the likelihoods of a row, one for each continuation, to the result that the log keeps.

    Returns:
        One result for each row; None for a row that was left out.

    Raises:
        InputError: a row cannot be encoded, or the model's context is too short for every row.
    """
    missing = log.missing(len(rows))
    context_length = loaded.config.context_length
    numbers: list[int] = []
    questions: list[Question] = []
    for number in missing:
        question = _encode(loaded, rows[number])
        longest = max(map(len, question.continuations))
        if longest > context_length:
            log.add(number, {_LEFT_OUT: f"a continuation has {longest} tokens, the model's context {context_length}"})
        else:
            numbers.append(number)
            questions.append(question)
    with console.progress("rows") as bar, loaded.autocast():
        progress = bar.add_task(name, total=len(rows), completed=len(rows) - len(questions))
        for index, likelihoods in score_questions(loaded.model, questions):
            log.add(numbers[index], result(likelihoods))
            bar.advance(progress)
    results = [None if _LEFT_OUT in found else found for found in log.ordered(len(rows))]
    left_out = results.count(None)
    if left_out == len(results):
        raise InputError(
            f"every row of {file.path} has a continuation longer than the model's context of {context_length:,} tokens",
            "evaluate a model with a longer context",
        )
    if left_out:
        first = rows[results.index(None)].where
        console.warn(
            f"left out {console.counted(left_out, 'row')} with a continuation longer than the model's context of"
            f" {context_length:,} tokens; the first: {first}"
        )
    return results


def _encode(loaded: LoadedModel[GPT], row: Posed) -> Question:
    try:
        question = encode_question(loaded.tokenizer, row.context, row.continuations)
        check_vocabulary(question, loaded.config.vocab_size)
    except InputError as error:
        raise bad_row(f"{row.where}: {error.message}") from error
    return question
