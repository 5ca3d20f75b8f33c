"""The task `choices`: the user's own multiple-choice questions. Also reads the rows of all multiple-choice tasks.

The keys of a row determine its format, for every task. `hellaswag`, `arc` and `piqa` define the formats of these sets;
OpenBookQA and the plain format {query, choices, gold} are defined here. `multiple_choice` scores the questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuppence.data.records.rows import Row
from tuppence.evaluation.rows.choices import (
    GOLD_KEYS,
    Choice,
    Parts,
    gold_of,
    labelled_choices,
    question_prompt,
    texts_of,
)
from tuppence.evaluation.rows.files import RowFile, bad_row, keys_of
from tuppence.evaluation.tasks import arc, hellaswag, piqa

CONTEXT_KEYS = ("query", "question", "ctx", "context", "prompt")
ENDING_KEYS = ("choices", "endings")
QUESTION_TASKS = ("arc_easy", "arc_challenge", "piqa")
"""Tasks whose prompt is a question and "Answer:"."""


def read_choices(file: RowFile, task: str = "choices") -> list[Choice]:
    """Converts the rows of a file to questions.

    Args:
        task: for ARC and PIQA, "Answer:" is added to a query that lacks it.

    Raises:
        InputError: a row has an unknown format, no right answer, or fewer than two continuations.
    """
    return [_choice(row, asks=task in QUESTION_TASKS) for row in file.rows]


def _choice(row: Row, *, asks: bool) -> Choice:
    context, continuations, gold = _reader_of(row)(row)
    if asks and not context.endswith("Answer:"):
        context = question_prompt(context.removeprefix("Question: ").rstrip())
    if len(continuations) < 2:
        raise bad_row(f"{row.where}: fewer than two continuations")
    if not 0 <= gold < len(continuations):
        raise bad_row(f"{row.where}: the right answer is number {gold} of {len(continuations)} (the first is 0)")
    if not all(continuation.strip() for continuation in continuations):
        raise bad_row(f"{row.where}: a continuation is empty")
    return Choice(row.where, context, tuple(continuations), gold)


def _reader_of(row: Row) -> Callable[[Row], Parts]:
    keys = row.values.keys()
    if {"ctx_a", "ctx_b", "activity_label", "endings"} <= keys:
        return hellaswag.read_raw
    if {"ctx", "endings"} <= keys:
        return hellaswag.read
    if "question" in keys and isinstance(row.values.get("choices"), Mapping):
        return arc.read
    if "question_stem" in keys and isinstance(row.values.get("choices"), Mapping):
        return _openbookqa
    if isinstance(row.values.get("question"), Mapping):
        return arc.read_raw
    if {"goal", "sol1", "sol2"} <= keys:
        return piqa.read
    return _plain


def _openbookqa(row: Row) -> Parts:
    return row.text("question_stem"), *labelled_choices(row)


def _plain(row: Row) -> Parts:
    context = next((key for key in CONTEXT_KEYS if key in row.values), None)
    continuations = next((key for key in ENDING_KEYS if key in row.values), None)
    if context is None or continuations is None:
        raise bad_row(f"{row.where}: no question with choices: it has {keys_of(row)}")
    return row.text(context), texts_of(row, continuations), gold_of(row, *GOLD_KEYS)
