"""Does a run take as long as `tuppence plan --measure` says, and a step as much memory as is counted?

    python benchmarks/plan.py                         predicted and measured time of three models, three rounds
    python benchmarks/plan.py --models nano --rounds 5
    python benchmarks/plan.py --memory                counted and measured peaks

Time: before and after each run of the real command line, this machine is measured as `--measure` does (some steps, one
evaluation, one checkpoint), and the mean of both predictions is compared with the wall time of the whole process: its
start, steps, evaluations, samples, checkpoints and the model at the end. The models take turns, so that a busy minute
meets all of them, and the result is the median of the rounds.

On a machine that others use, the measurements see other speeds than the run. So the last column compares processor
time: that of the run with the predicted time times the share of a processor that the measurements had. The exit code is
1 if the median of a model is more than 15 % off, by processor time: the error that a plan states for a measured speed.

Memory: a process of its own makes two steps; its peak of resident memory, less what was resident before the model was
made, is compared with `cost.memory`. Linux only.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tuppence.core.memory import keep_freed_memory
from tuppence.model.config import PRESETS, ModelConfig

MODELS = {"nano": ("nano", {}), "wide": ("nano", {"d_model": 256}), "tiny": ("tiny", {})}
"""Name → preset, and the sizes that differ."""
STEPS = [("nano", 32, "bf16"), ("nano", 32, "float32"), ("tiny", 16, "bf16"), ("tiny", 8, "float32")]
STEPS += [("small", 8, "bf16"), ("small", 4, "float32")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3, help="runs of each model")
    parser.add_argument("--seconds", type=float, default=15.0, help="about how long the steps of each run take")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        name, sequences, precision = options.step
        print(peak_of_two_steps(name, int(sequences), precision))
    elif options.memory:
        compare_memory()
    else:
        keep_freed_memory()  # as the command line does, before torch is imported
        with tempfile.TemporaryDirectory() as scratch:
            if not compare_times(options.models, options.rounds, options.seconds, Path(scratch)):
                sys.exit(1)


def compare_times(models: list[str], rounds: int, seconds: float, scratch: Path) -> bool:
    """Prints a line for each run and the medians; returns whether these are within the stated error."""
    from tuppence.cost.plan import ERRORS, rhythm_of
    from tuppence.tasks.planning import size_of

    data = prepared(scratch)
    steps: dict[str, int] = {}
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    print(
        f"{'model':7}{'steps':>7}{'predicted s':>13}{'measured s':>12}{'ratio':>8}{'of processor time':>20}", flush=True
    )
    for number in range(rounds):
        for name in models:
            step_tokens = rhythm_of(size_of(config_of(name))).step_tokens
            if name not in steps:
                steps[name] = max(10, int(seconds * predicted(name, 1e6)[1] / step_tokens))
            before, _, shared_before = predicted(name, steps[name] * step_tokens)
            measured, busy = run_seconds(name, data, scratch / f"{name}-{number}", steps[name])
            after, _, shared_after = predicted(name, steps[name] * step_tokens)
            expected, share = (before + after) / 2, (before * shared_before + after * shared_after) / (before + after)
            ratios[name].append((measured / expected, busy / (expected * share)))
            by_clock, by_processor = ratios[name][-1]
            row = f"{name:7}{steps[name]:7}{expected:13.1f}{measured:12.1f}{by_clock:8.2f}{by_processor:20.2f}"
            print(row, flush=True)
    good = True
    for name in models:
        by_clock, by_processor = (statistics.median(column) for column in zip(*ratios[name], strict=True))
        within = abs(by_processor - 1) <= ERRORS["measured"]
        good = good and within
        verdict = f"  {'within' if within else 'NOT within'} {ERRORS['measured']:.0%}"
        print(f"{name:7}{'median':>7}{'':25}{by_clock:8.2f}{by_processor:20.2f}{verdict}", flush=True)
    return good


def config_of(name: str) -> ModelConfig:
    preset, sizes = MODELS[name]
    return PRESETS[preset].model_copy(update=sizes)


def predicted(name: str, tokens: float) -> tuple[float, float, float]:
    """Seconds of a run as a plan has them, tokens a second, and the processor time of a second of the measurement."""
    from tuppence.cost.plan import row_of
    from tuppence.tasks.measuring import import_seconds, this_machine
    from tuppence.tasks.planning import size_of

    config = config_of(name)
    import_seconds.cache_clear()
    started, busy = time.perf_counter(), time.process_time() + child_seconds()
    machine = this_machine(config, tokens, seconds=6.0)
    share = (time.process_time() + child_seconds() - busy) / (time.perf_counter() - started)
    row = row_of(size_of(config), tokens, machine)
    return row.hours * 3600, row.tokens_per_second, share


def run_seconds(name: str, data: Path, out: Path, steps: int) -> tuple[float, float]:
    """Seconds of `tuppence pretrain` from its start to its exit: by the clock, and of the processors."""
    preset, sizes = MODELS[name]
    settings = {"preset": preset, "vocab_size": config_of(name).vocab_size, **sizes}
    words = [word for key, value in settings.items() for word in ("--set", f"model.{key}={value}")]
    started, busy = time.monotonic(), child_seconds()
    tuppence("pretrain", "--data", data, "--out", out, "--config", "tiny", "--max-steps", steps, *words)
    return time.monotonic() - started, child_seconds() - busy


def child_seconds() -> float:
    """Processor time of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def prepared(scratch: Path) -> Path:
    """Shards of made-up stories; the models have larger vocabularies than their tokenizer."""
    text = scratch / "stories.txt"
    tuppence("data", "synth", "stories", "--out", text, "--count", 3000)
    tuppence("tokenizer", "train", text, "--vocab-size", 512, "--out", scratch / "tokenizer")
    tuppence(
        *("data", "prepare", text, "--tokenizer", scratch / "tokenizer", "--out", scratch / "data"),
        *("--val-fraction", "0.1"),
    )
    return scratch / "data"


def tuppence(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "tuppence", *map(str, words)], check=True, capture_output=True)


def compare_memory() -> None:
    from tuppence.cost.memory import training_memory
    from tuppence.tasks.planning import size_of

    print(
        f"{'model':7}{'sequences':>10} {'precision':10}{'counted MB':>12}{'measured MB':>13}{'counted / measured':>20}"
    )
    for name, sequences, precision in STEPS:
        command = [sys.executable, __file__, "--step", name, str(sequences), precision]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peak = json.loads(said)
        counted = training_memory(size_of(name), sequences, sixteen_bits=precision != "float32").total
        print(
            f"{name:7}{sequences:10} {precision:10}{counted / 1e6:12.0f}{peak / 1e6:13.0f}{counted / peak:20.2f}",
            flush=True,
        )


def peak_of_two_steps(name: str, sequences: int, precision: str) -> int:
    """Bytes of resident memory that two training steps of a new model add, at their peak."""
    import torch

    from tuppence.model.gpt import GPT
    from tuppence.model.precision import autocast
    from tuppence.training.config import TrainConfig
    from tuppence.training.optim import Optimizers

    def two_steps(config: ModelConfig, rows: int) -> None:
        model = GPT(config)
        optimizers = Optimizers(model.named_parameters(), TrainConfig(), "cpu")
        optimizers.set_rate(1.0)
        tokens_BT = torch.randint(0, config.vocab_size, (rows, config.context_length + 1))
        for _ in range(2):
            with autocast("cpu", precision):
                loss = model.loss(tokens_BT[:, :-1].contiguous(), tokens_BT[:, 1:].contiguous())
            torch.autograd.backward(loss / tokens_BT.numel())
            optimizers.step()
            optimizers.zero_grad()

    small = ModelConfig(n_layers=1, n_heads=2, d_model=32, context_length=32, vocab_size=64)
    two_steps(small, 1)  # loads the libraries
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to the present size
    two_steps(PRESETS[name], sequences)
    return resident("VmHWM") - before


def resident(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


if __name__ == "__main__":
    main()
