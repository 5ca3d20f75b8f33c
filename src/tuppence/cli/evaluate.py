"""`tuppence evaluate`: how good a model is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuppence.cli.places import Input, InputFile, InputFolder, InputRun, OutputFolder, add_verb
from tuppence.core import console
from tuppence.core.errors import InputError


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, evaluate)


def evaluate(
    runs: Annotated[
        list[InputRun],
        typer.Argument(metavar="RUN...", help="A run, or a Hugging Face GPT-2 folder; several are compared."),
    ],
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Names, separated by commas: perplexity, lambada, hellaswag, arc_easy, arc_challenge, piqa, choices,"
            " exact_match, judge. What fits the model if absent."
        ),
    ] = None,
    lm_eval: Annotated[
        str | None,
        typer.Option(
            metavar="TASK,...", help="Tasks, groups or tags of lm-eval, or patterns with *; needs tuppence[eval]."
        ),
    ] = None,
    num_fewshot: Annotated[
        int | None, typer.Option(min=0, help="lm-eval: examples before each question; the task's number if absent.")
    ] = None,
    task_path: Annotated[
        InputFolder | None, typer.Option(help="lm-eval: a folder of task files, beside lm-eval's own.")
    ] = None,
    apply_chat_template: Annotated[
        bool, typer.Option("--apply-chat-template", help="lm-eval: prompts are turns of a conversation.")
    ] = False,
    data: Annotated[
        Input | None,
        typer.Option(
            help="Perplexity: DATA (its validation split), a text file, a folder or a glob; the run's own data if"
            " absent. Of a single other task: its file of rows."
        ),
    ] = None,
    task_data: Annotated[
        list[InputFile] | None, typer.Option(metavar="TASK=FILE", help="The file of one of several tasks; repeatable.")
    ] = None,
    data_dir: Annotated[
        InputFolder, typer.Option(help="Where the files of 'tuppence data get' are looked for, by their names there.")
    ] = "data",
    limit: Annotated[int | None, typer.Option(min=1, help="Score only the first rows: a quick look.")] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Of a classifier's file: a name, or a number from 0; as trained if absent.")
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="Of a classifier's file, likewise.")] = None,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be used, and count them.")
    ] = False,
    stride: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens from one window's start to the next; half the context length if absent."),
    ] = None,
    context_length: Annotated[
        int | None, typer.Option(min=1, help="The longest window, in tokens; the model's if absent.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Perplexity: stop after this many tokens.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Windows, or answers, at once; 4,096 tokens' worth, or 32, if absent.")
    ] = None,
    answer_tokens: Annotated[int, typer.Option(min=1, help="The longest answer, in tokens.")] = 128,
    judge_url: Annotated[
        str | None, typer.Option(help="An OpenAI-compatible address, such as http://localhost:8000/v1.")
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="The judge's name there.")] = None,
    judge_key_env: Annotated[
        str | None, typer.Option(help="The environment variable that holds the judge's key.")
    ] = None,
    out: Annotated[
        OutputFolder | None,
        typer.Option(help="The folder for evaluation.json and the rows' results; the run itself if absent."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or float32.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """How good a model is: perplexity, last words, multiple choice, instructions; several models side by side.

    Perplexity scores every token of a text once, in windows that slide over it; a smaller stride gives each token
    more context and takes longer. Bits per byte compares models of different tokenizers. The other tasks read a file
    of rows each, and score rows that an earlier evaluation of the same model has not. The report finds the numbers in
    RUN/evaluation.json. --lm-eval runs tasks of EleutherAI's lm-evaluation-harness on the model, with its numbers.

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
    """Our own tasks, then those of lm-eval; None where neither option was given."""
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
        if value is not None and not isinstance(value, dict | list):  # tables are for --json and the report
            around = "  [{:.4f}, {:.4f}]".format(*intervals[name]) if intervals.get(name) else ""
            console.out(f"  {name.replace('_', ' '):<{width}}{_shown(value)}{around}")


def _show_several(results: dict[str, Any]) -> None:
    """One table a task: a line for each number, a column for each run; then the differences to the first run."""
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
