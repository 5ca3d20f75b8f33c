"""Lives of one capped run in simulated time: the real command line, killed and started again, on a slow disk.

Each life is a forked process that runs `tuppence.cli.main`. Time stands still but for what the simulation adds: for a
training step, for each byte that is flushed to the disk, for starting up and for exiting. The ledger's thread is
replaced by calls whenever time goes on, an interval timer by a simulated one, and SIGKILL by `os._exit` in the middle
of whatever is going on.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tuppence.tasks.pretrain  # noqa: F401  before the forks: each life then starts at once

KILLED = 137
_SLICE_SECONDS = 0.25


@dataclass(frozen=True)
class World:
    """What the machine of a scenario is like.

    Attributes:
        bytes_per_second: of the disk.
        step_seconds: of a training step.
        startup_seconds: from the start of the process to the first look at the run.
        exit_seconds: from the last line of the program to the end of the process.
        slow_share: how often a step or a write takes `slow_factor` times as long.
    """

    bytes_per_second: float
    step_seconds: float
    startup_seconds: float
    exit_seconds: float = 0.5
    slow_share: float = 0.02
    slow_factor: float = 5.0


@dataclass
class Life:
    """One simulated process: its clock, its death, and what it watches."""

    world: World
    chance: random.Random
    kill_at: float
    now: float = 0.0
    watched: list[tuple[Any, Callable[[], None] | None]] = field(default_factory=list)
    alarm: float = float("inf")

    def pass_time(self, seconds: float) -> None:
        """Lets time go on in small slices, and does what threads, timers and the killer would do meanwhile."""
        while seconds > 0:
            part = min(seconds, _SLICE_SECONDS)
            seconds -= part
            self.now += part
            if self.now >= self.kill_at:
                self.leave(KILLED)
            for ledger, at_budget in list(self.watched):
                if at_budget is not None and not ledger.ended and ledger._seconds_to_guard() <= 0:
                    at_budget()
                ledger.tick()
            if self.now >= self.alarm:
                self.alarm = float("inf")
                handler = signal.getsignal(signal.SIGALRM)
                if callable(handler):
                    handler(signal.SIGALRM, None)

    def work(self, seconds: float) -> None:
        """Something that now and then takes longer than expected."""
        slow = self.chance.random() < self.world.slow_share
        self.pass_time(seconds * self.chance.uniform(0.8, 1.3) * (self.world.slow_factor if slow else 1.0))

    def leave(self, code: int) -> None:
        """Ends the process here and now, and tells the parent what time it was."""
        os.write(self.pipe, f"{code} {self.now}".encode())
        _exit(code)

    pipe: int = -1


_exit = os._exit


def live(arguments: list[str], world: World, chance: random.Random, kill_at: float) -> tuple[int, float]:
    """Runs one command line as a simulated process.

    Returns:
        Its exit code, `KILLED` for a kill, and its wall seconds.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        one = Life(world, chance, kill_at, pipe=write_end)
        try:
            one.leave(_run(arguments, one))
        finally:
            _exit(99)
    os.close(write_end)
    told = os.read(read_end, 100).decode()
    os.close(read_end)
    os.waitpid(child, 0)
    code, _, seconds = told.partition(" ")
    return (int(code), float(seconds)) if told else (99, 0.0)


def _run(arguments: list[str], life: Life) -> int:
    _simulate(life)
    from tuppence.cli import main

    code: Any = 0
    try:
        main(arguments)
    except SystemExit as ended:
        code = ended.code
    life.pass_time(life.world.exit_seconds)
    return int(code or 0)


def _simulate(life: Life) -> None:
    """Puts simulated time, disk, timers and exits into this process."""
    import tuppence.tasks.attempt as attempt
    from tuppence import cli
    from tuppence.cli.command import Command
    from tuppence.cost.ledger import Ledger
    from tuppence.model.gpt import GPT
    from tuppence.tasks import recipe

    time.monotonic = lambda: life.now  # type: ignore[assignment]
    os._exit = lambda code: life.leave(code)  # type: ignore[assignment,return-value]
    cli.exit_process = sys.exit  # type: ignore[assignment]  # the exit functions are those of the tests' process
    signal.setitimer = lambda which, seconds, *_: setattr(  # type: ignore[assignment,return-value]
        life, "alarm", life.now + seconds if seconds else float("inf")
    )
    life.pass_time(0.4)  # the interpreter

    Command.now = staticmethod(lambda **_: Command(0.0, True))  # type: ignore[assignment,method-assign]

    fsync, load_recipe, loss = os.fsync, recipe.load_recipe, GPT.loss

    def slow_fsync(descriptor: int) -> None:
        life.work(os.fstat(descriptor).st_size / life.world.bytes_per_second)
        fsync(descriptor)

    def slow_start(*given: Any, **more: Any) -> Any:
        life.work(life.world.startup_seconds)
        return load_recipe(*given, **more)

    def slow_loss(self: Any, *batch: Any) -> Any:
        life.work(life.world.step_seconds if self.training else life.world.step_seconds / 3)
        return loss(self, *batch)

    os.fsync, recipe.load_recipe, GPT.loss = slow_fsync, slow_start, slow_loss  # type: ignore[assignment,method-assign]

    @contextlib.contextmanager
    def watching(self: Ledger, at_budget: Callable[[], None] | None = None) -> Iterator[None]:
        life.watched.append((self, at_budget))
        try:
            yield
        finally:
            life.watched.clear()

    def ledger(*given: Any, **more: Any) -> Ledger:
        return Ledger(*given, **{**more, "clock": lambda: life.now})

    Ledger.watching = watching  # type: ignore[method-assign]
    attempt.Ledger = ledger  # type: ignore[assignment,misc]


@dataclass
class History:
    """What became of a run over all its lives."""

    lives: int = 0
    kills: int = 0
    refusals: int = 0
    seconds: float = 0.0
    codes: list[int] = field(default_factory=list)


def live_on(
    arguments: list[str],
    run: Path,
    world: World,
    chance: random.Random,
    *,
    mean_life: float,
    lives: int,
    after_each: Callable[[History], None],
) -> History:
    """Starts the command again and again, each time killed at a random moment, until it is refused or done twice.

    Args:
        mean_life: seconds until a kill, on average.
        after_each: looks at the run between two lives.
    """
    history = History()
    while history.lives < lives and history.refusals < 2:
        attempts = _attempts(run)
        code, seconds = live(arguments, world, random.Random(chance.random()), chance.expovariate(1 / mean_life))
        history.lives += 1
        history.codes.append(code)
        history.kills += code == KILLED
        if _attempts(run) == attempts:  # refused, or killed before the interpreter ran its first line
            history.refusals += code == 0
            assert seconds < 2.0
        else:
            history.seconds += seconds
        after_each(history)
    return history


def _attempts(run: Path) -> int:
    log = run / "ledger.jsonl"
    return log.read_bytes().count(b'"event": "start"') if log.exists() else 0
