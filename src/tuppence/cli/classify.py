"""`tuppence finetune classify` and `tuppence classify`: make a classifier, and ask it."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuppence.cli.places import InputFile, InputRun, add_verb
from tuppence.cli.training import FinetuneFlags, training_verb
from tuppence.core import console

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tuppence.evaluation.scoring.classifier import Classified

TextColumn = Annotated[str | None, typer.Option(help="The column of the text: a name, or a number from 0.")]


def register(app: typer.Typer) -> None:
    """Adds `classify` to the command line; `finetune classify` belongs to the group of `finetune`."""
    add_verb(app, classify)


@training_verb
def finetune_classify(
    data: Annotated[InputFile, typer.Option(help="Labelled texts: .csv, .tsv, .json or .jsonl.")],
    training: FinetuneFlags,
    train: Annotated[
        str | None, typer.Option(help="What is trained beside the head: all, last-block, head (nothing) or lora.")
    ] = None,
    val: Annotated[InputFile | None, typer.Option(help="Validation texts; a tenth of --data if absent.")] = None,
    test: Annotated[InputFile | None, typer.Option(help="Test texts; a fifth of --data if absent.")] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Leave out rows until all labels are as rare as the rarest.")
    ] = False,
    text_column: TextColumn = None,
    label_column: Annotated[
        str | None, typer.Option(help="The column of the label: a name, or a number from 0.")
    ] = None,
) -> None:
    """Teach a base model to sort texts into classes.

    The rows are split by seed into training, validation and test, each label in proportion; the parts are in
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
    from tuppence.tasks.classify import ClassifyRecipe, LabelledFiles, run_classify

    recipe = training.recipe(
        ClassifyRecipe,
        finetune__train=train,
        finetune__balance=balance or None,
        finetune__epochs=training.epochs,
    )
    options, base, out, json = training.options(), training.base, training.out, training.json
    given = LabelledFiles(data, val, test, text_column, label_column, training.skip_bad_rows)
    summary = training.carry_out(lambda: run_classify(base, given, out, recipe, options), lambda: _next_command(out))
    if "evaluation" in summary and not json:
        _tell_test(summary["evaluation"]["classification"])


def _next_command(out: str) -> str:
    """Asks the classifier about a text that it was not trained on; empty where there is none."""
    from pathlib import Path

    from tuppence.core.console import opening
    from tuppence.core.errors import TuppenceError
    from tuppence.evaluation.tasks.classification import first_test_text

    try:
        text = opening(first_test_text(Path(out)), words=12).lstrip("-")
    except (TuppenceError, OSError):
        return ""
    return f"tuppence classify {shlex.quote(out)} {shlex.quote(text)}" if text else ""


def classify(
    run: Annotated[
        InputRun, typer.Argument(help="A run of 'finetune classify', or a GPT2ForSequenceClassification folder.")
    ],
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT...", help="What to classify.")] = None,
    file: Annotated[
        InputFile | None,
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
