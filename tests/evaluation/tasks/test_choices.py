"""Rows of the public sets become the prompts that lm-eval's own tasks make of them."""

from __future__ import annotations

import importlib.util
import types
from pathlib import Path
from typing import Any

import jinja2
import lm_eval
import pytest
import yaml

from tuppence.core.errors import InputError
from tuppence.data.records.tables import Row
from tuppence.evaluation.rows.choices import Choice
from tuppence.evaluation.rows.files import RowFile, read_rows
from tuppence.evaluation.tasks.choices import read_choices

TASKS = Path(lm_eval.__file__).parent / "tasks"


def choice_of(row: dict[str, Any]) -> Choice:
    return read_choices(RowFile("rows.jsonl", "", [Row("rows.jsonl, row 1", row)]))[0]


def lm_eval_config(name: str) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: node.value)
    return yaml.load((TASKS / name).read_text(), Loader)


def rendered(template: str, row: dict[str, Any]) -> str:
    return jinja2.Environment(keep_trailing_newline=True).from_string(template).render(**row)


ARC = {
    "question": "What falls from clouds?",
    "choices": {"text": ["sand", "rain", "iron"], "label": ["A", "B", "C"]},
    "answerKey": "B",
}
PIQA = {"goal": "Dry a lamp", "sol1": "Use a towel.", "sol2": "Use a hose.", "label": 0}
HELLASWAG = {
    "activity_label": "Making tea",
    "ctx_a": "A man fills [header] a kettle.  He waits.",
    "ctx_b": "the Man",
    "endings": ["pours it [step] into a cup. [title] Then he rests.", "  flies away."],
    "label": "1",
}


def test_openbookqa_has_lm_evals_prompt() -> None:
    config = lm_eval_config("openbookqa/openbookqa.yaml")
    row = {"question_stem": ARC["question"], "choices": ARC["choices"], "answerKey": "B"}
    assert choice_of(row).context == row[config["doc_to_text"]]
    assert (choice_of(row).continuations, choice_of(row).gold) == (tuple(ARC["choices"]["text"]), 1)


def test_the_right_answer_may_be_a_letter() -> None:
    assert choice_of({"question": "q", "choices": ["a", "b", "c"], "answer": "C"}).gold == 2


def test_arc_has_lm_evals_prompt() -> None:
    config = lm_eval_config("arc/arc_easy.yaml")
    expected = Choice(
        "rows.jsonl, row 1",
        rendered(config["doc_to_text"], ARC),
        tuple(ARC["choices"]["text"]),
        int(rendered(config["doc_to_target"], ARC)),
    )
    assert choice_of(ARC) == expected
    numbered = {**ARC, "choices": {"text": ["sand", "rain"], "label": ["1", "2"]}, "answerKey": "2"}
    assert choice_of(numbered).gold == 1
    labelled = zip(ARC["choices"]["label"], ARC["choices"]["text"], strict=True)
    as_ai2_wrote_it = {
        "question": {"stem": ARC["question"], "choices": [{"label": label, "text": text} for label, text in labelled]},
        "answerKey": ARC["answerKey"],
    }
    assert choice_of(as_ai2_wrote_it) == expected
    with pytest.raises(InputError, match="choices is no list"):
        choice_of({"question": {"stem": "What falls?", "choices": "rain"}, "answerKey": "A"})


@pytest.mark.parametrize("task", ["arc_easy", "arc_challenge", "piqa"])
@pytest.mark.parametrize("query", ["Question: {}", "Question: {}\n", "Question: {}\nAnswer:"])
def test_the_catalogs_form_of_arc_and_piqa_has_lm_evals_prompt(task: str, query: str) -> None:
    config = lm_eval_config(f"{'piqa' if task == 'piqa' else 'arc'}/{'piqa' if task == 'piqa' else 'arc_easy'}.yaml")
    question = "What falls from clouds?"
    row = {"query": query.format(question), "choices": ["sand", "rain"], "gold": 1}
    (choice,) = read_choices(RowFile("rows.jsonl", "", [Row("rows.jsonl, row 1", row)]), task)
    assert choice.context == rendered(config["doc_to_text"], {"question": question, "goal": question})
    assert (choice.continuations, choice.gold) == (("sand", "rain"), 1)


def test_a_query_of_ones_own_is_left_as_it_is() -> None:
    row = {"query": "Question: what falls?", "choices": ["sand", "rain"], "gold": 1}
    assert choice_of(row).context == "Question: what falls?"


def test_piqa_has_lm_evals_prompt() -> None:
    config = lm_eval_config("piqa/piqa.yaml")
    choice = choice_of(PIQA)
    assert (choice.context, choice.continuations, choice.gold) == (
        rendered(config["doc_to_text"], PIQA),
        ("Use a towel.", "Use a hose."),
        0,
    )


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
    assert choice_of(row) == Choice("rows.jsonl, row 1", "q", ("a", "b"), 1)


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
        ({**HELLASWAG, "label": ""}, "no right answer: 'label' is ''"),
        ({**ARC, "answerKey": "D"}, "answerKey 'D' is none of the labels A, B, C"),
        ({**PIQA, "sol2": 3}, "'sol2' is not a string"),
    ],
)
def test_a_bad_row_is_one_line_with_its_number(row: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as refusal:
        choice_of(row)
    assert refusal.value.message.startswith("rows.jsonl, row 1")
    assert complaint in refusal.value.message
    assert "\n" not in refusal.value.message
