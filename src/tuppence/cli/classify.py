"""`tuppence finetune classify` and `tuppence classify`: make a classifier, and ask it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuppence.cli import options
from tuppence.core import console

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tuppence.evaluation.classifier import Classified

TextColumn = Annotated[str | None, typer.Option(help="The column of the text: a name, or a number from 0.")]


def register(app: typer.Typer) -> None:
    """Adds `classify` to the command line; `finetune classify` belongs to the group of `finetune`."""
    app.command()(classify)


@options.metered
def finetune_classify(
    base: options.Base,
    data: Annotated[Path, typer.Option(help="Labelled texts: .csv, .tsv, .json or .jsonl.")],
    out: options.Out,
    train: Annotated[
        str | None, typer.Option(help="What is trained beside the head: all, last-block, head (nothing) or lora.")
    ] = None,
    val: Annotated[Path | None, typer.Option(help="Validation texts; a tenth of --data if absent.")] = None,
    test: Annotated[Path | None, typer.Option(help="Test texts; a fifth of --data if absent.")] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Leave out rows until all labels are as rare as the rarest.")
    ] = False,
    text_column: TextColumn = None,
    label_column: Annotated[
        str | None, typer.Option(help="The column of the label: a name, or a number from 0.")
    ] = None,
    skip_bad_rows: options.SkipBadRows = False,
    epochs: options.Epochs = None,
    config: options.Recipe = None,
    set_: options.Set = None,
    max_steps: options.MaxSteps = None,
    max_minutes: options.MaxMinutes = None,
    budget: options.Budget = None,
    rate: options.HourlyRate = 0.0,
    resume: options.Resume = "auto",
    track: options.Track = "none",
    json: options.Json = False,
) -> None:
    """Teach a base model to sort texts into classes.

    The rows are split by seed into training, validation and test, each label in proportion; the parts stand in
    RUN/splits. Columns are found by their names where they are not given. The run ends with a measurement on the test
    split, beside the majority class and TF-IDF with logistic regression: RUN/evaluation.json says whether the language
    model pays. RUN/model opens in transformers as GPT2ForSequenceClassification.

    \b
    Examples:
      tuppence finetune classify --base runs/tiny --data SMSSpamCollection --out runs/spam
      tuppence finetune classify --base ./gpt2 --data news.csv --label-column topic --train lora --out runs/news
    """
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory(large_pages=False)
    from tuppence.core.config import load_config
    from tuppence.tasks.classify import ClassifyConfig, LabelledFiles, run_classify

    over = options.overrides(
        set_,
        finetune__train=train,
        finetune__balance=True if balance else None,
        finetune__epochs=epochs,
        train__max_steps=max_steps,
    )
    recipe = load_config(ClassifyConfig, config, over)
    run = options.run_options(max_minutes, budget, rate, resume, track)
    given = LabelledFiles(data, val, test, text_column, label_column, skip_bad_rows)
    summary = options.train_and_tell(
        lambda: run_classify(base, given, out, recipe, run), out, json, lambda: _next_command(out)
    )
    if "evaluation" in summary and not json:
        _tell_test(summary["evaluation"]["classification"])


def _next_command(out: Path) -> str:
    """Asks the classifier about a text that it was not trained on; empty where there is none."""
    from tuppence.core.console import opening
    from tuppence.core.errors import TuppenceError
    from tuppence.evaluation.classification import first_test_text

    try:
        text = opening(first_test_text(out), words=12).lstrip("-")
    except (TuppenceError, OSError):
        return ""
    return f"tuppence classify {shlex.quote(str(out))} {shlex.quote(text)}" if text else ""


def classify(
    run: Annotated[
        Path, typer.Argument(help="A run of 'finetune classify', or a GPT2ForSequenceClassification folder.")
    ],
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT...", help="What to classify.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="One text a line ('-': stdin); or a .csv, .tsv, .json or .jsonl with a text column."),
    ] = None,
    text_column: TextColumn = None,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="float32, bf16 or fp16; auto is float32.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="A JSON list of text, label and probabilities.")] = False,
) -> None:
    """Name the class of texts: those given, those of a file, or one a line from stdin.

    One line a text on stdout: label, its probability, the text, with a tab between; a tab or the end of a line inside a
    label is written as an escape. Blank lines are left out; of a text longer than the model's context the beginning
    counts.

    \b
    Examples:
      tuppence classify runs/spam "You have WON a guaranteed prize, call now" "See you at noon"
      tuppence classify runs/spam --file mails.csv --text-column body --json
      cat messages.txt | tuppence classify runs/spam
    """
    from tuppence.core.errors import InputError
    from tuppence.core.memory import keep_freed_memory

    if texts and file is not None:
        raise InputError("texts and --file exclude each other", "give one of them")
    keep_freed_memory()
    from tuppence.evaluation import classifier
    from tuppence.model.loaded import load

    stream = _texts(texts, file, text_column)
    results = classifier.classify(load(run, device, precision, head="scores"), stream)
    if json:
        _write_list(results)
    else:
        for one in results:
            label, text = _cell(one.label), _cell(" ".join(one.text.split()))
            console.out(f"{label}\t{one.probabilities[one.label]:.4f}\t{text}")


def _texts(texts: list[str] | None, file: Path | None, text_column: str | None) -> Iterable[str]:
    from tuppence.core.errors import InputError
    from tuppence.data.records.unlabelled import iter_lines, iter_unlabelled

    if texts != ["-"] and file != Path("-"):
        if texts:
            return texts
        if file is not None:
            return iter_unlabelled(str(file), text_column=text_column)
        if sys.stdin.isatty():
            raise InputError("there is no text to classify", "give texts, --file FILE, or lines on stdin")
    return iter_lines(sys.stdin.buffer, "stdin")


def _write_list(results: Iterator[Classified]) -> None:
    """A JSON list, written as it grows."""
    before = "["
    for one in results:
        row = {"text": one.text, "label": one.label, "probabilities": one.probabilities}
        sys.stdout.write(f"{before}\n  {console.as_json(row)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")
    sys.stdout.flush()


def _cell(text: str) -> str:
    """A label or text as a cell of a table: what would end the cell or the row is an escape."""
    return text.translate({ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"})


def _tell_test(numbers: dict[str, Any]) -> None:
    """The test split in three lines; a warning where it says little."""
    console.note(f"test split ({console.counted(numbers['rows'], 'row')}): {_measures(numbers)}")
    for name, baseline in numbers["baselines"].items():
        console.note(f"  {name}: {_measures(baseline)}")
    if numbers["verdict"] is not None:
        console.note(numbers["verdict"])
    else:
        console.warn("the test rows are too few, or of one class alone, to say whether the language model pays")


def _measures(numbers: dict[str, Any]) -> str:
    accuracy, f1 = (_with_interval(numbers, name) for name in ("accuracy", "f1"))
    return f"accuracy {accuracy}, F1 ({numbers['f1_of']}) {f1}"


def _with_interval(numbers: dict[str, Any], name: str) -> str:
    if numbers[name] is None:
        return "undefined"
    ends = numbers["intervals"][name]
    return f"{numbers[name]:.4f}" + ("" if ends is None else " [{:.4f}, {:.4f}]".format(*ends))
