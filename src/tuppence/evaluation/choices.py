"""Rows of multiple-choice sets as contexts and endings: HellaSwag, ARC, PIQA, OpenBookQA, and a plain form.

A row's form is known by its keys, whatever the set is called. Prompts are those of lm-eval's tasks of the same names
(hellaswag, arc_easy, arc_challenge, piqa, openbookqa, version 1.0), so that numbers agree. Nothing is scored in here.

ARC and PIQA also come as mosaicml/llm-foundry has them, as a query "Question: …" with choices; the prompt's "Answer:"
is then added. That is the form of the files in the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuppence.data.records.tables import Row
from tuppence.evaluation.rows import RowFile, bad_row

CONTEXT_KEYS = ("query", "question", "ctx", "context", "prompt")
ENDING_KEYS = ("choices", "endings")
QUESTION_TASKS = ("arc_easy", "arc_challenge", "piqa")
"""Tasks whose prompt is a question and "Answer:"."""

GOLD_KEYS = ("gold", "label", "answer", "answerKey")


@dataclass(frozen=True)
class Choice:
    """One question.

    Attributes:
        where: "FILE, row 12", for messages.
        context: the prompt; a space stands between it and each ending.
        endings: two or more.
        gold: which of them is right, from 0.
    """

    where: str
    context: str
    endings: tuple[str, ...]
    gold: int

    @property
    def question(self) -> str:
        """What is asked, without the marks of a prompt: as it would stand in a set of instructions."""
        return self.context.removeprefix("Question: ").removesuffix("Answer:").strip()


def read_choices(file: RowFile, task: str = "choices") -> list[Choice]:
    """All rows of a file as questions.

    Args:
        task: what the file is scored as; a query of ARC or PIQA is completed to the task's prompt.

    Raises:
        InputError: a row of no known form, without a right answer, or with fewer than two endings.
    """
    return [_choice(row, asks=task in QUESTION_TASKS) for row in file.rows]


def clean_hellaswag(text: str) -> str:
    """HellaSwag's text without the marks that its WikiHow half was scraped with; as lm-eval cleans it.

    Example:
        >>> clean_hellaswag("How to sit [title] Find a chair [step] Sit.  Stay. ")
        'How to sit. Find a chair Sit. Stay.'
    """
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def _choice(row: Row, *, asks: bool) -> Choice:
    context, endings, gold = _form_of(row)(row)
    if asks and not context.endswith("Answer:"):
        context = _question(context.removeprefix("Question: ").rstrip())
    if len(endings) < 2:
        raise bad_row(f"{row.where}: fewer than two endings")
    if not 0 <= gold < len(endings):
        raise bad_row(f"{row.where}: the right answer is number {gold} of {len(endings)} (the first is 0)")
    if not all(ending.strip() for ending in endings):
        raise bad_row(f"{row.where}: an ending is empty")
    return Choice(row.where, context, tuple(endings), gold)


_Parts = tuple[str, list[str], int]


def _form_of(row: Row) -> Callable[[Row], _Parts]:
    keys = row.values.keys()
    if {"ctx_a", "ctx_b", "activity_label", "endings"} <= keys:
        return _raw_hellaswag
    if {"ctx", "endings"} <= keys:
        return _hellaswag
    if "question" in keys and isinstance(row.values.get("choices"), Mapping):
        return _arc
    if "question_stem" in keys and isinstance(row.values.get("choices"), Mapping):
        return _openbookqa
    if isinstance(row.values.get("question"), Mapping):
        return _raw_arc
    if {"goal", "sol1", "sol2"} <= keys:
        return _piqa
    return _plain


def _raw_hellaswag(row: Row) -> _Parts:
    context = f"{row.text('activity_label')}: {row.text('ctx_a')} {row.text('ctx_b').capitalize()}"
    endings = [clean_hellaswag(ending) for ending in _texts(row, "endings")]
    return clean_hellaswag(context), endings, _index(row, "label")


def _hellaswag(row: Row) -> _Parts:
    endings = [clean_hellaswag(ending) for ending in _texts(row, "endings")]
    return clean_hellaswag(row.text("ctx")), endings, _index(row, *GOLD_KEYS)


def _arc(row: Row) -> _Parts:
    return _question(row.text("question")), *_labelled_choices(row)


def _openbookqa(row: Row) -> _Parts:
    return row.text("question_stem"), *_labelled_choices(row)


def _labelled_choices(row: Row) -> tuple[list[str], int]:
    """The endings of choices that have labels, and which of them answerKey names."""
    choices = Row(f"{row.where}, choices", row.values["choices"])
    labels, answer = _texts(choices, "label"), row.text("answerKey")
    if answer not in labels:
        raise bad_row(f"{row.where}: answerKey {answer!r} is none of the labels {', '.join(labels)}")
    return _texts(choices, "text"), labels.index(answer)


def _raw_arc(row: Row) -> _Parts:
    """As AI2 wrote it: the question holds its stem and a list of labelled choices."""
    question = Row(f"{row.where}, question", row.values["question"])
    choices = question.values.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, Mapping) for choice in choices):
        raise bad_row(f"{question.where}: choices is no list of labelled texts")
    columns = {key: [choice.get(key) for choice in choices] for key in ("label", "text")}
    return _arc(Row(row.where, {**row.values, "question": question.text("stem"), "choices": columns}))


def _piqa(row: Row) -> _Parts:
    return _question(row.text("goal")), [row.text("sol1"), row.text("sol2")], _index(row, "label")


def _plain(row: Row) -> _Parts:
    context = next((key for key in CONTEXT_KEYS if key in row.values), None)
    endings = next((key for key in ENDING_KEYS if key in row.values), None)
    if context is None or endings is None:
        keys = ", ".join(map(str, list(row.values)[:8])) or "nothing"
        raise bad_row(f"{row.where}: no question with choices: it has {keys}")
    return row.text(context), _texts(row, endings), _index(row, *GOLD_KEYS)


def _question(text: str) -> str:
    return f"Question: {text}\nAnswer:"


def _texts(row: Row, key: str) -> list[str]:
    values = row.values.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise bad_row(f"{row.where}: '{key}' is not a list of strings")
    return values


def _index(row: Row, *keys: str) -> int:
    """The right answer's index, from 0: a number, or a string of one as HellaSwag's hub version has it, or a letter."""
    key = next((key for key in keys if key in row.values), None)
    if key is None:
        raise bad_row(f"{row.where}: no right answer: there is no '{keys[0]}'")
    value: Any = row.values[key]
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, str) and re.fullmatch("[A-Z]", value.strip()):
        return ord(value.strip()) - ord("A")
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_row(f"{row.where}: no right answer: '{key}' is {value!r}, neither a number from 0 nor a letter")
    return value
