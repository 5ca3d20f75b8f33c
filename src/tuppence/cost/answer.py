"""`Plan`: the answer of `tuppence plan`, as a table, a sentence, JSON, and in a notebook."""

from __future__ import annotations

import datetime
import html
from dataclasses import asdict, dataclass
from typing import Any

from tuppence.core.console import counted
from tuppence.cost.estimate import SPOT_DISCOUNT, SPOT_SEEN
from tuppence.cost.law import FINEWEB, short
from tuppence.cost.plan import ERRORS, HOURS_BETWEEN_INTERRUPTIONS, Question, Row
from tuppence.cost.rates import OLD_DAYS, Price
from tuppence.cost.table import WIDTH, Table

SMALL = FINEWEB.least_parameters
"""Published speeds are of larger models; the matrices of smaller ones do not fill a GPU."""
NOT_IN_A_NARROW_TABLE = (">at once", "devices", ">tokens/s", ">on spot", "speed")
NO_DIFFERENCE = 0.02
"""Nats: the difference between seeds of one run of GPT-2, far below the error of a law."""


@dataclass(frozen=True, repr=False)
class Plan:
    """What a training run costs on each machine.

    Attributes:
        question: what was asked.
        rows: one for each machine, in the order asked.
        today: the day from which the age of prices is counted.
    """

    question: Question
    rows: tuple[Row, ...]
    today: datetime.date

    @property
    def best(self) -> Row | None:
        """The row that is recommended; None if no row can be used.

        With a budget it is the lowest expected loss; among rows that differ less than `NO_DIFFERENCE`, the one whose
        speed is better known; if no loss can be expected, the most computation. If the tokens are given, or no budget,
        it is the lowest price on demand.
        """
        usable = [row for row in self.rows if row.refused is None]
        if not usable:
            return None
        if self.question.budget_usd is not None and self.question.tokens is None:
            losses = {row: row.loss for row in usable if row.loss is not None}
            near = [row for row, loss in losses.items() if loss <= min(losses.values()) + NO_DIFFERENCE]
            if not near:
                return max(usable, key=lambda row: row.tokens * row.size.flops_per_token)
            return min(near, key=lambda row: (ERRORS[row.machine.speed.basis], losses[row], row.hours))
        return min(usable, key=lambda row: (row.dollars, row.hours))

    @property
    def recommendation(self) -> str:
        """The answer in one sentence."""
        best = self.best
        if best is None:
            reasons = sorted({(row.refused or "").partition(":")[0] for row in self.rows})
            return f"None of these machines can do it: {'; '.join(reasons)}."
        what = f"{best.size.name} on {short(best.tokens)} tokens"
        budget, error = self.question.budget_usd, self.question.law.error
        loss = f", {best.no_loss}" if best.loss is None else f", expected loss {best.loss:.2f} ± {error:.2g}"
        paid = _usd(best.dollars) if best.dollars else "no rent"
        paid += f" on demand, about {_usd(best.spot_dollars)} on spot" if best.machine.on_aws else ""
        time = f"{_time(best.hours * 3600)} (speed {best.machine.speed.basis})"
        answer = f"{best.machine.name} in {time} for {paid}{loss}"
        if budget is not None and self.question.tokens is None:
            return f"The best that {_usd(budget)} buys is {what}: {answer}."
        usable = [row for row in self.rows if row.refused is None and row is not best]
        if not usable:
            return f"{what}: {answer}."
        fastest = min(usable, key=lambda row: row.hours)
        if fastest.hours >= best.hours:
            return f"{what} is cheapest and fastest on {answer}."
        faster = f"{fastest.machine.name} in {_time(fastest.hours * 3600)} for {_usd(fastest.dollars)}"
        return f"{what} is cheapest on {answer}; the fastest is {faster}."

    def table(self) -> Table:
        """All machines."""
        cells = [self._cells(row) for row in self.rows]
        constant = {name for name in ("model", "tokens") if not self._differs(name)}
        names = [name for name in cells[0] if name.lstrip(">") not in constant]
        rows = tuple(tuple(row[name] for name in names) for row in cells)
        return Table(self._title(), tuple(names), rows, self._notes())

    def lines(self) -> Table | None:
        """Where the dollars of the recommended row go; None if there is none."""
        best = self.best
        if best is None:
            return None
        on_demand = {line.name: _usd(line.dollars) for line in best.lines}
        rows = [
            (
                line.name,
                _time(line.seconds) if line.seconds else "",
                on_demand.get(line.name, ""),
                _usd(line.dollars),
                line.basis,
            )
            for line in best.spot_lines
        ]
        rows.append(("total", _time(best.hours * 3600), _usd(best.dollars), _usd(best.spot_dollars), ""))
        title = f"{best.size.name} on {best.machine.name}"
        table = Table(title, ("", ">time", ">on demand", ">on spot", "what it rests on"), tuple(rows))
        return table if best.machine.on_aws else table.without(">on spot")

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        best = self.best
        return {
            "question": {
                "models": [size.name for size in self.question.models],
                "tokens": self.question.tokens,
                "budget_usd": self.question.budget_usd,
            },
            "law": asdict(self.question.law),
            "recommendation": self.recommendation,
            "best": None if best is None else best.machine.name,
            "rows": [_row_as_dict(row, self.today) for row in self.rows],
        }

    def text(self, width: int = WIDTH) -> str:
        """Both tables and the sentence, as plain text. A narrow terminal does not show every column."""
        table, lines = self.table(), self.lines()
        for column in NOT_IN_A_NARROW_TABLE:
            if table.width > width:
                table = table.without(column)
        shown = [table.text(width), *([lines.text(width)] if lines else []), self.recommendation]
        return "\n\n".join(text.strip("\n") for text in shown)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        lines = self.lines()
        sentence = f"<p>{html.escape(self.recommendation)}</p>"
        shown = [self.table().to_html(), lines.to_html() if lines else "", sentence]
        return "".join(shown)

    def _title(self) -> str:
        question, first = self.question, self.rows[0]
        model = "the best preset" if self._differs("model") else first.size.name
        tokens = "" if self._differs("tokens") else f" on {short(first.tokens)} tokens"
        if question.budget_usd is not None:
            return f"What {_usd(question.budget_usd)} buys: {model}{tokens}"
        return f"What it costs to train {model}{tokens}"

    def _differs(self, what: str) -> bool:
        values = {row.size.name if what == "model" else row.tokens for row in self.rows}
        return len(values) > 1

    def _cells(self, row: Row) -> dict[str, str]:
        machine, no = row.machine, row.refused is not None
        return {
            "where": machine.name,
            "devices": f"{machine.devices}×{machine.device}",
            "model": row.size.name,
            ">tokens": short(row.tokens),
            ">tokens/s": short(row.tokens_per_second),
            "speed": machine.speed.basis,
            ">hours": "–" if no else _hours(row.hours).removesuffix(" h"),
            ">on demand": "–" if no else _usd(row.dollars),
            ">on spot": "–" if no or not machine.on_aws else _usd(row.spot_dollars),
            ">loss": "–" if no or row.loss is None else f"{row.loss:.2f}",
            ">at once": str(row.sequences or "no"),
        }

    def _notes(self) -> tuple[str, ...]:
        law, notes = self.question.law, []
        dates = [price.date for price in self._prices()]
        if dates:
            oldest, newest = ((self.today - date).days for date in (min(dates), max(dates)))
            age = counted(newest, "day") if oldest == newest else f"{newest} to {counted(oldest, 'day')}"
            old = ", too old to trust; tuppence plan --refresh gets new ones" if oldest > OLD_DAYS else ""
            notes.append(f"Prices of {min(dates)}{_until(dates)} in {self._region()}, {age} old{old}.")
        notes.extend(sorted({f"{row.machine.name}: {row.refused}." for row in self.rows if row.refused}))
        basis = ", ".join(f"{name} ± {error:.0%}" for name, error in ERRORS.items())
        notes.append(f"Hours rest on the speed: {basis}.")
        low, high = SPOT_SEEN
        if any(row.size.parameters < SMALL and row.machine.speed.basis != "measured" for row in self.rows):
            notes.append(f"Models below {short(SMALL)} parameters reach less of a GPU's speed than is assumed here.")
        if dates:
            notes.append(
                f"On spot: {SPOT_DISCOUNT:.0%} off assumed ({low:.0%} to {high:.0%} seen), one interruption in"
                f" {HOURS_BETWEEN_INTERRUPTIONS:g} h assumed."
            )
        notes.extend(f"Loss: {reason}." for reason in sorted({row.no_loss for row in self.rows if row.no_loss}))
        if any(row.loss is not None for row in self.rows):
            notes.append(f"Loss: nats a token ± {law.error:.2g} for {law.family}; {law.source}.")
        if self.question.budget_usd is not None and self.best is not None and self.best.loss is not None:
            flops = 6.0 * self.best.size.parameters * self.best.tokens
            parameters, tokens = law.best_size(flops)
            notes.append(f"The law's best size there has {short(parameters)} parameters, on {short(tokens)} tokens.")
        return tuple(notes)

    def _prices(self) -> list[Price]:
        return [row.machine.price for row in self.rows if row.machine.price is not None and row.machine.on_aws]

    def _region(self) -> str:
        return ", ".join(sorted({price.region for price in self._prices()}))


def _row_as_dict(row: Row, today: datetime.date) -> dict[str, Any]:
    machine = row.machine
    price = machine.price
    return {
        "where": machine.name,
        "device": machine.device,
        "devices": machine.devices,
        "model": row.size.name,
        "parameters": row.size.parameters,
        "tokens": row.tokens,
        "tokens_per_second": row.tokens_per_second,
        "speed": asdict(machine.speed),
        "price": None
        if price is None
        else {**asdict(price), "date": str(price.date), "age_days": price.age_days(today)},
        "fits": row.sequences > 0,
        "sequences_at_once": row.sequences,
        "memory_gib": row.memory_gib,
        "hours": row.hours,
        "hours_error": row.hours_error,
        "usd": row.dollars,
        "spot_hours": row.spot_hours,
        "spot_usd": row.spot_dollars,
        "lines": [asdict(line) for line in row.lines],
        "spot_lines": [asdict(line) for line in row.spot_lines],
        "loss": row.loss,
        "no_loss": row.no_loss,
        "refused": row.refused,
    }


def _until(dates: list[datetime.date]) -> str:
    return f" to {max(dates)}" if min(dates) != max(dates) else ""


def _usd(dollars: float) -> str:
    return f"${dollars:,.2f}"


def _hours(hours: float) -> str:
    return f"{hours:,.3g} h" if hours < 1000 else f"{hours:,.0f} h"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else _hours(seconds / 3600)
