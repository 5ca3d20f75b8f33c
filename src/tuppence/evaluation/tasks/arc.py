"""The tasks `arc_easy` and `arc_challenge`: science questions of American schools, with several choices.

Clark et al. 2018, arXiv:1803.05457. The prompt is that of lm-eval's tasks of the same names, version 1.0. Supports the
rows of the Hugging Face hub, of AI2's own files, and of mosaicml/llm-foundry (whose query lacks "Answer:").
`multiple_choice` scores them.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuppence.data.records.rows import Row
from tuppence.evaluation.rows.choices import Parts, labelled_choices, question_prompt
from tuppence.evaluation.rows.files import bad_row


def read(row: Row) -> Parts:
    """Reads a row of the hub's version: question, choices with labels, answerKey."""
    return question_prompt(row.text("question")), *labelled_choices(row)


def read_raw(row: Row) -> Parts:
    """Reads a row of AI2's files, whose question has a stem and a list of labelled choices."""
    question = Row(f"{row.where}, question", row.values["question"])
    choices = question.values.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, Mapping) for choice in choices):
        raise bad_row(f"{question.where}: choices is not a list of labelled texts")
    columns = {key: [choice.get(key) for choice in choices] for key in ("label", "text")}
    return read(Row(row.where, {**row.values, "question": question.text("stem"), "choices": columns}))
