"""The task `exact_match`: the share of instructions whose greedy answer equals the reference.

Other metrics: `ended`, the share of answers that ended with the end of text; `cut_prompts`, the number of prompts that
were longer than the model's context, so that the model saw only their end.
"""

from __future__ import annotations

import time
from pathlib import Path

from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.contamination import contamination
from tuppence.evaluation.scoring.answers import answer_rows, asked_file, how_answered
from tuppence.evaluation.task import TaskResult, about_rows, open_log, row_scores, standard_error
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel


def exact_match(loaded: LoadedModel[GPT], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Answers the instructions of a file and compares the answers with the references.

    Raises:
        InputError: there is no file, or a row cannot be used.
    """
    began = time.perf_counter()
    file = asked_file("exact_match", config)
    with open_log("exact_match", loaded, file.sha256, folder, how_answered(config)) as log:
        answer_rows(loaded, file.rows, config, log)
        results = log.ordered(len(file.rows))
    right = [
        float(is_exact(result["answer"], asked.reference)) for asked, result in zip(file.rows, results, strict=True)
    ]
    accuracy, error = sum(right) / len(right), standard_error(right)
    return TaskResult(
        metrics={
            "accuracy": accuracy,
            "stderr": error,
            "exact_match": accuracy,
            "exact_match_stderr": error,
            "ended": sum(result["finish_reason"] == "stop" for result in results) / len(results),
            "cut_prompts": sum(result["prompt_tokens"] > loaded.config.context_length for result in results),
            "answer_tokens": config.answer_tokens,
            **about_rows(file, config, loaded),
            **contamination(loaded.folder, file.path, file.rows),
            "precision": "float32",
            "seconds": round(time.perf_counter() - began, 3),
        },
        scores={"exact_match": row_scores(right, file)},
    )


def is_exact(answer: str, reference: str) -> bool:
    """Whether an answer equals the reference, ignoring case, white space at both ends and a final full stop.

    Example:
        >>> is_exact(" paris.\\n", "Paris"), is_exact("Paris, France", "Paris")
        (True, False)
    """
    return _normalised(answer) == _normalised(reference)


def _normalised(text: str) -> str:
    return text.strip().removesuffix(".").rstrip().casefold()
