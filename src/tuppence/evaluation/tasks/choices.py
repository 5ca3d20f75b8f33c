"""The task `choices`: a file of multiple-choice questions of one's own; and how the rows of every such set are read.

A row's format is known by its keys, whatever the set is called: those of HellaSwag, ARC and PIQA are in the files of
these names, OpenBookQA and the plain format {query, choices, gold} are here. Scored by `multiple_choice`.
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
from tuppence.evaluation.rows.files import RowFile, bad_row
from tuppence.evaluation.tasks import arc, hellaswag, piqa

CONTEXT_KEYS = ("query", "question", "ctx", "context", "prompt")
ENDING_KEYS = ("choices", "endings")
QUESTION_TASKS = ("arc_easy", "arc_challenge", "piqa")
"""Tasks whose prompt is a question and "Answer:"."""


def read_choices(file: RowFile, task: str = "choices") -> list[Choice]:
    """All rows of a file as questions.

    Args:
        task: what the file is scored as; a query of ARC or PIQA is completed to the task's prompt.

    Raises:
        InputError: a row of no known form, without a right answer, or with fewer than two continuations.
    """
    return [_choice(row, asks=task in QUESTION_TASKS) for row in file.rows]


def _choice(row: Row, *, asks: bool) -> Choice:
    context, continuations, gold = _form_of(row)(row)
    if asks and not context.endswith("Answer:"):
        context = question_prompt(context.removeprefix("Question: ").rstrip())
    if len(continuations) < 2:
        raise bad_row(f"{row.where}: fewer than two continuations")
    if not 0 <= gold < len(continuations):
        raise bad_row(f"{row.where}: the right answer is number {gold} of {len(continuations)} (the first is 0)")
    if not all(continuation.strip() for continuation in continuations):
        raise bad_row(f"{row.where}: a continuation is empty")
    return Choice(row.where, context, tuple(continuations), gold)


def _form_of(row: Row) -> Callable[[Row], Parts]:
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
        keys = ", ".join(map(str, list(row.values)[:8])) or "nothing"
        raise bad_row(f"{row.where}: no question with choices: it has {keys}")
    return row.text(context), texts_of(row, continuations), gold_of(row, *GOLD_KEYS)
