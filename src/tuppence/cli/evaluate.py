"""`tuppence evaluate`: measures the quality of models."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuppence.cli.flags import Device, Json, SkipBadRows
from tuppence.cli.places import Input, InputFolder, InputRun, NamedInputFile, OutputFolder, add_verb
from tuppence.core import console
from tuppence.core.errors import InputError


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, evaluate)


def evaluate(
    runs: Annotated[
        list[InputRun],
        typer.Argument(metavar="RUN...", help="A run, or a Hugging Face GPT-2 folder. Several are compared."),
    ],
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Names, separated by commas: perplexity, lambada, hellaswag, arc_easy, arc_challenge, piqa, choices,"
            " exact_match, judge. By default the tasks that fit the model."
        ),
    ] = None,
    lm_eval: Annotated[
        str | None,
        typer.Option(
            metavar="TASK,...", help="Tasks, groups or tags of lm-eval, or patterns with *. Needs tuppence[eval]."
        ),
    ] = None,
    num_fewshot: Annotated[
        int | None,
        typer.Option(min=0, help="lm-eval: number of examples before each question; by default that of the task."),
    ] = None,
    task_path: Annotated[InputFolder | None, typer.Option(help="lm-eval: folder with additional task files.")] = None,
    apply_chat_template: Annotated[
        bool, typer.Option("--apply-chat-template", help="lm-eval: format prompts with the chat template.")
    ] = False,
    data: Annotated[
        Input | None,
        typer.Option(
            help="Perplexity: token shards (their validation split), a text file, a folder or a glob; by default the"
            " run's own data. For a single other task: its file of rows."
        ),
    ] = None,
    task_data: Annotated[
        list[NamedInputFile] | None, typer.Option(metavar="TASK=FILE", help="File of one task. Repeatable.")
    ] = None,
    data_dir: Annotated[
        InputFolder,
        typer.Option(help="Folder with files of 'tuppence data get', under the names that they have there."),
    ] = "data",
    limit: Annotated[int | None, typer.Option(min=1, help="Score only this many rows.")] = None,
    text_column: Annotated[
        str | None,
        typer.Option(help="Classifiers: column of the text, by name or number from 0; by default as in training."),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="Classifiers: column of the label, by name or number from 0; by default as in training."),
    ] = None,
    skip_bad_rows: SkipBadRows = False,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1, help="Perplexity: tokens between the starts of two windows; by default half the context length."
        ),
    ] = None,
    context_length: Annotated[
        int | None, typer.Option(min=1, help="Longest window, in tokens; by default that of the model.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Perplexity: stop after this many tokens.")] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Windows or answers computed together; by default windows of 4,096 tokens in all, or 32 answers.",
        ),
    ] = None,
    answer_tokens: Annotated[int, typer.Option(min=1, help="Longest generated answer, in tokens.")] = 128,
    judge_url: Annotated[
        str | None, typer.Option(help="judge: URL of an OpenAI-compatible API, such as http://localhost:8000/v1.")
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="judge: name of the model at that API.")] = None,
    judge_key_env: Annotated[str | None, typer.Option(help="judge: environment variable with the API key.")] = None,
    out: Annotated[
        OutputFolder | None,
        typer.Option(help="Folder for evaluation.json and the results of each row; by default the run."),
    ] = None,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or float32.")] = "auto",
    json: Json = False,
) -> None:
    """Measure the quality of a model, or compare several.

    Tasks: perplexity, last words, multiple choice and instructions. Perplexity scores every token of a text once, in
    sliding windows; a smaller stride gives each token more context and takes longer. Bits per byte compares models with
    different tokenizers. Each other task reads a file of rows; rows that were scored before for the same model are not
    scored again. The results are written to RUN/evaluation.json, which 'tuppence report' reads. --lm-eval runs tasks of
    EleutherAI's lm-evaluation-harness.

    \b
    Examples:
      tuppence evaluate runs/tiny
      tuppence evaluate runs/tiny --data val.txt --stride 128
      tuppence evaluate runs/tiny --tasks perplexity,lambada --task-data lambada=lambada_test.jsonl
      tuppence evaluate runs/base runs/dpo --tasks hellaswag --limit 500
      tuppence evaluate runs/spam --data mails.csv --text-column body --label-column folder
      tuppence evaluate runs/instruct --tasks exact_match --data held-out.json --json
      tuppence evaluate runs/tiny --lm-eval arc_easy,piqa --num-fewshot 5 --limit 200
    """
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory()
    from tuppence.evaluation.config import EvalConfig
    from tuppence.evaluation.evaluate import evaluate, evaluate_several

    of_lm_eval = {"--num-fewshot": num_fewshot, "--task-path": task_path, "--apply-chat-template": apply_chat_template}
    given = [option for option, value in of_lm_eval.items() if value not in (None, False)]
    if lm_eval is None and given:
        raise InputError(f"{given[0]} is for tasks of lm-eval", "name them with --lm-eval TASK,...")
    settings = EvalConfig(
        data=data,
        task_data=dict(_pair(one) for one in task_data or []),
        data_folder=data_dir,
        limit=limit,
        context_length=context_length,
        stride=stride,
        batch_size=batch_size,
        max_tokens=max_tokens,
        answer_tokens=answer_tokens,
        judge_url=judge_url,
        judge_model=judge_model,
        judge_key_env=judge_key_env,
        num_fewshot=num_fewshot,
        task_path=task_path,
        apply_chat_template=apply_chat_template,
        text_column=text_column,
        label_column=label_column,
        skip_bad_rows=skip_bad_rows,
    )
    names = _names(tasks, lm_eval)
    if len(runs) > 1:
        results = evaluate_several(runs, names, settings, device=device, precision=precision, out=out)
        if not json:
            _show_several(results)
    else:
        on_result = None if json else _show
        results = evaluate(runs[0], names, settings, device=device, precision=precision, out=out, on_result=on_result)
    if json:
        console.emit_json(results)


def _names(tasks: str | None, lm_eval: str | None) -> list[str] | None:
    """Returns our own tasks, then those of lm-eval; None if neither option was given."""
    from tuppence.evaluation.lm_eval.tasks import PREFIX

    if tasks is None and lm_eval is None:
        return None
    ours, theirs = ([name.strip() for name in (text or "").split(",") if name.strip()] for text in (tasks, lm_eval))
    return [*ours, *(PREFIX + name for name in theirs)]


def _pair(text: str) -> tuple[str, str]:
    task, equals, file = text.partition("=")
    if not (task and equals and file):
        raise InputError(f"--task-data {text!r} is not TASK=FILE", "for example --task-data lambada=lambada.jsonl")
    return task, file


def _show(task: str, numbers: dict[str, Any]) -> None:
    console.out(task)
    width = max(16, 1 + max(map(len, numbers)))
    intervals = numbers.get("intervals", {})
    for name, value in numbers.items():
        if value is not None and not isinstance(value, dict | list):  # tables are only in the JSON and in the report
            around = "  [{:.4f}, {:.4f}]".format(*intervals[name]) if intervals.get(name) else ""
            console.out(f"  {name.replace('_', ' '):<{width}}{_shown(value)}{around}")


def _show_several(results: dict[str, Any]) -> None:
    """Prints one table for each task: a line for each metric, a column for each run, differences to the first run."""
    runs: dict[str, dict[str, dict[str, Any]]] = results["runs"]
    comparison = results["comparison"]
    widths = {name: max(14, len(name)) for name in runs}
    for task, numbers in runs[comparison["reference"]].items():
        console.out(f"{task:<24}" + "".join(f"  {name:>{widths[name]}}" for name in runs))
        for key, value in numbers.items():
            if isinstance(value, float) and key != "seconds":
                cells = (f"  {_shown(runs[name][task].get(key, '')):>{widths[name]}}" for name in runs)
                console.out(f"  {key.replace('_', ' '):<22}" + "".join(cells))
        for metric, others in comparison["tasks"].get(task, {}).items():
            for name, found in others.items():
                against = f"  {metric.replace('_', ' ')}: {name} - {comparison['reference']}"
                console.out(f"{against}  {_difference(found)}")
    console.out(f"differences with 95 % intervals: {comparison['method']}")


def _difference(found: dict[str, Any] | None) -> str:
    if found is None:
        return "not scored on the same rows: no comparison"
    known = found["low"] is not None
    around = f"[{found['low']:+.4f}, {found['high']:+.4f}]" if known else "[no interval: too few]"
    return f"{found['difference']:+.4f}  {around}  over {found['units']:,} {found['unit']}"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
