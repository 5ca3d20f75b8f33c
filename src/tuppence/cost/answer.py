"""`Plan`: the answer of `tuppence plan`, as a table, a sentence, JSON, and in a notebook."""

from __future__ import annotations

import datetime
import html
from dataclasses import asdict, dataclass
from typing import Any

from tuppence.core.console import counted
from tuppence.core.numbers import duration
from tuppence.core.table import WIDTH, Table
from tuppence.cost.estimate import BYTES_OF_A_CHECKPOINT, SPOT_DISCOUNT, SPOT_SEEN
from tuppence.cost.law import short
from tuppence.cost.plan import (
    ERRORS,
    HOURS_BETWEEN_INTERRUPTIONS,
    SECONDS_TO_KILL,
    SMALL,
    Question,
    Row,
    least_usd,
    most_hours_of,
    rhythm_of,
)
from tuppence.cost.rates import EC2_NEEDS, OLD_DAYS, Price

RIGHT = ("tokens", "tokens/s", "hours", "on demand", "on spot", "loss", "at once", "time")
OPTIONAL = ("at once", "devices", "tokens/s", "on spot", "speed")
"""Columns that a narrow terminal does not show."""
NO_DIFFERENCE = 0.02
"""Nats: the difference between seeds of one run of GPT-2, far below the error of a law."""
AS_MANY_OPERATIONS = 0.9
"""Share of the most operations that counts as equal to them: 10 % are about 0.02 nats at the sizes of GPT-2."""


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
        """The row that is recommended; None if no row can be used. `rule` says how it is chosen."""
        usable = self._usable
        if not usable:
            return None
        if not self._chooses_tokens:
            return min(usable, key=lambda row: (row.dollars, row.hours))
        if self._by_loss:
            losses = {row: row.loss for row in usable if row.loss is not None}
            near = [row for row, loss in losses.items() if loss <= min(losses.values()) + NO_DIFFERENCE]
            return min(near, key=lambda row: (_doubt(row), losses[row], row.hours))
        most = max(row.operations for row in usable)
        near = [row for row in usable if row.operations >= AS_MANY_OPERATIONS * most]
        return min(near, key=lambda row: (_doubt(row), -row.operations, row.hours))

    @property
    def rule(self) -> str:
        """How the recommended row is chosen, in one sentence."""
        if not self._chooses_tokens:
            return "Recommended: the lowest price on demand."
        then = "the one whose speed is better known (measured, published, assumed)"
        if self._by_loss:
            return f"Recommended: the lowest expected loss; among rows within {NO_DIFFERENCE:g} nats of it, {then}."
        return (
            "Recommended: the most computation (tokens times operations a token), because the law has no loss for it;"
            f" among rows within {1 - AS_MANY_OPERATIONS:.0%} of it, {then}."
        )

    @property
    def recommendation(self) -> str:
        """The answer in one sentence."""
        best = self.best
        if best is None:
            message, hint = self.refusal
            return f"{message[0].upper()}{message[1:]} ({hint})."
        what = f"{best.size.name} on {short(best.tokens)} tokens"
        budget, error = self.question.budget_usd, self.question.law.error
        loss = f", {best.no_loss}" if best.loss is None else f", expected loss {best.loss:.2f} ± {error:.2g}"
        paid = _usd(best.dollars) if best.dollars else "no rent"
        paid += f" on demand, about {_usd(best.spot_dollars)} on spot" if best.machine.on_aws else ""
        speed = f"{best.speed.basis}, at best" if best.at_best else best.speed.basis
        time = f"{duration(best.hours * 3600)} (speed {speed})"
        answer = f"{best.machine.name} in {time} for {paid}{loss}"
        if budget is not None and self._chooses_tokens:
            return f"The best that {_usd(budget)} buys is {what}: {answer}{self._passed_over(best)}."
        usable = [row for row in self._usable if row is not best]
        if not usable:
            return f"{what}: {answer}."
        fastest = min(usable, key=lambda row: row.hours)
        if fastest.hours >= best.hours:
            return f"{what} is cheapest and fastest on {answer}."
        faster = f"{fastest.machine.name} in {duration(fastest.hours * 3600)} for {_usd(fastest.dollars)}"
        return f"{what} is cheapest on {answer}; the fastest is {faster}."

    @property
    def refusal(self) -> tuple[str, str]:
        """Why no machine can do it, and what to do about it; only where `best` is None."""
        reasons = [row.refused or "" for row in self.rows]
        message = f"none of these machines can do it: {'; '.join(sorted({r.partition(':')[0] for r in reasons}))}"
        able = [row for row in self.rows if row.machine.refused is None]
        if any(reason.startswith("the budget ends") for reason in reasons):
            least = min(
                (least_usd(size, row.machine), row.machine.name) for row in able for size in self.question.models
            )
            return message, f"the first step costs {_usd(least[0] + 0.005)} on {least[1]}; give a larger budget"
        if any(reason.startswith("over the budget") for reason in reasons):
            least = min((row.dollars, row.machine.name) for row in able if row.sequences)
            return message, f"give at least {_usd(least[0] + 0.005)} ({least[1]}), fewer tokens or a smaller model"
        if any(reason.startswith("longer than") for reason in reasons):
            return message, "give fewer tokens or a smaller model, or --on a faster machine"
        if any(reason.startswith("one sequence") for reason in reasons):
            return message, "give a smaller model, or --on a machine with more memory a GPU"
        return message, "give other machines with --on, for example --on ml.g5.xlarge"

    @property
    def _usable(self) -> list[Row]:
        return [row for row in self.rows if row.refused is None]

    @property
    def _chooses_tokens(self) -> bool:
        """Whether the budget decides how much is trained, so that rows differ in what they buy."""
        return self.question.budget_usd is not None and self.question.tokens is None

    @property
    def _by_loss(self) -> bool:
        """Whether rows are compared by their losses.

        Rows without one have fewer operations, if the row with the most has one: they are below the law's range.
        """
        return max(self._usable, key=lambda row: row.operations).loss is not None

    def _passed_over(self, best: Row) -> str:
        """The row with the lowest loss, or the most computation, if the best one's speed is better known."""
        if self._by_loss:
            other = min((row for row in self._usable if row.loss is not None), key=lambda row: row.loss or 0.0)
            gain = f"a loss of {other.loss:.2f}"
        else:
            other = max(self._usable, key=lambda row: row.operations)
            gain = f"{other.operations / best.operations - 1:.0%} more computation"
        if other is best or _doubt(other) <= _doubt(best):
            return ""
        return f"; {other.machine.name} may reach {gain}, but its speed is {other.speed.basis}"

    def table(self) -> Table:
        """All machines. The model and its tokens are columns if they differ between rows."""
        cells = [self._cells(row) for row in self.rows]
        constant = {name for name in ("model", "tokens") if not self._differs(name)}
        names = [name for name in cells[0] if name not in constant]
        rows = [[row[name] for name in names] for row in cells]
        return Table(names, rows, title=self._title(), notes=self._notes(), right=RIGHT, optional=OPTIONAL)

    def lines(self) -> Table | None:
        """Where the dollars of the recommended row go; None if there is none."""
        best = self.best
        if best is None:
            return None
        on_demand = {line.name: _usd(line.dollars) for line in best.lines}
        rows = [
            [
                line.name,
                duration(line.seconds) if line.seconds else "",
                on_demand.get(line.name, ""),
                _usd(line.dollars),
                line.basis,
            ]
            for line in best.spot_lines
        ]
        rows.append(["total", duration(best.hours * 3600), _usd(best.dollars), _usd(best.spot_dollars), ""])
        title = f"{best.size.name} on {best.machine.name}"
        columns = ("for", "time", "on demand", "on spot", "what it rests on")
        table = Table(columns, rows, title=title, right=RIGHT, optional=("on spot",))
        return table if best.machine.on_aws else table.without("on spot")

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
            "rule": None if best is None else self.rule,
            "best": None if best is None else best.machine.name,
            "rows": [_row_as_dict(row, self.question, self.today) for row in self.rows],
        }

    def text(self, width: int = WIDTH) -> str:
        """Both tables and the sentence, as plain text. A narrow terminal does not show every column."""
        lines = self.lines()
        return "\n\n".join([self.table().text(width), *([lines.text(width)] if lines else []), self.recommendation])

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        lines = self.lines()
        sentence = f"<p>{html.escape(self.recommendation)}</p>"
        return "".join([self.table()._repr_html_(), lines._repr_html_() if lines else "", sentence])

    def _title(self) -> str:
        question, first = self.question, self.rows[0]
        model = "the best preset for each machine" if self._differs("model") else first.size.name
        tokens = "" if self._differs("tokens") else f" on {short(first.tokens)} tokens"
        if question.budget_usd is not None and self.best is None and len(question.models) > 1:
            return f"What {_usd(question.budget_usd)} buys"
        if question.budget_usd is not None:
            return f"What {_usd(question.budget_usd)} buys: {model}{tokens if first.tokens else ''}"
        return f"What it costs to train {model}{tokens}"

    def _differs(self, what: str) -> bool:
        values = {row.size.name if what == "model" else row.tokens for row in self.rows}
        return len(values) > 1

    def _cells(self, row: Row) -> dict[str, str]:
        machine, no = row.machine, row.refused is not None
        if no:
            shown = _facts_of_refused(row, self.question)
            model, tokens = shown["model"] or "–", short(shown["tokens"]) if shown["tokens"] else "–"
            rest = dict.fromkeys(("tokens/s", "speed", "hours", "on demand", "on spot", "loss", "at once"), "–")
            return {"where": machine.name, "devices": _devices(row), "model": model, "tokens": tokens, **rest}
        most = "≤" if row.at_best else ""
        # a budget fixes the dollars and the hours, and bounds the tokens; tokens bound both
        bought, least = (most, "") if self._chooses_tokens else ("", "≥" if row.at_best else "")
        return {
            "where": machine.name,
            "devices": _devices(row),
            "model": row.size.name,
            "tokens": bought + short(row.tokens),
            "tokens/s": most + short(row.tokens_per_second),
            "speed": row.speed.basis,
            "hours": least + (f"{row.hours:,.3g}" if row.hours < 1000 else f"{row.hours:,.0f}"),
            "on demand": least + _usd(row.dollars),
            "on spot": least + _usd(row.spot_dollars) if machine.on_aws else "–",
            "loss": "–" if row.loss is None else f"{row.loss:.2f}",
            "at once": str(row.sequences),
        }

    def _notes(self) -> tuple[str, ...]:
        law, notes = self.question.law, []
        dates = [price.date for price in self._prices()]
        if dates:
            oldest, newest = (max((self.today - date).days, 0) for date in (min(dates), max(dates)))
            age = counted(newest, "day") if oldest == newest else f"{newest} to {counted(oldest, 'day')}"
            old = ""
            if oldest > OLD_DAYS:
                ec2 = any(price.service == "EC2" for price in self._prices())
                old = f", too old to trust; tuppence plan --refresh gets new ones{EC2_NEEDS if ec2 else ''}"
            notes.append(f"Prices of {min(dates)}{_until(dates)} in {self._region()}, {age} old{old}.")
        notes.extend(sorted({f"{row.machine.name}: {row.refused}." for row in self.rows if row.refused}))
        if self._chooses_tokens:
            notes.extend(
                f"{row.machine.name}: a job of SageMaker ends after 28 days, before the budget is spent."
                for row in self._usable
                if row.hours > 0.99 * most_hours_of(row.machine)
            )
        basis = ", ".join(f"{name} ± {error:.0%}" for name, error in ERRORS.items())
        notes.append(f"Hours rest on the speed: {basis}.")
        low, high = SPOT_SEEN
        if any(row.at_best for row in self._usable):
            bounds = "tokens are the most" if self._chooses_tokens else "hours and dollars are the least"
            notes.append(
                f"Models below {short(SMALL)} parameters: nobody published their speed on these GPUs, and they reach"
                f" less than the larger models whose speed is assumed here; {bounds}."
            )
        notes.extend(dict.fromkeys(_late_save(row) for row in self._usable if not row.saves_in_time))
        if dates:
            notes.append(
                f"On spot: {SPOT_DISCOUNT:.0%} off assumed ({low:.0%} to {high:.0%} seen), one interruption in"
                f" {HOURS_BETWEEN_INTERRUPTIONS:g} h assumed."
            )
        notes.extend(f"Loss: {reason}." for reason in sorted({row.no_loss for row in self._usable if row.no_loss}))
        if any(row.loss is not None for row in self._usable):
            notes.append(f"Loss: nats a token ± {law.error:.2g} for {law.family}; {law.source}.")
        if self.question.budget_usd is not None and self.best is not None and self.best.loss is not None:
            flops = 6.0 * self.best.size.parameters * self.best.tokens
            parameters, tokens = law.best_size(flops)
            notes.append(f"The law's best size there has {short(parameters)} parameters, on {short(tokens)} tokens.")
        if len(self._usable) > 1:
            notes.append(self.rule)
        return tuple(notes)

    def _prices(self) -> list[Price]:
        return [row.machine.price for row in self.rows if row.machine.price is not None and row.machine.on_aws]

    def _region(self) -> str:
        return ", ".join(sorted({price.region for price in self._prices()}))


def _row_as_dict(row: Row, question: Question, today: datetime.date) -> dict[str, Any]:
    """A row for JSON; a refused one has no figures but those that were asked for."""
    machine, price = row.machine, row.machine.price
    shown = _facts_of_refused(row, question)
    facts = {
        "where": machine.name,
        "device": machine.device,
        "devices": machine.devices,
        **shown,
        "price": None
        if price is None
        else {**asdict(price), "date": str(price.date), "age_days": price.age_days(today)},
        "fits": row.sequences > 0,
        "refused": row.refused,
    }
    figures = {
        "model": row.size.name,
        "parameters": row.size.parameters,
        "tokens": row.tokens,
        "tokens_per_second": row.tokens_per_second,
        "speed": asdict(row.speed),
        "sequences_at_once": row.sequences,
        "memory_gib": row.memory_gib,
        "hours": row.hours,
        "hours_error": row.hours_error,
        "at_best": row.at_best,
        "operations": row.operations,
        "usd": row.dollars,
        "spot_hours": row.spot_hours,
        "spot_usd": row.spot_dollars,
        "lines": [asdict(line) for line in row.lines],
        "spot_lines": [asdict(line) for line in row.spot_lines],
        "save_seconds": row.save_seconds,
        "saves_in_time": row.saves_in_time,
        "loss": row.loss,
        "no_loss": row.no_loss,
    }
    return facts | (figures if row.refused is None else dict.fromkeys(figures.keys() - shown.keys()))


def _facts_of_refused(row: Row, question: Question) -> dict[str, Any]:
    """What a refused row says about its run: what was asked, and no model or tokens that a budget would have chosen."""
    one = len(question.models) == 1
    return {
        "model": row.size.name if one else None,
        "parameters": row.size.parameters if one else None,
        "tokens": row.tokens if question.tokens is not None or question.budget_usd is None else None,
    }


def _doubt(row: Row) -> float:
    """How little the speed is known: the error of its basis, and more where that is a bound."""
    return 1.0 if row.at_best else ERRORS[row.speed.basis]


def _late_save(row: Row) -> str:
    gigabytes = BYTES_OF_A_CHECKPOINT * row.size.parameters / 1e9
    rate = f"{row.machine.saved_bytes_a_second / 1e6:.3g} MB/s ({row.machine.saves_are})"
    minutes = rhythm_of(row.size).checkpoint_seconds / 60
    return (
        f"A checkpoint of {row.size.name} has {gigabytes:.1f} GB: saving it takes {row.save_seconds:.0f} s at {rate},"
        f" longer than the {SECONDS_TO_KILL:.0f} s between SIGTERM and SIGKILL. An interruption loses the work since"
        f" the last checkpoint by the clock, up to {minutes:g} minutes."
    )


def _devices(row: Row) -> str:
    return f"{row.machine.devices}×{row.machine.device}"


def _until(dates: list[datetime.date]) -> str:
    return f" to {max(dates)}" if min(dates) != max(dates) else ""


def _usd(dollars: float) -> str:
    return f"${dollars:,.2f}"
