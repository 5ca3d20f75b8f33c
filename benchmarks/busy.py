"""What a machine that others use costs: speed alone, beside a second command, and beside busy loops, by OpenMP setting.

    python benchmarks/busy.py [SETTING ...] [--rounds 5] [--seconds 1.5]

A SETTING is a list of environment variables such as `GOMP_SPINCOUNT=1000` or `OMP_NUM_THREADS=1,GOMP_SPINCOUNT=0`;
`default` sets none, and `tuppence` is what training and generation do themselves (`core.threads`). Every worker is a
process of its own that repeats one step: `train` a step of the quickstart's model (8 × 256 tokens), `tiny` one of the
13.9M model, `generate` 32 tokens of the 13.9M model, batch 1. In a round, every setting is measured for `--seconds` in
each of the situations below, so that all settings see the same machine; `--settle` seconds go before, in which
`tuppence` notices the load.

What is printed: the median over the rounds of speed over the `default` setting's speed alone in the same round. Two
commands on the same cores have their fair share where each keeps 0.5, and a command beside two busy loops on two cores
where it keeps 0.5 (two threads of four).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

SIZES = {"train": ("nano", 8), "tiny": ("tiny", 8)}
SITUATIONS = [  # the workers that run at once; "loop" is a process that only counts
    ("train",),
    ("tiny",),
    ("generate",),
    ("train", "train"),
    ("generate", "generate"),
    ("train", "generate"),
    ("train", "loop", "loop"),
    ("generate", "loop", "loop"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", default=["default", "tuppence"], metavar="SETTING")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--settle", type=float, default=2.5, help="seconds of steps before those that are timed")
    parser.add_argument("--minutes", type=float, default=9.0, help="no round begins later")
    parser.add_argument("--only", nargs="+", metavar="SITUATION", help="as train, train+train, generate+loop+loop")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(build(options.worker))
        return
    settings = list(dict.fromkeys(["default", *options.settings]))
    situations = [tuple(only.split("+")) for only in options.only or []] or SITUATIONS
    missing = {(name,) for situation in situations for name in situation if name != "loop"} - set(situations)
    situations = [*sorted(missing), *situations]  # alone first: the others are shares of it
    started = time.monotonic()
    workers = {
        (setting, name, number): Worker(setting, name)
        for setting in settings
        for name in ("train", "tiny", "generate")
        for number in range(max(situation.count(name) for situation in situations))
    }
    for worker in workers.values():
        worker.ask("0 0")  # the first step is slower: it is not counted
    print(f"{len(workers)} workers are ready after {time.monotonic() - started:.0f} s", flush=True)
    alone: dict[str, list[float]] = {}
    kept: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(options.rounds):
        if time.monotonic() - started > 60 * options.minutes:
            break
        for situation in situations:
            for setting in settings:
                speeds = measure([setting] * len(situation), situation, workers, f"{options.settle} {options.seconds}")
                if len(situation) == 1 and setting == "default":
                    alone.setdefault(situation[0], []).append(speeds[0])
                shares = [speed / alone[name][-1] for speed, name in zip(speeds, situation, strict=False)]
                kept.setdefault(("+".join(situation), setting), []).append(shares)
    for worker in workers.values():
        worker.close()
    report(kept, alone)


def measure(
    settings: Sequence[str], situation: Sequence[str], workers: dict[tuple[str, str, int], Worker], seconds: str
) -> list[float]:
    """Steps a second of each worker of the situation, all at once; loops have none."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for name in situation if name == "loop"]
    used: list[Worker] = []
    for setting, name in zip(settings, situation, strict=True):
        if name != "loop":
            number = sum(worker is workers[setting, name, 0] for worker in used)
            used.append(workers[setting, name, number])
    try:
        for worker in used:
            worker.start(seconds)
        return [worker.answer() for worker in used]
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def report(kept: dict[tuple[str, str], list[list[float]]], alone: dict[str, list[float]]) -> None:
    for name, speeds in alone.items():
        low, high = min(speeds), max(speeds)
        print(f"{name} alone, default: {statistics.median(speeds):.2f} steps a second ({low:.2f} to {high:.2f})")
    print(f"\n{'situation':24}{'setting':44}{'share of the default alone':30}range")
    for (situation, setting), rounds in kept.items():
        columns = list(zip(*rounds, strict=True))
        medians = " ".join(f"{statistics.median(column):9.2f}" for column in columns)
        ranges = ", ".join(f"{min(column):.2f} to {max(column):.2f}" for column in columns)
        print(f"{situation:24}{setting:44}{medians:30}{ranges}")


class Worker:
    """A process that repeats one step under one setting, when asked to."""

    def __init__(self, setting: str, name: str) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
        if setting == "tuppence":
            environment["BUSY_TUPPENCE"] = "1"
        elif setting != "default":
            environment |= dict(pair.split("=", 1) for pair in setting.split(","))
        words = [sys.executable, sys.argv[0], "--worker", name]
        self.process = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, seconds: str) -> None:
        """Begins to repeat the step: for the first number of seconds untimed, for the second timed, at least once."""
        assert self.process.stdin is not None
        print(seconds, file=self.process.stdin, flush=True)

    def answer(self) -> float:
        """Steps a second."""
        assert self.process.stdout is not None
        return float(self.process.stdout.readline())

    def ask(self, seconds: str) -> float:
        """`start` and `answer`."""
        self.start(seconds)
        return self.answer()

    def close(self) -> None:
        self.process.communicate()


def serve(step: Callable[[], object]) -> None:
    """Answers every two numbers of seconds on stdin with the steps a second made in the latter."""
    step()
    for line in sys.stdin:
        settling, timed = map(float, line.split())
        begun = time.perf_counter()
        while time.perf_counter() - begun < settling:
            step()
        begun, steps = time.perf_counter(), 0
        while steps == 0 or time.perf_counter() - begun < timed:
            step()
            steps += 1
        print(steps / (time.perf_counter() - begun), flush=True)


def build(name: str) -> Callable[[], object]:
    """The step of a worker."""
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory()
    import torch

    from tuppence.core.threads import share_cores
    from tuppence.model.config import PRESETS
    from tuppence.model.generate import generate
    from tuppence.model.gpt import GPT
    from tuppence.model.sampling import Sampling

    if os.environ.get("BUSY_TUPPENCE"):
        share_cores()
    torch.manual_seed(0)
    if name == "generate":
        writer = GPT(PRESETS["tiny"]).eval()
        return lambda: generate(writer, [[1, 2, 3]], Sampling(max_tokens=32, temperature=0.0))

    from tuppence.core.environment import choose_precision
    from tuppence.model.precision import autocast
    from tuppence.training.config import TrainConfig
    from tuppence.training.optim import Optimizers

    preset, batch = SIZES[name]
    config = PRESETS[preset]
    model, precision = GPT(config), choose_precision("cpu").name
    optimizers = Optimizers(model.named_parameters(), TrainConfig(optimizer="muon"), "cpu")
    tokens = torch.randint(0, config.vocab_size, (batch, config.context_length + 1))
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def step() -> None:
        with autocast("cpu", precision):
            loss = model.loss(inputs, targets) / targets.numel()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(optimizers.parameters(), 1.0)
        optimizers.step()
        optimizers.zero_grad()

    return step


if __name__ == "__main__":
    main()
