"""HellaSwag's rows become the prompt of lm-eval's task, cleaned by lm-eval's own code."""

from __future__ import annotations

import importlib.util
import types
from pathlib import Path
from typing import Any

import pytest
from tests.evaluation.tasks.lm_eval_prompts import HELLASWAG, TASKS, choice_of

from tuppence.core.errors import InputError
from tuppence.evaluation.rows.files import read_rows
from tuppence.evaluation.tasks.choices import read_choices


def hellaswag_by_lm_eval(row: dict[str, Any]) -> dict[str, Any]:
    """What lm-eval's own file makes of a row; it asks only for a `map` of the data set."""
    spec = importlib.util.spec_from_file_location("hellaswag_utils", TASKS / "hellaswag" / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.process_docs(types.SimpleNamespace(map=lambda process: process(row)))


def test_raw_hellaswag_is_cleaned_as_lm_eval_cleans_it() -> None:
    theirs, ours = hellaswag_by_lm_eval(HELLASWAG), choice_of(HELLASWAG)
    assert (ours.context, list(ours.continuations), ours.gold) == (theirs["query"], theirs["choices"], theirs["gold"])


@pytest.mark.shared_data
def test_the_public_hellaswag_file_is_read_unchanged(shared_data: Path) -> None:
    file = read_rows(str(shared_data / "eval" / "hellaswag_val.jsonl.gz"))
    choices = read_choices(file)
    assert len(choices) == 10_042
    changed = sum(
        (choice.context, list(choice.continuations)) != (row.values["ctx"], row.values["endings"])
        for choice, row in zip(choices, file.rows, strict=True)
    )
    assert changed < 100  # it was cleaned before
    assert all(len(choice.continuations) == 4 for choice in choices)


def test_a_label_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="no right answer: 'label' is ''"):
        choice_of({**HELLASWAG, "label": ""})
