"""ARC's rows, in the hub's form and in AI2's own, become the prompt of lm-eval's task."""

from __future__ import annotations

import pytest
from tests.evaluation.tasks.lm_eval_prompts import ARC, choice_of, lm_eval_config, rendered

from tuppence.core.errors import InputError
from tuppence.evaluation.rows.choices import Choice


def test_prompt_is_that_of_lm_eval() -> None:
    config = lm_eval_config("arc/arc_easy.yaml")
    expected = Choice(
        "rows.jsonl, line 1",
        rendered(config["doc_to_text"], ARC),
        tuple(ARC["choices"]["text"]),
        int(rendered(config["doc_to_target"], ARC)),
    )
    assert choice_of(ARC) == expected


def test_labels_may_be_numbers() -> None:
    numbered = {**ARC, "choices": {"text": ["sand", "rain"], "label": ["1", "2"]}, "answerKey": "2"}
    assert choice_of(numbered).gold == 1


def test_rows_of_ai2s_files_are_read_as_those_of_the_hub() -> None:
    labelled = zip(ARC["choices"]["label"], ARC["choices"]["text"], strict=True)
    as_ai2_wrote_it = {
        "question": {"stem": ARC["question"], "choices": [{"label": label, "text": text} for label, text in labelled]},
        "answerKey": ARC["answerKey"],
    }
    assert choice_of(as_ai2_wrote_it) == choice_of(ARC)


def test_choices_that_are_no_list_and_an_unknown_label_are_refused() -> None:
    with pytest.raises(InputError, match="choices is not a list"):
        choice_of({"question": {"stem": "What falls?", "choices": "rain"}, "answerKey": "A"})
    with pytest.raises(InputError, match="answerKey 'D' is none of the labels A, B, C"):
        choice_of({**ARC, "answerKey": "D"})
