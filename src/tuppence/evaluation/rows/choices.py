"""Multiple-choice questions: what the row formats of `tasks.hellaswag`, `arc`, `piqa` and `choices` share.

A reader converts a row to `Parts`: the prompt, its continuations, and the index of the right one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tuppence.data.records.rows import Row
from tuppence.evaluation.rows.files import bad_row

GOLD_KEYS = ("gold", "label", "answer", "answerKey")

Parts = tuple[str, list[str], int]


@dataclass(frozen=True)
class Choice:
    """A multiple-choice question.

    Attributes:
        where: file and line or row, for messages.
        context: the prompt; a space separates it from each continuation.
        continuations: two or more.
        gold: the index of the right continuation, from 0.
    """

    where: str
    context: str
    continuations: tuple[str, ...]
    gold: int

    @property
    def question(self) -> str:
        """The question without "Question:" and "Answer:", as a set of instructions has it."""
        return self.context.removeprefix("Question: ").removesuffix("Answer:").strip()


def question_prompt(text: str) -> str:
    """Returns the prompt of ARC and PIQA."""
    return f"Question: {text}\nAnswer:"


def texts_of(row: Row, key: str) -> list[str]:
    """Returns the list of strings under a key.

    Raises:
        InputError: the value is not a list of strings.
    """
    values = row.values.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise bad_row(f"{row.where}: '{key}' is not a list of strings")
    return values


def gold_of(row: Row, *keys: str) -> int:
    """Returns the index of the right answer, from 0.

    A row has it as a number, as a string of digits (HellaSwag on the hub), or as a letter.

    Args:
        keys: the first of these keys that the row has is read.

    Raises:
        InputError: there is no such key, or its value is none of these.
    """
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


def labelled_choices(row: Row) -> tuple[list[str], int]:
    """Returns the continuations of a row whose choices have labels, and the index of the one that answerKey names.

    Raises:
        InputError: answerKey is not one of the labels.
    """
    choices = Row(f"{row.where}, choices", row.values["choices"])
    labels, answer = texts_of(choices, "label"), row.text("answerKey")
    if answer not in labels:
        raise bad_row(f"{row.where}: answerKey {answer!r} is none of the labels {', '.join(labels)}")
    return texts_of(choices, "text"), labels.index(answer)
