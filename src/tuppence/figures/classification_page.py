"""A classifier's evaluation as pieces of the report: does it pay, how good is it, where is it wrong.

The pictures are those of `classification`; every text and label that comes from the data is escaped by `page`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tuppence.figures import classification as pictures
from tuppence.figures import page
from tuppence.figures.record import finite
from tuppence.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Numbers = Mapping[str, Any]

LONGEST_TEXT = 300
"""Characters of a misjudged text that are shown."""

_MEASURES = {"accuracy": "accuracy", "f1": "F1", "macro_f1": "macro F1", "auc": "ROC-AUC"}
_MEASURES |= {"brier": "Brier score (less is better)", "ece": "calibration error (less is better)"}


def headline(numbers: Numbers) -> Iterator[tuple[str, str]]:
    """(label, number) of what a person asks first."""
    for key, name in (("accuracy", "test accuracy"), ("f1", f"test F1, {numbers.get('f1_of')}")):
        value = finite(numbers.get(key))
        if value is not None:
            yield name, f"{value:.1%}" if key == "accuracy" else f"{value:.3f}"


def cards(numbers: Numbers) -> Iterator[str]:
    """The evaluation of a classifier.

    Raises:
        LookupError, TypeError, ValueError: the numbers are not what `evaluation.classification` writes.
    """
    verdict = numbers.get("verdict")
    shown = _picture(pictures.against_baselines, numbers, "baselines", "Model and baselines with intervals")
    yield page.card(f"<p>{page.text(verdict)}</p>" if verdict else "", shown, title="Does the language model pay?")
    yield page.card(_measures(numbers), title=f"On {numbers['rows']:,} test rows, with 95 % bootstrap intervals")
    yield page.pair(
        page.card(_picture(pictures.confusion_matrix, numbers, "confusion", "True against predicted classes")),
        page.card(_picture(pictures.reliability_diagram, numbers, "reliability", "Confidence against accuracy")),
        page.card(_picture(pictures.roc_curve, numbers, "roc", "True against false positive rate")),
    )
    yield page.card(_classes(numbers), title="Class by class")
    yield page.card(_mistakes(numbers), title="Where it was surest, and wrong")


def _picture(draw: Callable[[Numbers], Figure | None], numbers: Numbers, name: str, label: str) -> str:
    figure = draw(numbers)
    return to_svg(figure, name, label) if figure is not None else ""


def _measures(numbers: Numbers) -> str:
    models = {"language model": numbers, **(numbers.get("baselines") or {})}
    rows = [
        (name + (f", {numbers['f1_of']}" if key == "f1" else ""), *(_interval(one, key) for one in models.values()))
        for key, name in _MEASURES.items()
    ]
    return page.table(("", *models), rows)


def _classes(numbers: Numbers) -> str:
    keys = ("precision", "recall", "f1")
    rows = [
        (label, f"{found['rows']:,}", *(_interval(found, key) for key in keys))
        for label, found in numbers["classes"].items()
    ]
    return page.table(("class", "rows", "precision", "recall", "F1"), rows)


def _mistakes(numbers: Numbers) -> str:
    rows = [
        (_short(one["text"]), one["label"], one["predicted"], f"{one['probability']:.1%}")
        for one in numbers["mistakes"]
    ]
    return page.table(("text", "true class", "taken for", "probability"), rows)


def _interval(numbers: Numbers, key: str) -> str:
    value, ends = finite(numbers[key]), numbers["intervals"][key]
    if value is None:
        return "undefined"
    return f"{value:.3f}" + (f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else "")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
