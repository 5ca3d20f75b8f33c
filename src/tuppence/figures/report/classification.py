"""Converts the evaluation of a classifier to values of the template classifier.html."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tuppence.figures.classification import plot_calibration, plot_confusion_matrix, plot_roc_curve, plot_scores
from tuppence.figures.format import shorten
from tuppence.figures.run_data import finite
from tuppence.figures.svg import to_svg

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

Metrics = Mapping[str, Any]
"""The metrics of the task `classification`, as in evaluation.json."""

LONGEST_TEXT = 300
"""A misclassified text is cut to this many characters."""

LONGEST_NAME = 16
"""The name of a class in a legend is cut to this many characters."""

_MEASURES = {"accuracy": "accuracy", "f1": "F1", "macro_f1": "macro F1", "auc": "ROC-AUC"}
_MEASURES |= {"brier": "Brier score (less is better)", "ece": "calibration error (less is better)"}


def headline(metrics: Metrics) -> Iterator[tuple[str, str]]:
    """Yields (label, value) of the numbers at the top of the page."""
    for key, name in (("accuracy", "test accuracy"), ("f1", f"test F1, {metrics.get('f1_of')}")):
        value = finite(metrics.get(key))
        if value is not None:
            yield name, f"{value:.1%}" if key == "accuracy" else f"{value:.3f}"


def template_values(metrics: Metrics) -> dict[str, Any]:
    """Returns the values of classifier.html.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: the metrics are not those of the task `classification`.
    """
    return {
        "verdict": metrics.get("verdict"),
        "scores": _svg(scores_figure, metrics, "baselines", "Model and baselines with intervals"),
        "rows": f"{metrics['rows']:,}",
        "measures": _measures(metrics),
        "figures": [
            _svg(confusion_figure, metrics, "confusion", "True against predicted classes"),
            _svg(calibration_figure, metrics, "reliability", "Confidence against accuracy"),
            _svg(roc_figure, metrics, "roc", "True against false positive rate"),
        ],
        "classes": _classes(metrics),
        "mistakes": _mistakes(metrics),
    }


def scores_figure(metrics: Metrics) -> Figure | None:
    """Returns accuracy and F1 of the model and of the baselines as bars; None without baselines."""
    baselines = metrics.get("baselines")
    if not baselines:
        return None
    models = {"language model": metrics, **baselines}
    measures = {
        name: [(one[key], *(one["intervals"][key] or (one[key], one[key]))) for one in models.values()]
        for key, name in (("accuracy", "accuracy"), ("f1", f"F1 ({shorten(metrics['f1_of'], LONGEST_NAME)})"))
    }
    return plot_scores(list(models), measures)


def confusion_figure(metrics: Metrics) -> Figure | None:
    """Returns the confusion matrix; None if the metrics have none."""
    counts = metrics.get("confusion")
    return plot_confusion_matrix(counts, metrics["labels"]) if counts else None


def calibration_figure(metrics: Metrics) -> Figure | None:
    """Returns the reliability diagram; None if the metrics have none."""
    bins = metrics.get("reliability")
    if not bins:
        return None
    confidence, accuracy, rows = ([one[key] for one in bins] for key in ("confidence", "accuracy", "rows"))
    return plot_calibration(confidence, accuracy, rows, classes=len(metrics["labels"]))


def roc_figure(metrics: Metrics) -> Figure | None:
    """Returns the ROC curve; None for more than two classes."""
    roc = metrics.get("roc")
    if not roc:
        return None
    return plot_roc_curve(
        roc["false_positive_rate"], roc["true_positive_rate"], positive=metrics["f1_of"], area=metrics["auc"]
    )


def _svg(draw: Callable[[Metrics], Figure | None], metrics: Metrics, name: str, label: str) -> Markup | None:
    figure = draw(metrics)
    return None if figure is None else to_svg(figure, name, label)


def _measures(metrics: Metrics) -> dict[str, Any]:
    models = {"language model": metrics, **(metrics.get("baselines") or {})}
    rows = [
        (name + (f", {metrics['f1_of']}" if key == "f1" else ""), *(_interval(one, key) for one in models.values()))
        for key, name in _MEASURES.items()
    ]
    return {"columns": ("", *models), "rows": rows}


def _classes(metrics: Metrics) -> list[tuple[str, ...]]:
    keys = ("precision", "recall", "f1")
    return [
        (label, f"{found['rows']:,}", *(_interval(found, key) for key in keys))
        for label, found in metrics["classes"].items()
    ]


def _mistakes(metrics: Metrics) -> list[tuple[str, ...]]:
    return [
        (shorten(one["text"], LONGEST_TEXT), one["label"], one["predicted"], f"{one['probability']:.1%}")
        for one in metrics["mistakes"]
    ]


def _interval(metrics: Metrics, key: str) -> str:
    value, ends = finite(metrics[key]), metrics["intervals"][key]
    if value is None:
        return "undefined"
    return f"{value:.3f}" + (f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else "")
