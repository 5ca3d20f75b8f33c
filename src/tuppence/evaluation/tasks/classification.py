"""The task `classification`: a classifier on its test split, compared with two simple baselines.

The baselines of `scoring.class_baselines` are trained on the run's training split and scored on the same test rows. One
sentence says whether the model beats the better of them. `rows.labelled` reads the rows, `statistics.class_report`
makes the metrics.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.contamination import contamination
from tuppence.evaluation.rows.labelled import (
    TRAINING,
    VALIDATION,
    LabelledFile,
    class_ids,
    read_split,
    rows_to_classify,
)
from tuppence.evaluation.scoring.class_baselines import MAJORITY, TFIDF, majority_class, word_counts
from tuppence.evaluation.scoring.classifier import class_probabilities
from tuppence.evaluation.statistics import class_report
from tuppence.evaluation.statistics.class_metrics import Predictions, bootstrap_measures, reliability
from tuppence.evaluation.task import Metrics, TaskResult, about_rows, open_log, row_scores
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import LoadedModel

_NEARLY_EQUAL = 0.1


def classification(loaded: LoadedModel[SequenceScorer], config: EvalConfig, folder: Path | None) -> TaskResult:
    """Scores a classifier on its test split, or on another file of labelled texts.

    Raises:
        InputError: no file was named and there is no test split; or the model does not know a label.
    """
    if not loaded.labels:
        raise InputError(f"{loaded.folder} is not a classifier", "give a run of 'tuppence finetune classify'")
    began = time.perf_counter()
    labels = loaded.labels
    file = rows_to_classify(loaded, config)
    gold = class_ids(file.rows, labels)
    _warn_of_absent_classes(gold, labels)
    probabilities = _probabilities(loaded, file, folder, config.skip_bad_rows)
    train, validation = (read_split(loaded.folder, name, labels) for name in (TRAINING, VALIDATION))
    positive = positive_class([row.label for row in train or file.rows], labels)
    ours = Predictions(gold, probabilities, positive)
    models = {"model": ours}
    if train and validation:
        texts = [row.text for row in file.rows]
        models[MAJORITY] = Predictions(gold, majority_class(train, labels, len(texts)), positive)
        models[TFIDF] = Predictions(gold, word_counts(train, validation, labels, texts), positive)
    drawn = dict(zip(models, bootstrap_measures(list(models.values())), strict=True))
    headlines = {name: class_report.headline(models[name], drawn[name], labels) for name in models}
    metrics: Metrics = {
        **headlines.pop("model"),
        "labels": list(labels),
        "classes": class_report.by_class(ours, drawn["model"], labels),
        "confusion": class_report.confusion(ours),
        "reliability": reliability(ours),
        "roc": class_report.roc(ours),
        "mistakes": class_report.surest_mistakes(ours, file.rows, labels),
        "baselines": headlines,
        **class_report.against_baselines(models, drawn),
        "resamples": len(drawn["model"]["f1"]),
        **about_rows(file, config, loaded),
        **contamination(loaded.folder, file.path, file.rows),
        "seconds": round(time.perf_counter() - began, 3),
    }
    return TaskResult(metrics, scores={"accuracy": row_scores(ours.right.tolist(), file)})


def positive_class(rows: Sequence[str], labels: Sequence[str]) -> int | None:
    """Returns the positive class of two: the rarer one, or the second if both are about as frequent.

    Args:
        rows: the label of every row.
        labels: the classes, in the order of their ids. None is returned for more than two.

    Example:
        >>> positive_class(["spam", "ham", "ham"], ["ham", "spam"]), positive_class(["yes", "no"], ["no", "yes"])
        (1, 1)
    """
    if len(labels) != 2:
        return None
    counts = Counter(rows)
    first, second = counts[labels[0]], counts[labels[1]]
    return 0 if first < second * (1 - _NEARLY_EQUAL) else 1


def _warn_of_absent_classes(gold: NDArray[np.int64], labels: Sequence[str]) -> None:
    absent = [f"'{label}'" for number, label in enumerate(labels) if not (gold == number).any()]
    if absent:
        named = ", ".join(absent[:6]) + (", …" if len(absent) > 6 else "")
        console.warn(f"the test data has no row of {named}: its F1 is undefined")


def _probabilities(
    loaded: LoadedModel[SequenceScorer], file: LabelledFile, folder: Path | None, skips: bool
) -> NDArray[np.float64]:
    """Returns the probabilities of the classes, (N, C). Rows that the log has already are not scored again."""
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
