"""Opens the ledger of an attempt, with the run folder claimed and the budget guarded.

The command line does so before torch is imported, because that time costs money too; a call from Python does so in
`session`. This module must not import torch.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tuppence.core.console import one_line
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.cost.billing import billing_here
from tuppence.cost.ledger import EXIT_SECONDS, GUARD_SECONDS, Ledger, Rate, read_attempts
from tuppence.cost.limits import Limits, describe_dollars
from tuppence.storage import mirror_of

BUDGET_SPENT = "reached its budget"
SHORTEST_STARTUP_SECONDS = 2.0
"""Start-up time as long as none was measured: to import torch alone takes as long."""
REMOTE_EXIT_SECONDS = 1.0
"""Time to copy the last lines of the ledger and the run file to a remote run, after the ledger has ended."""
FREE_SECONDS = 5.0
"""If a first attempt fails within this time, its folder and its ledger are removed."""


@contextlib.contextmanager
def open_ledger(
    run: Run, rate: Rate, budget_usd: float | None, *, began: float | None = None, whole_process: bool = False
) -> Iterator[Ledger]:
    """Opens the ledger of a new attempt; it counts until the block ends.

    If no run was started in the block, the folder is removed, if it was created here.

    Args:
        rate, budget_usd: the cost of an hour, and the limit on the cost of all attempts together.
        began: start of the attempt in seconds of `time.monotonic`; now, by default. In a cloud job, the attempt begins
            when the machine's billing does.
        whole_process: whether the process only executes this run. A guard then ends the process at the budget. A
            notebook's kernel must not be ended; there only the deadline of the run keeps the budget.

    Raises:
        InputError: the folder holds something else, another process works in it, or the limits make no sense.
    """
    Limits(budget_usd=budget_usd, rate_usd_per_hour=rate.rate_usd_per_hour)
    made = _missing_folders(run.path)
    run.create()
    release: Callable[[], None] | None = None
    ledger: Ledger | None = None
    try:
        release = run.claim()
        exit_seconds = EXIT_SECONDS if whole_process else 0.0
        if mirror_of(run.path) is not None:
            exit_seconds += REMOTE_EXIT_SECONDS
        guarded = whole_process and budget_usd is not None
        billing = billing_here()
        ledger = Ledger(
            run.ledger_file,
            rate,
            budget_usd,
            began=began if billing is None else billing.began(),
            exit_seconds=exit_seconds,
            guarded=guarded,
            billing=billing,
        )
        with ledger.watching((lambda: _end_at_budget(run.path, ledger)) if guarded else None):
            try:
                yield ledger
            except BaseException as error:
                with contextlib.suppress(Exception):  # a full disk must not hide what went wrong
                    ledger.end(ledger.reason or f"{type(error).__name__}: {error}")
                raise
            ledger.end()
    finally:
        if release is not None:
            release()
        cheap = ledger is None or budget_usd is None or ledger.seconds() < FREE_SECONDS
        if made and not run.exists() and cheap:
            _remove_folders(run, made)


def budget_refusal(run: Run, rate: Rate, budget_usd: float | None, *, whole_process: bool = False) -> str | None:
    """The reason why the budget is too small for another attempt; None if it is not.

    An attempt must at least start up, save and write its result. Earlier attempts have measured that time.

    Args:
        whole_process: as in `open_ledger`.

    Raises:
        InputError: the budget is too small for a first attempt.
    """
    if budget_usd is None or not rate.rate_usd_per_hour:
        return None
    attempts = read_attempts(run.ledger_file)
    spent = sum(attempt.dollars for attempt in attempts)
    startup = next((each.startup_seconds for each in reversed(attempts) if each.startup_seconds), 0.0)
    finish = next((each.finish_seconds for each in reversed(attempts) if each.finish_seconds), 0.0)
    startup, billing = startup or SHORTEST_STARTUP_SECONDS, billing_here()
    needed = startup + finish + EXIT_SECONDS + GUARD_SECONDS
    if billing is not None:  # what is billed already, before this machine's first line
        lead = time.monotonic() - billing.began()
        needed += max(lead + SHORTEST_STARTUP_SECONDS - startup, 0.0) + billing.tail_seconds
    least = spent + needed / 3600 * rate.rate_usd_per_hour
    if least < budget_usd:
        return None
    larger = f"a --budget of ${describe_dollars((math.floor(least * 100) + 1) / 100)} or more"  # the next cent
    if not attempts and not whole_process:  # in a notebook everything is imported already
        return None
    if not attempts:
        raise InputError(
            f"a budget of ${describe_dollars(budget_usd)} is too little to start and to end a run at "
            f"${rate.rate_usd_per_hour:g} an hour",
            f"give {larger}",
        )
    return (
        f"{run.path} has spent ${describe_dollars(spent)} of its budget of ${describe_dollars(budget_usd)}; "
        f"too little is left to start and to save again. {_what_is_saved(run)}; {larger} continues from there"
    )


def charge_refused(run: Run, rate: Rate) -> None:
    """Charges what a cloud job was billed for before its budget was found to be too small; free outside a job."""
    billing = billing_here()
    if billing is not None:
        began = billing.began()
        ledger = Ledger(run.ledger_file, rate, began=began, exit_seconds=EXIT_SECONDS, billing=billing)
        ledger.end("too little of its budget was left")


def done_without_budget(run: Run, *, max_steps: int | None, max_minutes: float | None, budget_usd: float) -> str | None:
    """The message for a run that another limit than the budget has ended, if its command is given again; else None.

    The caller has found that the budget is too small for another attempt. Steps that a recipe asks for are not known
    before the recipe is read; therefore the message says that the budget allows no more.

    Args:
        max_steps, max_minutes, budget_usd: the limits of the command.
    """
    content = run.read_tolerantly([])
    limits, because = content.get("limits") or {}, str(content.get("ended_because"))
    if content.get("status") != "done" or not run.has_model() or because.startswith(BUDGET_SPENT):
        return None
    same_steps = max_steps is None or max_steps == limits.get("max_steps")
    if not same_steps or max_minutes != limits.get("max_minutes") or budget_usd != limits.get("budget_usd"):
        return None
    return f"{run.path} is done already: it {because}; its budget leaves too little for more steps"


def settle_run_file(run: Run) -> dict[str, Any]:
    """Returns run.yaml of a run that no process trains. If the last attempt was killed, records it as stopped."""
    if not run.exists():
        return {}
    if run.read().get("status") == "running":
        attempts = read_attempts(run.ledger_file)
        reason = attempts[-1].reason if attempts else None
        run.update(status="stopped", ended_because=reason or "was killed")
    return run.read()


def summary_of(run_file: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the run file that a training verb returns."""
    return {key: run_file.get(key) for key in ("status", "ended_because", "result")}


def _what_is_saved(run: Run) -> str:
    steps = sorted(path.name for path in run.checkpoints.glob("step-*")) if run.checkpoints.is_dir() else []
    newest = f"The newest checkpoint is {run.checkpoints / steps[-1]}" if steps else "There is no checkpoint"
    return newest if run.has_model() else f"There is no model yet. {newest}"


def _end_at_budget(place: Path, ledger: Ledger) -> None:
    """Ends the process at the budget, because the planned ending took longer than measured before."""
    reason = f"{BUDGET_SPENT} of ${describe_dollars(ledger.budget_usd or 0.0)} while {ledger.doing}"

    def tell() -> None:
        with contextlib.suppress(Exception):
            ledger.end(reason, sync=False)
        with contextlib.suppress(OSError):
            message = f"{one_line(str(place))}: {reason}; the process ends here. What was saved before is intact; "
            os.write(2, f"{message}a larger --budget continues the run\n".encode(errors="backslashreplace"))

    telling = threading.Thread(target=tell, daemon=True)  # a slow disk or terminal must not delay the exit
    telling.start()
    telling.join(max(0.1, ledger.seconds_to_budget() - 0.2))
    os._exit(0)


def _missing_folders(path: Path) -> list[Path]:
    """The folders among `path` and its parents that do not exist, innermost first."""
    missing = []
    for folder in (path, *path.parents):
        if folder.exists():
            break
        missing.append(folder)
    return missing


def _remove_folders(run: Run, made: list[Path]) -> None:
    with contextlib.suppress(OSError):
        run.ledger_file.unlink(missing_ok=True)
        for folder in made:
            folder.rmdir()
