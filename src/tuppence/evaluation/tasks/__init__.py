"""The benchmarks. Each is a file of its name; `arc` is ARC's two sets. `TASKS` lists them."""

from functools import partial

from tuppence.evaluation.task import Task
from tuppence.evaluation.tasks import (
    classification,
    exact_match,
    judge,
    lambada,
    multiple_choice,
    perplexity,
    reward,
)

_WINDOWS = ("context_length", "stride", "batch_size", "max_tokens")
_ANSWERS = ("limit", "batch_size", "answer_tokens", "skip_bad_rows")
_LABELLED = ("limit", "text_column", "label_column", "skip_bad_rows")
_JUDGE = ("judge_url", "judge_model", "judge_key_env")

TASKS: dict[str, Task] = {
    "perplexity": Task(perplexity.text_perplexity, reads_rows=False, options=_WINDOWS),
    "lambada": Task(lambada.lambada),
    **{
        name: Task(partial(multiple_choice.multiple_choice, name))
        for name in ("hellaswag", "arc_easy", "arc_challenge", "piqa")
    },
    "choices": Task(partial(multiple_choice.multiple_choice, "choices")),
    "exact_match": Task(exact_match.exact_match, skips_rows=True, options=_ANSWERS),
    "judge": Task(judge.judge, skips_rows=True, options=(*_ANSWERS, *_JUDGE)),
    "classification": Task(
        classification.classification, kind="classifier", reads_rows=False, skips_rows=True, options=_LABELLED
    ),
    "reward": Task(
        reward.reward, kind="reward model", reads_rows=False, skips_rows=True, options=("limit", "skip_bad_rows")
    ),
}
"""Name on the command line → task."""
