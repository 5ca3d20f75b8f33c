"""Rows of public sets, and the prompts that lm-eval's own task files make of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import jinja2
import yaml

from tuppence.data.records.rows import Row
from tuppence.evaluation.rows.choices import Choice
from tuppence.evaluation.rows.files import RowFile
from tuppence.evaluation.tasks.choices import read_choices

SPEC = importlib.util.find_spec("lm_eval")  # its files are read, and lm-eval is not imported: this takes seconds
assert SPEC is not None
assert SPEC.origin is not None
TASKS = Path(SPEC.origin).parent / "tasks"

ARC: dict[str, Any] = {
    "question": "What falls from clouds?",
    "choices": {"text": ["sand", "rain", "iron"], "label": ["A", "B", "C"]},
    "answerKey": "B",
}
PIQA: dict[str, Any] = {"goal": "Dry a lamp", "sol1": "Use a towel.", "sol2": "Use a hose.", "label": 0}
HELLASWAG: dict[str, Any] = {
    "activity_label": "Making tea",
    "ctx_a": "A man fills [header] a kettle.  He waits.",
    "ctx_b": "the Man",
    "endings": ["pours it [step] into a cup. [title] Then he rests.", "  flies away."],
    "label": "1",
}


def choice_of(row: dict[str, Any], task: str = "choices") -> Choice:
    """Our reading of one row."""
    (choice,) = read_choices(RowFile("rows.jsonl", "", [Row("rows.jsonl, line 1", row)]), task)
    return choice


def lm_eval_config(name: str) -> dict[str, Any]:
    """One of lm-eval's task files, such as `piqa/piqa.yaml`."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: node.value)
    return yaml.load((TASKS / name).read_text(), Loader)


def rendered(template: str, row: dict[str, Any]) -> str:
    """What lm-eval makes of a template of its task file."""
    return jinja2.Environment(keep_trailing_newline=True).from_string(template).render(**row)
