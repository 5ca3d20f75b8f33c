"""The results of a check, as a terminal and a notebook show them.

A result never contains the right value or the answer. Control characters of the learner's texts are shown as escapes.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tuppence.core.console import one_line, visible
from tuppence.exercises.catalog import Entry

Status = Literal["passed", "failed", "no function", "wrong signature", "not written"]

_MARKS = {"passed": "✓", "not written": "○"}
_COLOURS = {"passed": "#2e7d4f", "not written": "#6b7280"}
_FAILED_MARK, _FAILED_COLOUR = "✗", "#b3382c"


@dataclass(frozen=True)
class Result:
    """The result of one exercise.

    Attributes:
        exercise: the exercise.
        status: "passed"; "failed": a property does not hold; "no function": another value has its name; "wrong
            signature"; "not written": there is no function, or it does nothing yet.
        headline: one line about the status.
        held: number of properties that hold.
        details: pairs of a label and a text: property, input, result, problem, hints, output.
        tries: failed tries since the exercise was solved last.
        seed: of the random inputs.
        network: how the network was taken from the function; None if it was not called.
        solved_before: whether an earlier check has passed.
        arguments: those of the call that failed, by name: all numbers, also those that a text has no room for.
    """

    exercise: Entry
    status: Status
    headline: str
    held: int = 0
    details: tuple[tuple[str, str], ...] = ()
    tries: int = 0
    seed: int | None = None
    network: str | None = None
    solved_before: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def passed(self) -> bool:
        """Whether the function has all properties."""
        return self.status == "passed"

    @property
    def _mark(self) -> str:
        return _MARKS.get(self.status, _FAILED_MARK)

    def lines(self) -> Iterator[str]:
        """The lines of a terminal."""
        yield f"{self._mark} {self.exercise.name}: {one_line(self.headline)}"
        width = max((len(label) for label, _ in self.details), default=0)
        for label, text in self.details:
            first, *more = text.split("\n")
            yield f"    {label:<{width}}  {one_line(first)}"
            yield from (f"    {'':<{width}}  {one_line(line)}" for line in more)

    def as_json(self) -> dict[str, Any]:
        """The result as plain data for programs."""
        return {
            "chapter": self.exercise.chapter,
            "exercise": self.exercise.name,
            "status": self.status,
            "message": self.headline,
            "properties_held": self.held,
            "properties": self.exercise.properties,
            "details": [{"label": label, "text": visible(text)} for label, text in self.details],
            "tries": self.tries,
            "seed": self.seed,
            "network": self.network,
            "solved_before": self.solved_before,
        }

    def html(self) -> str:
        """The result as an element of a page; all texts are escaped."""
        colour = _COLOURS.get(self.status, _FAILED_COLOUR)
        rows = "".join(
            f'<tr><td style="text-align:left;vertical-align:top;white-space:nowrap;padding:0 1em">{_safe(label)}</td>'
            f'<td style="text-align:left;white-space:pre-wrap;overflow-wrap:anywhere">{_safe(text)}</td></tr>'
            for label, text in self.details
        )
        table = f'<table style="margin:.3em 0;background:none;color:inherit">{rows}</table>' if rows else ""
        return (
            f'<div style="border-left:4px solid {colour};padding:.2em .8em;margin:.4em 0">'
            f"<strong>{self._mark} {_safe(self.exercise.name)}</strong>: {_safe(self.headline)}{table}</div>"
        )


def _safe(text: str) -> str:
    return html.escape(visible(text))


@dataclass(frozen=True, repr=False)
class Results(Sequence[Result]):
    """Results in the order of the course. A notebook and a terminal show them.

    Attributes:
        results: one for each exercise.
        title: a line above them; empty for one exercise.
    """

    results: tuple[Result, ...]
    title: str = ""
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: Any) -> Any:
        return self.results[index]

    @property
    def passed(self) -> bool:
        """Whether every exercise is solved."""
        return all(result.passed for result in self.results)

    def __repr__(self) -> str:
        lines = [self.title] if self.title else []
        for result in self.results:
            lines.extend(result.lines())
        return "\n".join([*lines, *map(one_line, self.notes)])

    def _repr_html_(self) -> str:
        title = f"<p><strong>{_safe(self.title)}</strong></p>" if self.title else ""
        notes = "".join(f"<p>{_safe(text)}</p>" for text in self.notes)
        return title + "".join(result.html() for result in self.results) + notes
