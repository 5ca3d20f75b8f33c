"""Contenders that take turns: each lives in a process of its own, and the machine's moods fall on all alike.

A benchmark calls `take_turns` with the names of its contenders, and `serve` where it was started as one of them. A
contender is a function without arguments that makes one step. Used by training.py, lora.py and dpo.py.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Step = Callable[[], object]
Requests = Mapping[str, Callable[[], float]]


class Contender:
    """One contender in its own process, which waits between its turns."""

    def __init__(self, name: str) -> None:
        self.name = name
        words = [sys.executable, sys.argv[0], *sys.argv[1:], "--contender", name]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request: str) -> float:
        """What the contender answers: "warm", "steps N", "memory", or a request of the benchmark's own."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(request, file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            if line.startswith("answer "):
                return float(line.split()[1])
        raise SystemExit(f"{self.name} failed")

    def close(self) -> None:
        self.process.communicate("quit\n")


def take_turns(
    names: list[str], rounds: int, steps: int, make: Mapping[str, Callable[[str], Any]] | None = None
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """The median seconds of a step, for each contender and round; and the contenders, to be closed.

    Args:
        make: how to start those that are no process of the benchmark's own.
    """
    contenders = {name: (make or {}).get(name, Contender)(name) for name in names}
    for name, contender in contenders.items():
        print(f"{name}: warming up … ", end="", flush=True)
        print(f"{contender.ask('warm'):.0f} s", flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, contender in contenders.items():
            seconds[name].append(contender.ask(f"steps {steps}"))
    return seconds, contenders


def faster(seconds: Mapping[str, list[float]], ours: str, theirs: str) -> float:
    """How many times faster ours is: the median over the rounds of the ratio within a round."""
    return statistics.median(other / mine for other, mine in zip(seconds[theirs], seconds[ours], strict=True))


def serve(step: Step, requests: Requests | None = None) -> None:
    """Answers on stdout until "quit"; `requests` are the benchmark's own."""
    own = dict(requests or {})
    for line in sys.stdin:
        request, *rest = line.split()
        if request == "quit":
            return
        if request == "warm":
            answer = 3 * _timed(step, 3)
        elif request == "memory":
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB, on Linux
        elif request in own:
            answer = own[request]()
        else:
            answer = _timed(step, int(rest[0]))
        print(f"answer {answer}", flush=True)


def _timed(step: Step, times: int) -> float:
    """Mean seconds of a step until its work is done, on a GPU too, which is waited for once."""
    _wait_for_gpu()
    started = time.perf_counter()
    for _ in range(times):
        step()
    _wait_for_gpu()
    return (time.perf_counter() - started) / times


def _wait_for_gpu() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
