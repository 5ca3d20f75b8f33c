"""Everything that only a GPU can show, in one run of less than six minutes and one table.

    make gpu-check
    python benchmarks/gpu_check.py [--nanogpt PATH] [--device cpu --quick] [--json FILE]

A bare machine with torch and the package's own requirements is enough; what else is missing (pytest, transformers, a
checkout of nanoGPT) is said in the table, and its row left out. Each check is a command in a process of its own with a
time of its own, and none is begun that the six minutes have no room for. Exit code 1 where a check failed.

`--device cpu --quick` runs the same checks on a tiny model, to try the script itself where there is no GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WHOLE_SECONDS = 350
"""Of a GPU's time; the same on a CPU that others use takes longer: `--seconds`."""
TINY = {"model.n_layers": 2, "model.n_heads": 2, "model.d_model": 64, "model.context_length": 64}


class Failed(Exception):  # noqa: N818
    """A check found something wrong."""


class LeftOut(Exception):  # noqa: N818
    """A check cannot be made here."""


@dataclass
class Check:
    """One check.

    Attributes:
        seconds: the most it may take.
        make: makes it; returns what to say, or raises `Failed` or `LeftOut`.
    """

    name: str
    seconds: float
    make: Callable[[float], str]


class Bench:
    """What the checks share: the device, scratch space, and data.

    Args:
        quick: tiny models and few steps.
    """

    def __init__(self, device: str, *, quick: bool, nanogpt: Path | None, scratch: Path) -> None:
        self.device, self.quick, self.nanogpt, self.scratch = device, quick, nanogpt, scratch
        self.data = scratch / "data"
        self.precisions: list[str] = []
        self.figures: dict[str, Any] = {}

    # ---- commands --------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if self.device == "cpu" else {}
        source = str(HERE.parent / "src")
        path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        return {**os.environ, **hidden, "PYTHONPATH": path}

    def run(self, words: list[object], seconds: float) -> str:
        """What a command prints.

        Raises:
            Failed: it took too long, or did not exit with 0.
        """
        code, out, errors = self.finish(words, seconds)
        if code:
            lines = (errors or out).strip().splitlines() or ["no output"]
            raise Failed(f"exit code {code}: {' / '.join(lines[-2:])}")
        return out

    def finish(self, words: list[object], seconds: float) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command; what it started ends with it where it takes too long."""
        process = subprocess.Popen(
            list(map(str, words)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
            start_new_session=True,
        )
        try:
            out, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {seconds:.0f} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, out, errors

    def tuppence(self, *words: object, seconds: float) -> str:
        return self.run([sys.executable, "-m", "tuppence", *words], seconds)

    def pretrain_words(self, out: Path, **settings: object) -> list[object]:
        named = {"train.device": self.device, "train.compile": "false", "train.eval_every": 0, "train.sample_tokens": 0}
        given = {**named, **{key.replace("__", "."): value for key, value in settings.items()}}
        sets = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
        return [sys.executable, "-m", "tuppence", "pretrain", "--data", self.data, "--out", out, "--json", *sets]

    # ---- checks ----------------------------------------------------------------------------------------------

    def doctor(self, seconds: float) -> str:
        self.tuppence("doctor", "--json", seconds=seconds)
        program = (
            "import json; from tuppence.core.environment import choose_precision as p; import torch; "
            f"d={self.device!r}; q=p(d); "
            "print(json.dumps([q.name, torch.cuda.get_device_name() if d != 'cpu' else 'CPU', torch.__version__]))"
        )
        precision, name, version = json.loads(self.run([sys.executable, "-c", program], seconds))
        self.precisions = ["float32", *([precision] if precision != "float32" else [])]
        if precision == "bf16" and self.device == "cuda":
            self.precisions.append("fp16")
        return f"{name}, {precision}, torch {version}"

    def make_data(self, seconds: float) -> str:
        stories, tokenizer = self.scratch / "stories.txt", self.scratch / "tokenizer"
        self.tuppence("data", "synth", "stories", "--out", stories, "--count", 400, seconds=seconds)
        self.tuppence("tokenizer", "train", stories, "--vocab-size", 1003, "--out", tokenizer, seconds=seconds)
        self.tuppence("data", "prepare", stories, "--tokenizer", tokenizer, "--out", self.data, seconds=seconds)
        return "made-up stories, a vocabulary of 1,003 (no multiple of 64)"

    def precision(self, seconds: float) -> str:
        losses = {}
        for precision in self.precisions:
            out = self.scratch / precision
            sizes = {**TINY, "train.batch_size": 8, "train.max_steps": 40, "train.warmup_steps": 5}
            words = self.pretrain_words(out, **sizes, train__precision=precision, train__log_every=40)
            self.run(words, seconds)
            (losses[precision],) = (row["loss"] for row in rows(out) if "loss" in row)
        apart = max(abs(loss - losses["float32"]) for loss in losses.values())
        said = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
        if not apart < 0.05:
            raise Failed(f"losses differ: {said}")
        return f"loss after 40 steps: {said}"

    def resume_small(self, seconds: float) -> str:
        return self._resume("small", seconds, {**TINY, "train.batch_size": 8, "train.max_steps": 40}, [10, 30], 10)

    def resume_large(self, seconds: float) -> str:
        """The compiled model that people train, killed once."""
        if self.quick:
            sizes: dict[str, object] = {**TINY, "train.batch_size": 4}
        else:
            sizes = {"model.preset": "gpt2-124m", "model.vocab_size": 50257, "train.batch_size": 4}
        settings = {**sizes, "train.accumulation_steps": 2, "train.max_steps": 12, "train.compile": "true"}
        return self._resume("large", seconds, settings, [4], 4)

    def _resume(self, name: str, seconds: float, settings: dict[str, Any], kills: list[int], every: int) -> str:
        end = time.monotonic() + seconds
        digests = []
        for attempt, at in (("whole", []), ("killed", kills)):
            out = self.scratch / f"{name}-{attempt}"
            words = self.pretrain_words(out, **settings, train__checkpoint_every=every)
            for step in at:
                self._kill_at(words, out / "checkpoints" / f"step-{step:08d}", end)
            self.run(words, max(1.0, end - time.monotonic()))
            digests.append(hashlib.sha256((out / "model" / "model.safetensors").read_bytes()).hexdigest())
        if digests[0] != digests[1]:
            raise Failed(f"other bits after SIGKILL: {digests[0][:12]} and {digests[1][:12]}")
        return f"SIGKILL after steps {kills}: the same bits, sha256 {digests[0][:12]}"

    def _kill_at(self, words: list[object], checkpoint: Path, end: float) -> None:
        process = subprocess.Popen(
            list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment()
        )
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if not checkpoint.exists():
            raise Failed(f"no checkpoint {checkpoint.name} in the time for it")

    def training(self, seconds: float) -> str:
        out = self.scratch / "training.json"
        model = ["--model", "nano"] if self.quick else ["--model", "gpt2-124m"]
        names = ["tuppence pretrain", "tuppence"]
        extra: list[object] = []
        if importlib.util.find_spec("transformers") and not self.quick:
            names.append("transformers")
        if self.nanogpt is not None:
            names.append("nanogpt")
            extra = ["--nanogpt", self.nanogpt]
        turns = [
            "--rounds",
            2 if self.quick else 3,
            "--steps",
            5 if self.quick else 20,
            "--only",
            ",".join(names),
            "--json",
            out,
        ]
        self.run([sys.executable, HERE / "training.py", *model, *turns, *extra], seconds)
        figures = self.figures["training"] = json.loads(out.read_text())
        ours, bare = (figures[name]["tokens_per_second"] for name in names[:2])
        said = [f"{ours:,.0f} tok/s = {ours / bare:.0%} of the bare step, {figures[BARE]['of_peak']:.0%} of the peak"]
        said += [f"{figures[name]['command_line_faster']:.2f}x {name}" for name in names[2:]]
        if self.device == "cuda":
            said.append(f"{figures[BARE]['gib']:.1f} GiB")
        return ", ".join(said)

    def generation(self, seconds: float) -> str:
        out = self.scratch / "generation.json"
        model = "nano" if self.quick else "gpt2-124m"
        words: list[object] = ["--model", model, "--tokens", 32 if self.quick else 256, "--repeats", 3, "--json", out]
        self.run([sys.executable, HERE / "generation.py", *words, "--batches", "1,64"], seconds)
        figures = self.figures["generation"] = json.loads(out.read_text())
        return ", ".join(f"{name} {speed:,.0f} tok/s" for name, speed in figures.items())

    def graph(self, seconds: float) -> str:
        """Tokens of the captured step and of the ordinary path."""
        if self.device != "cuda":
            raise LeftOut("a CUDA graph needs a GPU")
        return self.run([sys.executable, "-c", GRAPH], seconds).strip()

    def out_of_memory(self, seconds: float) -> str:
        """A batch that no device has room for ends in one line and exit code 2, with the checkpoint there."""
        if self.device != "cuda":
            raise LeftOut("needs a GPU's memory to fill")
        out = self.scratch / "large-batch"
        sizes = {"model.preset": "gpt2-124m", "model.vocab_size": 50257, "train.batch_size": 4096, "train.max_steps": 2}
        code, _, errors = self.finish(self.pretrain_words(out, **sizes), seconds)
        first = next((line for line in errors.splitlines() if line.startswith("error:")), "no error")
        if code != 2 or "has not enough memory" not in first:
            raise Failed(f"exit code {code}: {first}")
        return first

    def suite(self, seconds: float) -> str:
        if importlib.util.find_spec("pytest") is None:
            raise LeftOut("pytest is not installed")
        tests = HERE.parent / "tests"
        parts = QUICK_TESTS if self.quick else QUICK_TESTS + FURTHER_TESTS
        workers = ["-n", "4"] if importlib.util.find_spec("xdist") and not self.quick else []
        words = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", *workers, *(tests / part for part in parts)]
        return self.run(words, seconds).strip().splitlines()[-1]


BARE = "tuppence"

QUICK_TESTS = ("tasks/test_session.py", "tasks/test_run_file.py", "training/test_muon.py")
FURTHER_TESTS = ("tasks", "training/test_optim.py", "training/test_parallel.py", "model/test_loss.py")
"""The part of the suite that runs on any device, under tests/."""

GRAPH = """
import os, torch
from tuppence.model import graph_step
from tuppence.model.config import PRESETS
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
captured = []
capture = graph_step.GraphStep._captured
graph_step.GraphStep._captured = lambda self: captured.append(1) or capture(self)
torch.manual_seed(0)
model = GPT(PRESETS["gpt2-124m"]).cuda().eval()
same = total = 0
for prompts in ([[1, 2, 3]], [[5, 6, 7, 8], [9], [10, 11]]):
    for settings in ({"temperature": 0}, {"temperature": 1.0, "top_k": 50, "seed": 1}):
        quick = generate(model, prompts, Sampling(max_tokens=300, **settings))
        os.environ["TUPPENCE_NATIVE"] = "0"
        ordinary = generate(model, prompts, Sampling(max_tokens=300, **settings))
        del os.environ["TUPPENCE_NATIVE"]
        same += sum(a == b for a, b in zip(quick, ordinary))
        total += len(prompts)
assert captured, "nothing was captured"
assert same == total, f"{same} of {total} continuations are the same"
print(f"{total} continuations of 300 tokens in float32 are the ordinary path's, {len(captured)} captures")
"""


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], help="cuda where there is a GPU, without it cpu")
    parser.add_argument("--quick", action="store_true", help="tiny models and few steps")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of karpathy/nanoGPT")
    parser.add_argument("--seconds", type=float, default=WHOLE_SECONDS, help="the most that all of it may take")
    parser.add_argument("--only", help="checks by name, separated by commas")
    parser.add_argument("--json", type=Path, help="write the table and the benchmarks' figures here too")
    options = parser.parse_args()
    import torch

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no GPU here; nothing was checked (--device cpu --quick tries the script itself)")
    if device == "cpu" and not options.quick:
        sys.exit("there is no GPU here; nothing was checked (--device cpu --quick tries the script itself)")
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(device, quick=options.quick, nanogpt=options.nanogpt, scratch=Path(scratch))
        table = make_all(bench, options.seconds, set(filter(None, (options.only or "").split(","))))
    if options.json:
        options.json.write_text(json.dumps({"checks": table, **bench.figures}, indent=1))
    sys.exit(1 if any(result == "FAILED" for _, result, _, _ in table) else 0)


def make_all(bench: Bench, seconds: float, only: set[str]) -> list[tuple[str, str, float, str]]:
    """Makes the checks in order, the most important first, and prints a line for each as it ends."""
    checks = [
        Check("doctor", 40, bench.doctor),
        Check("data", 40, bench.make_data),
        Check("precisions", 60, bench.precision),
        Check("resume small", 60, bench.resume_small),
        Check("captured generation", 60, bench.graph),
        Check("training speed", 150, bench.training),
        Check("resume compiled", 150, bench.resume_large),
        Check("generation speed", 60, bench.generation),
        Check("out of memory", 40, bench.out_of_memory),
        Check("tests", 90, bench.suite),
    ]
    began, table = time.monotonic(), []
    print(f"{'check':22}{'result':10}{'seconds':>8}  what was found")
    for check in checks:
        if only and check.name not in only | {"doctor", "data"}:
            continue
        started = time.monotonic()
        left = seconds - (started - began)
        try:
            if left < 10:
                raise LeftOut("no time left")
            result, said = "ok", check.make(min(check.seconds * seconds / WHOLE_SECONDS, left))
        except LeftOut as reason:
            result, said = "left out", str(reason)
        except (Failed, ValueError, KeyError, OSError) as error:
            result, said = "FAILED", str(error)
        took = time.monotonic() - started
        table.append((check.name, result, round(took, 1), said))
        print(f"{check.name:22}{result:10}{took:>8.1f}  {said}", flush=True)
    return table


if __name__ == "__main__":
    main()
