"""PIQA's rows become the prompt of lm-eval's task."""

from __future__ import annotations

import pytest
from tests.evaluation.tasks.lm_eval_prompts import PIQA, choice_of, lm_eval_config, rendered

from tuppence.core.errors import InputError


def test_prompt_is_that_of_lm_eval() -> None:
    config = lm_eval_config("piqa/piqa.yaml")
    choice = choice_of(PIQA)
    assert (choice.context, choice.continuations, choice.gold) == (
        rendered(config["doc_to_text"], PIQA),
        ("Use a towel.", "Use a hose."),
        0,
    )


def test_a_solution_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="'sol2' is not a string"):
        choice_of({**PIQA, "sol2": 3})
