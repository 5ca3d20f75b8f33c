"""Evaluates the quickstart's language models: base, instruction and DPO model answer the same questions.

The numbers are those of one `tuppence evaluate` on all models (see `command`). This module adds the share of right
answers by kind of task, and a few answers side by side, which are always the first held-out ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuppence.core.console import note
from tuppence.core.json_lines import read_json_lines
from tuppence.core.run import Run
from tuppence.data.records.messages import join_input
from tuppence.data.records.preferences import read_preferences
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate_several
from tuppence.evaluation.scoring.answers import read_asked
from tuppence.evaluation.tasks.exact_match import is_exact
from tuppence.model.loaded import load
from tuppence.synthetic.instructions import iter_instructions
from tuppence.tasks.answers import greedy_answers, shown_prompts

SCORED_TOKENS, ANSWER_TOKENS = 50, 40  # per question: the time of both tasks grows with the number of questions
SHOWN_TASKS = 8


def command(root: Path, runs: Sequence[Path], asked: int) -> str:
    """Returns the command line that gives the same numbers, with `asked` questions."""
    tasks, settings = _tasks_and_config(root, runs, asked)
    data = "".join(f" --task-data {task}={file}" for task, file in settings.task_data.items())
    limits = f" --max-tokens {settings.max_tokens}"
    if settings.limit is not None:
        limits += f" --limit {asked} --answer-tokens {ANSWER_TOKENS}"
    return f"tuppence evaluate {' '.join(map(str, runs))} --tasks {','.join(tasks)}{data}{limits}"


def evaluate_models(root: Path, runs: Sequence[Path], made: int, seed: int, asked: int) -> dict[str, Any]:
    """Evaluates language models.

    Args:
        root: the folder of the quickstart.
        runs: the runs of the models, the base first.
        made, seed: the number and the seed of the synthetic instructions, from which the kind of each task is known.
        asked: the largest number of held-out tasks that each model answers.

    Returns:
        The result of `evaluate_several`; also `kinds` and `answers` if there is an instruction model, and `preferences`
        if there is a DPO model.
    """
    tasks, settings = _tasks_and_config(root, runs, asked)
    found = evaluate_several(runs, tasks, settings)
    for name, numbers in found["runs"].items():
        exact = f", exact match {numbers['exact_match']['accuracy']:.1%}" if "exact_match" in numbers else ""
        note(f"      {name}: perplexity {numbers['perplexity']['perplexity']:.2f}{exact}")
    if "exact_match" in tasks:
        rows = _answered(root, [run.name for run in runs], made, seed, asked)
        found |= {"kinds": _by_kind(rows), "answers": _first_of_each_kind(rows)}
    if root / "dpo" in runs:
        found["preferences"] = _answers_to_preferences(root, runs)
    return found


def _tasks_and_config(root: Path, runs: Sequence[Path], asked: int) -> tuple[list[str], EvalConfig]:
    """Returns the tasks and their options; exact match only if there is an instruction model."""
    data = {"perplexity": str(root / "data")}
    settings = EvalConfig(task_data=data, max_tokens=SCORED_TOKENS * asked)
    if root / "instruct" in runs:
        data = {**data, "exact_match": str(Run(root / "instruct").held_out_file)}
        settings = replace(settings, task_data=data, limit=asked, answer_tokens=ANSWER_TOKENS)
    return list(data), settings


def _answered(root: Path, names: Sequence[str], made: int, seed: int, limit: int) -> list[dict[str, Any]]:
    """Returns the held-out tasks with their kinds and the answer of each model."""
    kinds = {
        join_input(task.instruction.strip(), task.input.strip()): task.kind for task in iter_instructions(made, seed)
    }
    asked = read_asked(str(Run(root / "instruct").held_out_file), limit).rows
    answers: dict[str, dict[int, str]] = {}
    for name in names:
        log = read_json_lines(Run(root / name).row_log("exact_match"))
        answers[name] = {row["row"]: row["answer"] for row in log if "row" in row}
    return [
        {
            "prompt": one.messages[-1].content,
            "kind": kinds.get(one.messages[-1].content, "other"),
            "reference": one.reference,
            "answers": {name: answers[name][number] for name in names},
        }
        for number, one in enumerate(asked)
    ]


def _by_kind(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns kind → the number of its rows, and the share of right answers of each model."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        kinds[row["kind"]].append(row)
    return {
        kind: {
            "rows": len(members),
            "right": {
                name: sum(is_exact(row["answers"][name], row["reference"]) for row in members) / len(members)
                for name in members[0]["answers"]
            },
        }
        for kind, members in sorted(kinds.items())
    }


def _first_of_each_kind(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the first row of each of the first kinds, with marks for the right answers."""
    firsts: dict[str, dict[str, Any]] = {}
    for row in rows:
        firsts.setdefault(row["kind"], row)
    shown = list(firsts.values())[:SHOWN_TASKS]
    return [
        {**row, "right": {name: is_exact(answer, row["reference"]) for name, answer in row["answers"].items()}}
        for row in shown
    ]


def _answers_to_preferences(root: Path, runs: Sequence[Path]) -> list[dict[str, Any]]:
    """Returns the first held-out prompts of the preferences with the greedy answer of each model."""
    held_out = read_preferences(str(Run(root / "dpo").held_out_file)).rows
    models = {run.name: load(run, "cpu", "float32", head="lm") for run in runs}
    tokenizer = models[runs[-1].name].tokenizer
    context = min(one.config.context_length for one in models.values())
    prompts = shown_prompts(held_out, tokenizer, context_length=context)
    answers = {
        name: greedy_answers(one.model, prompts, tokenizer, max_tokens=ANSWER_TOKENS) for name, one in models.items()
    }
    return [
        {
            "prompt": prompt.text,
            "reference": held_out[prompt.row].chosen,
            "answers": {name: answers[name][number] for name in answers},
        }
        for number, prompt in enumerate(prompts)
    ]
