"""The limits of a run: steps, minutes or dollars, whichever comes first. The budget is never exceeded.

A run must stop *before* its limit, early enough to save and to write its result. `reserve` is the time for that; the
loop measures it while the run goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuppence.core.console import counted
from tuppence.core.errors import InputError

MARGIN_SECONDS = 2.0


@dataclass(frozen=True)
class Limits:
    """The limits of a run; None means no limit.

    Attributes:
        max_steps: optimizer steps.
        max_seconds: wall time of the run over all attempts, evaluation and saving included.
        budget_usd: dollars of all attempts.
        rate_usd_per_hour: the price of wall time.

    Raises:
        InputError: a limit is not positive, or there is a budget without a rate.
    """

    max_steps: int | None = None
    max_seconds: float | None = None
    budget_usd: float | None = None
    rate_usd_per_hour: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (
            ("steps", self.max_steps),
            ("minutes", self.max_seconds),
            ("budget", self.budget_usd),
        ):
            if value is not None and not value > 0:
                raise InputError(f"the limit of {name} must be above zero, it is {value}", "give a larger one")
        if not 0 <= self.rate_usd_per_hour < float("inf"):
            raise InputError(f"a rate of {self.rate_usd_per_hour} dollars an hour makes no sense", "give --rate USD")
        if self.budget_usd is not None and self.rate_usd_per_hour == 0:
            raise InputError(
                "--budget needs the price of an hour of this machine",
                "add --rate USD_PER_HOUR, or an instance type: --rate ml.g4dn.xlarge",
            )

    @property
    def timed(self) -> bool:
        """Whether time or money ends the run."""
        return self.max_seconds is not None or self.budget_usd is not None

    def seconds_left(self, *, elapsed: float, spent: float) -> float:
        """Wall seconds until the time limit or the dollar limit, whichever comes first; infinity without either.

        Args:
            elapsed: wall seconds that the run has used, all attempts together.
            spent: dollars that the run has used.
        """
        left = float("inf")
        if self.max_seconds is not None:
            left = min(left, self.max_seconds - elapsed)
        if self.budget_usd is not None:
            left = min(left, (self.budget_usd - spent) / self.rate_usd_per_hour * 3600)
        return left

    def reached(self, *, step: int, elapsed: float, spent: float, reserve: float, restart: float = 0.0) -> str | None:
        """Why the run must end now, or None.

        Args:
            step: optimizer steps done.
            reserve: seconds that one more step, the last save and the result would take.
            restart: seconds that another attempt needs to start up and write the result; only the budget reserves them.
        """
        if self.max_steps is not None and step > self.max_steps:
            return f"was past its limit of {counted(self.max_steps, 'step')}"
        if self.max_steps is not None and step == self.max_steps:
            return f"reached its limit of {counted(self.max_steps, 'step')}"
        if self.max_seconds is not None and elapsed + reserve + MARGIN_SECONDS >= self.max_seconds:
            return f"reached its limit of {self.max_seconds / 60:g} minutes"
        if self.budget_usd is not None:
            ahead = (reserve + restart + MARGIN_SECONDS) / 3600 * self.rate_usd_per_hour
            if spent + ahead >= self.budget_usd:
                return f"reached its budget of ${describe_dollars(self.budget_usd)}"
        return None

    def progress(
        self,
        *,
        step: int,
        elapsed: float,
        spent: float,
        reserve: float,
        restart: float = 0.0,
        step_seconds: float | None = None,
    ) -> float:
        """The share of the run that is done, 0 to 1, by the limit that comes first.

        If the steps come first this is step / max_steps: a pure function of the step, which exact resume needs.

        Args:
            step, elapsed, spent, reserve, restart: as in `reached`.
            step_seconds: expected time of a step with its share of evaluations and saves; 0 before the first one. The
                other limits are ignored while they leave time for all steps. None: they always count.
        """
        if self.max_steps is not None and step_seconds is not None:
            left = self.seconds_left(elapsed=elapsed, spent=spent) - reserve - restart - MARGIN_SECONDS
            if (self.max_steps - step) * step_seconds < left:
                return min(step / self.max_steps, 1.0)
        done = [0.0]
        if self.max_steps is not None:
            done.append(step / self.max_steps)
        if self.max_seconds is not None:
            done.append(elapsed / max(self.max_seconds - reserve - MARGIN_SECONDS, 1e-9))
        if self.budget_usd is not None:
            ahead = (reserve + restart + MARGIN_SECONDS) / 3600 * self.rate_usd_per_hour
            done.append(spent / max(self.budget_usd - ahead, 1e-12))
        return min(max(done), 1.0)


def describe_dollars(dollars: float) -> str:
    """Dollars in whole cents if that is exact, else with six significant digits, so that $0.002 is not shown as $0.00.

    Example:
        >>> describe_dollars(1250.0), describe_dollars(0.002)
        ('1,250.00', '0.002')
    """
    return f"{dollars:,.2f}" if round(dollars, 2) == dollars else f"{dollars:,.6g}"
