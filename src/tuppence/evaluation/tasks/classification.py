"""The task `classification`: a classifier on its own test split, compared with simple baselines.

A run of `finetune classify` keeps its splits in RUN/splits, so that every evaluation reads the same rows. The two
baselines of `scoring.class_baselines` are trained on the same training rows and scored on the same test rows; one
sentence says whether the model beats the better of them. Metrics: `statistics.class_metrics`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuppence.core import console, files
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.data.records.labelled import LabelledSet, LabelledText, find_label, read_labelled
from tuppence.data.records.splits import PARTS, Splits
from tuppence.data.records.tables import read_table
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.contamination import contamination
from tuppence.evaluation.rows.files import sha256_of
from tuppence.evaluation.scoring.class_baselines import MAJORITY, TFIDF, majority_class, word_counts
from tuppence.evaluation.scoring.classifier import class_probabilities
from tuppence.evaluation.statistics.bootstrap import interval
from tuppence.evaluation.statistics.class_metrics import (
    OF_CLASSES,
    Measures,
    Predictions,
    bootstrap_measures,
    measures,
)
from tuppence.evaluation.statistics.class_metrics import reliability as reliability_bins
from tuppence.evaluation.task import Metrics, TaskResult, about_rows, open_log, row_scores
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import LoadedModel
from tuppence.storage import find_input, location_of

SHOWN_MISTAKES = 12
ROC_POINTS = 200
MOST_SHOWN_CLASSES = 50
"""A confusion matrix of more classes is not kept: nobody could read it."""

FEWEST_ROWS_FOR_A_VERDICT = 20
"""With fewer test rows the bootstrap's intervals mean little: no sentence says who is better."""

_NEARLY_EQUAL = 0.1


class LabelledFile:
    """The rows of a test file, which file it is, and which of its columns were read, where a person named the file."""

    def __init__(self, path: str | Path, rows: Sequence[LabelledText], columns: tuple[str, ...] = ()) -> None:
        self.path, self.sha256, self.rows, self.columns = location_of(path), sha256_of(str(path)), rows, columns


def write_splits(splits: Splits, run: Run) -> None:
    """Writes training.jsonl, validation.jsonl and test.jsonl into RUN/splits."""
    for name, rows in zip(PARTS, (splits.train, splits.validation, splits.test), strict=True):
        lines = [json.dumps({"text": row.text, "label": row.label}, ensure_ascii=False) + "\n" for row in rows]
        files.write_text(run.split_file(name), "".join(lines))


def first_test_text(run: Path) -> str:
    """The first text of a run's test split; empty where there is none."""
    rows = _split(run, PARTS[2])
    return rows[0].text if rows else ""


def classification(loaded: LoadedModel[SequenceScorer], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Scores a classifier on its test split, or on another file of labelled text.

    Raises:
        InputError: there is no test split and no file was named; a label is none of the model's.
    """
    if not loaded.labels:
        raise InputError(f"{loaded.folder} is not a classifier", "give a run of 'tuppence finetune classify'")
    began = time.perf_counter()
    file = _test_rows(loaded, config)
    gold = _ids(file.rows, loaded.labels)
    _warn_of_absent(gold, loaded.labels)
    probabilities = _probabilities(loaded, file, folder, config.skip_bad_rows)
    train, validation = (_split(loaded.folder, name, loaded.labels) for name in PARTS[:2])
    positive = positive_class([row.label for row in train or file.rows], loaded.labels)
    models = {"model": Predictions(gold, probabilities, positive)}
    if train and validation:
        texts = [row.text for row in file.rows]
        models[MAJORITY] = Predictions(gold, majority_class(train, loaded.labels, len(texts)), positive)
        models[TFIDF] = Predictions(gold, word_counts(train, validation, loaded.labels, texts), positive)
    drawn = dict(zip(models, bootstrap_measures(list(models.values())), strict=True))
    ours = models["model"]
    metrics: Metrics = {
        **_headline(ours, drawn["model"], loaded.labels),
        "labels": list(loaded.labels),
        "classes": _of_classes(ours, drawn["model"], loaded.labels),
        "confusion": _confusion(ours),
        "reliability": reliability_bins(ours),
        "roc": _roc(ours),
        "mistakes": _mistakes(ours, file.rows, loaded.labels),
        "baselines": {name: _headline(models[name], drawn[name], loaded.labels) for name in models if name != "model"},
        **_against_baselines(models, drawn),
        "resamples": len(drawn["model"]["f1"]),
        **about_rows(file, config, loaded),
        **contamination(loaded.folder, file.path, file.rows),
        "seconds": round(time.perf_counter() - began, 3),
    }
    return TaskResult(metrics, scores={"accuracy": row_scores(ours.right.tolist(), file)})


def positive_class(rows: Sequence[str], labels: Sequence[str]) -> int | None:
    """Of two classes the one that is looked for: the rarer one, or the second where both are about as frequent.

    Args:
        rows: the label of every row.
        labels: by their ids.

    Example:
        >>> positive_class(["spam", "ham", "ham"], ["ham", "spam"]), positive_class(["yes", "no"], ["no", "yes"])
        (1, 1)
    """
    if len(labels) != 2:
        return None
    counts = Counter(rows)
    first, second = counts[labels[0]], counts[labels[1]]
    return 0 if first < second * (1 - _NEARLY_EQUAL) else 1


# ---- the rows ----------------------------------------------------------------------------------------------------


def _split(folder: Path, name: str, labels: Sequence[str] | None = None) -> list[LabelledText] | None:
    """The rows of a split of a run, in the spelling of `labels` where they are given; None where there are none."""
    path = Run.of(folder).split_file(name)
    if not path.is_file():
        return None
    rows = read_labelled(str(path), text_column="text", label_column="label").rows
    return rows if labels is None else _in_spelling_of(labels, rows, str(path))


def _test_rows(loaded: LoadedModel[SequenceScorer], config: EvalConfig) -> LabelledFile:
    named = config.data_of("classification")
    if named is not None:
        found = _read(loaded, config, named)
        if found.skipped_rows:
            console.warn(f"skipped {console.counted(found.skipped_rows, 'bad row')} of {named}")
        rows = _in_spelling_of(loaded.labels, found.rows[: config.limit], named)
        return LabelledFile(named, rows, (found.text_column, found.label_column))
    split = _split(loaded.folder, PARTS[2], loaded.labels)
    if split is None:
        raise InputError(f"{loaded.folder} has no test split", "add --data FILE: labelled texts")
    return LabelledFile(Run.of(loaded.folder).split_file(PARTS[2]), split[: config.limit])


def _warn_of_absent(gold: NDArray[np.int64], labels: Sequence[str]) -> None:
    absent = [f"'{label}'" for number, label in enumerate(labels) if not (gold == number).any()]
    if absent:
        named = ", ".join(absent[:6]) + (", …" if len(absent) > 6 else "")
        console.warn(f"the test data has no row of {named}: F1 says nothing there")


def _read(loaded: LoadedModel[SequenceScorer], config: EvalConfig, path: str) -> LabelledSet:
    """A file of labelled texts. Columns that nobody named are those that the classifier was trained on, where the file
    has them, else found by themselves."""
    text, label = config.text_column, config.label_column
    columns = read_table(path, skip_bad_rows=config.skip_bad_rows, named=[one for one in (text, label) if one]).columns
    trained = _trained_columns(loaded.folder)
    if text is None and label is None and set(trained) <= set(columns):
        text, label = trained
    return read_labelled(path, text_column=text, label_column=label, skip_bad_rows=config.skip_bad_rows)


def _trained_columns(folder: Path) -> tuple[str, str]:
    """The columns of text and label that a run was trained on; the names of its splits where run.yaml has none."""
    for _, record in islice(Run.of(folder).lineage(find_input), 1):
        columns = record.get("columns")
        if isinstance(columns, dict):
            text, label = columns.get("text"), columns.get("label")
            if isinstance(text, str) and isinstance(label, str) and not (text.isdecimal() or label.isdecimal()):
                return text, label
    return "text", "label"


def _in_spelling_of(labels: Sequence[str], rows: Sequence[LabelledText], path: str) -> list[LabelledText]:
    """The rows with the model's own spelling of their labels, see `find_label`."""
    place_of = {label: find_label(label, labels) for label in {row.label for row in rows}}
    found: list[LabelledText] = []
    for row in rows:
        place = place_of[row.label]
        if place is None:
            raise InputError(
                f"{path} has the label '{row.label}', which the model does not know",
                f"its labels: {', '.join(labels[:12])}",
            )
        found.append(LabelledText(row.text, labels[place]))
    return found


def _ids(rows: Sequence[LabelledText], labels: Sequence[str]) -> NDArray[np.int64]:
    return np.array([labels.index(row.label) for row in rows], dtype=np.int64)


def _probabilities(
    loaded: LoadedModel[SequenceScorer], file: LabelledFile, folder: Path | None, skips: bool
) -> NDArray[np.float64]:
    """(N, C); rows that were scored before by the same model are not scored again."""
    how = {"columns": list(file.columns), "skip_bad_rows": skips} if file.columns else {}
    with open_log("classification", loaded, file.sha256, folder, how) as log, console.progress("texts") as bar:
        missing = log.missing(len(file.rows))
        task = bar.add_task("classifying", total=len(file.rows), completed=len(file.rows) - len(missing))

        def keep(numbers: NDArray[np.int64], found: NDArray[np.float64]) -> None:
            for number, row in zip(numbers.tolist(), found.tolist(), strict=True):
                log.add(missing[number], {"label": file.rows[missing[number]].label, "probabilities": row})
            bar.advance(task, len(numbers))

        class_probabilities(loaded, [file.rows[number].text for number in missing], on_batch=keep)
        return np.array([result["probabilities"] for result in log.ordered(len(file.rows))])


# ---- the numbers -------------------------------------------------------------------------------------------------


def _headline(predictions: Predictions, drawn: Measures, labels: Sequence[str]) -> Metrics:
    """The measures of a whole model, and their intervals by the same names."""
    found = {name: float(value[0]) for name, value in measures(predictions).items() if name not in OF_CLASSES}
    known = {name: _finite(value) for name, value in found.items()}
    named = "macro average" if predictions.positive is None else labels[predictions.positive]
    return {**known, "f1_of": named, "intervals": {name: interval(drawn[name]) for name in known}}


def _of_classes(predictions: Predictions, drawn: Measures, labels: Sequence[str]) -> dict[str, Metrics]:
    found = measures(predictions)
    counts = np.bincount(predictions.gold, minlength=len(labels))
    return {
        label: {
            "rows": int(counts[number]),
            **{_short(name): _finite(float(found[name][0, number])) for name in OF_CLASSES},
            "intervals": {_short(name): interval(drawn[name][:, number]) for name in OF_CLASSES},
        }
        for number, label in enumerate(labels)
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _short(name: str) -> str:
    return name.removeprefix("class_")


def _confusion(predictions: Predictions) -> list[list[int]] | None:
    """Rows by their true class, columns by the predicted one."""
    from sklearn.metrics import confusion_matrix

    classes = predictions.probabilities.shape[1]
    if classes > MOST_SHOWN_CLASSES:
        return None
    found: list[list[int]] = confusion_matrix(
        predictions.gold, predictions.predicted, labels=list(range(classes))
    ).tolist()
    return found


def _roc(predictions: Predictions) -> dict[str, list[float]] | None:
    """The ROC curve of the positive class of two, thinned; None for more classes or where one is missing."""
    from sklearn.metrics import roc_curve

    if predictions.positive is None or len(set(predictions.gold.tolist())) < 2:
        return None
    wanted = predictions.gold == predictions.positive
    false_rate, true_rate, _ = roc_curve(wanted, predictions.probabilities[:, predictions.positive])
    kept = np.unique(np.linspace(0, len(false_rate) - 1, min(ROC_POINTS, len(false_rate))).round().astype(int))
    return {"false_positive_rate": false_rate[kept].tolist(), "true_positive_rate": true_rate[kept].tolist()}


def _mistakes(predictions: Predictions, rows: Sequence[LabelledText], labels: Sequence[str]) -> list[Metrics]:
    """The rows that the model is surest of, and wrong."""
    confidence = predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(predictions.right == 0)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN_MISTAKES]
    return [
        {
            "text": rows[number].text,
            "label": rows[number].label,
            "predicted": labels[int(predictions.predicted[number])],
            "probability": float(confidence[number]),
        }
        for number in surest.tolist()
    ]


def _against_baselines(models: Mapping[str, Predictions], drawn: Mapping[str, Measures]) -> Metrics:
    """The difference to each baseline on the same resamples, and what it means in a sentence; no sentence where the
    test rows are no evidence."""
    baselines = [name for name in models if name != "model"]
    if not baselines:
        return {}
    found = {name: measures(one) for name, one in models.items()}
    differences: dict[str, dict[str, Any]] = {}
    for name in baselines:
        differences[name] = {
            measure: {
                "difference": _finite(float(found["model"][measure][0] - found[name][measure][0])),
                "interval": interval(drawn["model"][measure] - drawn[name][measure]),
            }
            for measure in ("accuracy", "f1")
        }
    best = max(baselines, key=lambda name: np.nan_to_num(found[name]["f1"][0]))
    ours, theirs = _finite(float(found["model"]["f1"][0])), _finite(float(found[best]["f1"][0]))
    difference = differences[best]["f1"]
    enough = len(models["model"].gold) >= FEWEST_ROWS_FOR_A_VERDICT
    if not enough or ours is None or theirs is None or difference["interval"] is None:
        return {"differences": differences, "verdict": None}
    return {"differences": differences, "verdict": verdict(best, ours, theirs, difference)}


def verdict(baseline: str, ours: float, theirs: float, difference: Mapping[str, Any]) -> str:
    """Whether the language model pays, in a sentence.

    Args:
        baseline: the better of the baselines, by F1.
        ours, theirs: F1 of the model and of that baseline.
        difference: ours minus theirs, with its 95 % interval.

    Example:
        >>> verdict("TF-IDF", 0.96, 0.90, {"difference": 0.06, "interval": [0.02, 0.11]})
        'The language model beats TF-IDF: F1 0.960 against 0.900, +0.060 (95 % interval +0.020 to +0.110).'
    """
    low, high = difference["interval"]
    numbers = f"F1 {ours:.3f} against {theirs:.3f}, {difference['difference']:+.3f}"
    numbers += f" (95 % interval {low:+.3f} to {high:+.3f})"
    if low > 0:
        return f"The language model beats {baseline}: {numbers}."
    if high < 0:
        return f"The language model is worse than {baseline}: {numbers}. It does not pay here."
    return f"The language model is not shown to beat {baseline}: {numbers}. The simpler model may do."
