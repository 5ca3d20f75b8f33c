"""`tuppence finetune classify` trains a classifier, `tuppence classify` uses it."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuppence.cli.flags import Device
from tuppence.cli.places import InputFile, InputRun, add_verb
from tuppence.cli.training import Base, FinetuneFlags, training_verb
from tuppence.core import console

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tuppence.evaluation.scoring.classifier import Classified

TextColumn = Annotated[str | None, typer.Option(help="Column of the text: a name, or a number from 0.")]


def register(app: typer.Typer) -> None:
    """Adds `classify` to the command line; `finetune classify` belongs to the group of `finetune`."""
    add_verb(app, classify)


@training_verb
def finetune_classify(
    base: Base,
    data: Annotated[InputFile, typer.Option(help="Labelled texts: a .csv, .tsv, .json or .jsonl file.")],
    training: FinetuneFlags,
    train: Annotated[
        str | None,
        typer.Option(help="What to train: all, last-block, head (only the head) or lora. The head is always trained."),
    ] = None,
    val: Annotated[InputFile | None, typer.Option(help="Validation texts; by default a tenth of --data.")] = None,
    test: Annotated[InputFile | None, typer.Option(help="Test texts; by default a fifth of --data.")] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Leave out rows until all labels have the same number of rows.")
    ] = False,
    text_column: TextColumn = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the label: a name, or a number from 0.")] = None,
) -> None:
    """Finetune a base model to classify texts.

    The rows are split into training, validation and test, with each label in proportion; the splits are in RUN/splits.
    Without --text-column and --label-column the columns are found by their names. At its end the run is measured on the
    test split, and compared with two simple methods: the majority class, and TF-IDF with logistic regression.
    RUN/evaluation.json has the results. RUN/model opens in transformers as GPT2ForSequenceClassification.

    \b
    Examples:
      tuppence finetune classify --base runs/tiny --data SMSSpamCollection --out runs/spam
      tuppence finetune classify --base ./gpt2 --data news.csv --label-column topic --train lora --out runs/news
    """
    from tuppence.tasks.classify import ClassifyRecipe, run_classify
    from tuppence.tasks.labelled import LabelledFiles

    recipe = training.recipe(
        ClassifyRecipe,
        finetune__train=train,
        finetune__balance=balance or None,
        finetune__epochs=training.epochs,
    )
    out, given = training.out, LabelledFiles(data, val, test, text_column, label_column, training.skip_bad_rows)
    summary = run_classify(base, given, out, recipe, training.options())
    training.tell(summary, lambda: _next_command(out))
    if "evaluation" in summary and not training.json:
        _tell_test(summary["evaluation"]["classification"])


def _next_command(out: str) -> str:
    """Returns a command that classifies a text that the model was not trained on; empty if there is none."""
    from tuppence.core.console import opening
    from tuppence.core.errors import TuppenceError
    from tuppence.evaluation.rows.labelled import first_test_text
    from tuppence.storage import output_path

    try:
        text = opening(first_test_text(output_path(out)), words=12).lstrip("-")
    except (TuppenceError, OSError):
        return ""
    return f"tuppence classify {shlex.quote(out)} {shlex.quote(text)}" if text else ""


def classify(
    run: Annotated[
        InputRun, typer.Argument(help="A run of 'finetune classify', or a folder with a GPT2ForSequenceClassification.")
    ],
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT...", help="Texts to classify.")] = None,
    file: Annotated[
        InputFile | None,
        typer.Option(help="File with one text a line ('-' is stdin), or a .csv, .tsv, .json or .jsonl file."),
    ] = None,
    text_column: TextColumn = None,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="float32, bf16 or fp16. auto is float32.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list of texts, labels and probabilities.")] = False,
) -> None:
    """Classify texts with a trained classifier.

    The texts are arguments, rows of a file, or lines of stdin. Prints one line for each text: label, probability and
    text, separated by tabs. A tab or newline inside a label is written as an escape. Blank lines are skipped. If a text
    is longer than the model's context, only its beginning is read.

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
    from tuppence.evaluation.scoring import classifier
    from tuppence.model.loaded import load

    stream = _texts(texts, file, text_column)
    results = classifier.classify(load(run, device, precision, head="scores"), stream)
    if json:
        _write_list(results)
    else:
        for one in results:
            label, text = _cell(one.label), _cell(" ".join(one.text.split()))
            console.out(f"{label}\t{one.probabilities[one.label]:.4f}\t{text}")


def _texts(texts: list[str] | None, file: str | None, text_column: str | None) -> Iterable[str]:
    from tuppence.core.errors import InputError
    from tuppence.data.records.unlabelled import iter_lines, iter_unlabelled

    if texts != ["-"] and file != "-":
        if texts:
            return texts
        if file is not None:
            return iter_unlabelled(file, text_column=text_column)
        if sys.stdin.isatty():
            raise InputError("there is no text to classify", "give texts, --file FILE, or lines on stdin")
    return iter_lines(sys.stdin.buffer, "stdin")


def _write_list(results: Iterator[Classified]) -> None:
    """Writes a JSON list, one element at a time."""
    before = "["
    for one in results:
        row = {"text": one.text, "label": one.label, "probabilities": one.probabilities}
        sys.stdout.write(f"{before}\n  {console.as_json(row)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")
    sys.stdout.flush()


def _cell(text: str) -> str:
    """Returns a label or text with tabs and newlines as escapes, so that it stays one cell of a table."""
    return text.translate({ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"})


def _tell_test(numbers: dict[str, Any]) -> None:
    """Prints the results on the test split; a warning if it has too few rows for a verdict."""
    console.note(f"test split ({console.counted(numbers['rows'], 'row')}): {_measures(numbers)}")
    for name, baseline in numbers["baselines"].items():
        console.note(f"  {name}: {_measures(baseline)}")
    if numbers["verdict"] is not None:
        console.note(numbers["verdict"])
    else:
        console.warn(
            "the test split is too small, or has one class only, to compare the language model with the baselines"
        )


def _measures(numbers: dict[str, Any]) -> str:
    accuracy, f1 = (_with_interval(numbers, name) for name in ("accuracy", "f1"))
    return f"accuracy {accuracy}, F1 ({numbers['f1_of']}) {f1}"


def _with_interval(numbers: dict[str, Any], name: str) -> str:
    if numbers[name] is None:
        return "undefined"
    ends = numbers["intervals"][name]
    return f"{numbers[name]:.4f}" + ("" if ends is None else " [{:.4f}, {:.4f}]".format(*ends))
