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

TASKS: dict[str, Task] = {
    "perplexity": Task(perplexity.text_perplexity, reads_rows=False),
    "lambada": Task(lambada.lambada),
    **{
        name: Task(partial(multiple_choice.multiple_choice, name))
        for name in ("hellaswag", "arc_easy", "arc_challenge", "piqa")
    },
    "choices": Task(partial(multiple_choice.multiple_choice, "choices")),
    "exact_match": Task(exact_match.exact_match, skips_rows=True),
    "judge": Task(judge.judge, skips_rows=True),
    "classification": Task(classification.classification, kind="classifier", reads_rows=False, skips_rows=True),
    "reward": Task(reward.reward, kind="reward model", reads_rows=False, skips_rows=True),
}
"""Name on the command line → task."""
