"""Rows of the public sets become the prompts that lm-eval's own tasks make of them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.evaluation.tasks.lm_eval_prompts import ARC, choice_of, lm_eval_config, rendered

from tuppence.core.errors import InputError
from tuppence.evaluation.rows.choices import Choice


def test_openbookqa_has_lm_evals_prompt() -> None:
    config = lm_eval_config("openbookqa/openbookqa.yaml")
    row = {"question_stem": ARC["question"], "choices": ARC["choices"], "answerKey": "B"}
    assert choice_of(row).context == row[config["doc_to_text"]]
    assert (choice_of(row).continuations, choice_of(row).gold) == (tuple(ARC["choices"]["text"]), 1)


@pytest.mark.parametrize("task", ["arc_easy", "arc_challenge", "piqa"])
@pytest.mark.parametrize("query", ["Question: {}", "Question: {}\n", "Question: {}\nAnswer:"])
def test_the_catalogs_form_of_arc_and_piqa_has_lm_evals_prompt(task: str, query: str) -> None:
    config = lm_eval_config(f"{'piqa' if task == 'piqa' else 'arc'}/{'piqa' if task == 'piqa' else 'arc_easy'}.yaml")
    question = "What falls from clouds?"
    row = {"query": query.format(question), "choices": ["sand", "rain"], "gold": 1}
    choice = choice_of(row, task)
    assert choice.context == rendered(config["doc_to_text"], {"question": question, "goal": question})
    assert (choice.continuations, choice.gold) == (("sand", "rain"), 1)


def test_a_query_of_ones_own_is_left_as_it_is() -> None:
    row = {"query": "Question: what falls?", "choices": ["sand", "rain"], "gold": 1}
    assert choice_of(row).context == "Question: what falls?"


@pytest.mark.parametrize(
    "row",
    [
        {"query": "q", "choices": ["a", "b"], "gold": 1},
        {"question": "q", "endings": ["a", "b"], "label": "1"},
        {"ctx": "q", "endings": ["a", "b"], "label": 1},
        {"context": "q", "choices": ["a", "b"], "answer": 1},
    ],
)
def test_plain_rows_have_several_spellings(row: dict[str, Any]) -> None:
    assert choice_of(row) == Choice("rows.jsonl, line 1", "q", ("a", "b"), 1)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"prompt": "q"}, "no question with choices: it has prompt"),
        ({"query": "q", "choices": ["a"], "gold": 0}, "fewer than two continuations"),
        ({"query": "q", "choices": ["a", "b"], "gold": 2}, "the right answer is number 2 of 2"),
        ({"query": "q", "choices": ["a", "b"], "gold": -1}, "the right answer is number -1 of 2"),
        ({"query": "q", "choices": ["a", "b"]}, "there is no 'gold'"),
        ({"query": "q", "choices": ["a", "b"], "gold": True}, "'gold' is True, neither a number"),
        ({"query": "q", "choices": ["a", " "], "gold": 0}, "a continuation is empty"),
        ({"query": "q", "choices": ["a", 2], "gold": 0}, "'choices' is not a list of strings"),
        ({"query": None, "choices": ["a", "b"], "gold": 0}, "'query' is not a string"),
    ],
)
def test_a_bad_row_is_one_line_with_its_number(row: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as refusal:
        choice_of(row)
    assert refusal.value.message.startswith("rows.jsonl, line 1")
    assert complaint in refusal.value.message
    assert "\n" not in refusal.value.message
