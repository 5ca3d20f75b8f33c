"""Scores rows as questions, each once, into a row log: what LAMBADA and multiple choice share.

A row with a continuation that is longer than the model's context is left out and counted. What rows mean, and which
metrics follow from their likelihoods, is up to the tasks.
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
    """A row as it is scored: its place in the file, the context, and the continuations with the space before them."""

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
    """Scores the rows that are not in `log` yet, and adds them to it.

    Args:
        name: what the progress line calls it.
        file: where the rows come from.
        result: what is kept of a row's likelihoods, one a continuation.

    Returns:
        One result a row; None for those that were left out.

    Raises:
        InputError: a row cannot be asked, or the model's context is too short for every row.
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
