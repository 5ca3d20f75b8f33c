"""Multiple choice against lm-eval's own code on a task of the same rows, and against numbers worked by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate
from tuppence.evaluation.rows.choices import Choice
from tuppence.evaluation.tasks.multiple_choice import right_answers

EXACT = {"device": "cpu", "precision": "float32"}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    words = ["lamp", "rain", "café", "open", "stayed", "naïve", "nobody", "minded it"]
    rows = [
        {
            "query": f"The {words[i % 8]} was {words[(3 * i) % 8]}, and it",
            "choices": [words[(i + 2 * k) % 8] + " again" * (k % 3) for k in range(2 + i % 3)],
            "gold": i % 2,
        }
        for i in range(40)
    ]
    return write(tmp_path / "questions.jsonl", rows)


def test_metrics_divide_by_one_by_characters_and_by_bytes() -> None:
    choice = Choice("row 1", "x", ("éé", "abc"), gold=0)  # 2 and 3 characters, 4 and 3 bytes
    results = [{"log_probabilities": [-4.0, -3.3]}]
    # sums: -4 and -3.3; by the character: -2 and -1.1; by the byte: -1 and -1.1
    assert [right_answers([choice], results, metric) for metric in ("acc", "acc_norm", "acc_bytes")] == [[0], [0], [1]]


def test_metrics_are_means_with_their_standard_errors(world: Any, questions: Path) -> None:
    numbers = evaluate(world.model, ["choices"], EvalConfig(data=str(questions)), **EXACT)["choices"]
    count = numbers["rows"]
    share = numbers["acc"]
    assert count == 40
    assert numbers["accuracy"] == share
    assert numbers["stderr"] == numbers["acc_stderr"] == pytest.approx((share * (1 - share) / (count - 1)) ** 0.5)
    assert numbers["chance"] == pytest.approx(np.mean([1 / (2 + i % 3) for i in range(40)]))
    assert (numbers["data"], len(numbers["data_sha256"])) == (str(questions), 64)


def test_a_limit_scores_the_first_rows_and_is_in_the_metrics(world: Any, questions: Path, tmp_path: Path) -> None:
    limited = evaluate(world.model, ["choices"], EvalConfig(data=str(questions), limit=7), **EXACT)["choices"]
    head = tmp_path / "head.jsonl"
    head.write_text("".join(questions.read_text().splitlines(keepends=True)[:7]))
    whole = evaluate(world.model, ["choices"], EvalConfig(data=str(head)), **EXACT)["choices"]
    assert (limited["rows"], limited["limit"], whole["limit"]) == (7, 7, None)
    assert limited["acc_norm"] == whole["acc_norm"]
