"""Training speed: tokens per second of a GPT-2, ours against transformers' and nanoGPT's, in the same minutes.

"tuppence pretrain" is what a person runs: the command line on text, with its batches, log, meter and clock; its speed
is read from its own metrics.jsonl. The other contenders are bare steps (forward, backward, clipping, optimizer) on one
batch that stays on the device. Each lives in a process of its own, compiled and in bf16 (fp16 where the GPU has no
bf16). They take turns, a few steps at a time, so that the machine is as slow for one as for the other; the command line
is stopped and continued by signals. `--alone` measures each with no other process there.

All train with AdamW; "tuppence-muon" is with Muon, as in the recipe tiny. "nanogpt" is as it ships, "nanogpt-fused"
has torch's fused AdamW on a CPU too.

    python benchmarks/training.py --nanogpt PATH        a checkout of karpathy/nanoGPT; left out without it
    python benchmarks/training.py --text FILE           train the command line on this text instead of made-up stories
    python benchmarks/training.py --model gpt2-124m     on a GPU, where MFU and peak memory are printed as well
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turns import Step, faster, serve, take_turns

SIZES = {  # (layers, heads, width, context, vocabulary, batch)
    "tiny": (6, 6, 384, 256, 8192, 8),
    "nano": (2, 2, 64, 64, 512, 8),
    "gpt2-124m": (12, 12, 768, 1024, 50257, 16),
}
COMMAND_LINE = "tuppence pretrain"
BARE = "tuppence"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, help="a checkout of karpathy/nanoGPT")
    parser.add_argument("--text", type=Path, help="what the command line trains on")
    parser.add_argument("--model", choices=list(SIZES), default="tiny")
    parser.add_argument("--batch", type=int, help="sequences of a step; the model's usual number without it")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="steps of each contender in a round")
    parser.add_argument("--only", help="contenders by name, separated by commas")
    parser.add_argument("--alone", action="store_true", help="one contender after the other, no other process there")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch:
        SIZES[options.model] = (*SIZES[options.model][:-1], options.batch)
    if options.contender:
        step = build(options.contender, options)
        serve(step, {"peak": lambda: matrix_peak(SIZES[options.model]), "device-memory": device_memory})
        return
    if options.model == "gpt2-124m" and device() == "cpu":
        sys.exit(f"{options.model} needs a GPU, and there is none here; nothing was measured")
    names = [COMMAND_LINE, BARE, "tuppence-muon", "transformers"]
    names += ["nanogpt", *(["nanogpt-fused"] if device() == "cpu" else [])] if options.nanogpt else []
    if options.only:
        names = [name for name in names if name in options.only.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        measure(names, options, Path(scratch))


def measure(names: list[str], options: argparse.Namespace, scratch: Path) -> None:
    """Lets the contenders take turns, or has each alone, and prints the table."""
    make: dict[str, Callable[[str], Any]] = {}
    if COMMAND_LINE in names:
        data = prepared_text(options, scratch)
        make = {COMMAND_LINE: lambda name: CommandLine(SIZES[options.model], data, scratch / "run", options.steps)}
    groups = [[name] for name in names] if options.alone else [names]
    rounds: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    peak = 0.0
    for group in groups:
        seconds, contenders = take_turns(group, options.rounds, options.steps, make)
        rounds |= seconds
        for name, contender in contenders.items():
            memory[name] = contender.ask("device-memory")
            if name == BARE:
                peak = statistics.median(contender.ask("peak") for _ in range(3))
            contender.close()
    report(options, rounds, peak, memory)


def device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def precision() -> str:
    """bf16; fp16 on a GPU that does not multiply it."""
    import torch

    return "fp16" if device() == "cuda" and torch.cuda.get_device_capability()[0] < 8 else "bf16"


def prepared_text(options: argparse.Namespace, scratch: Path) -> Path:
    """The shards that the command line trains on."""
    vocabulary = min(SIZES[options.model][4], 8192)
    text = options.text or scratch / "stories.txt"
    if options.text is None:
        tuppence("data", "synth", "stories", "--out", text, "--count", 3000)
    tuppence("tokenizer", "train", text, "--vocab-size", vocabulary, "--out", scratch / "tokenizer")
    tuppence("data", "prepare", text, "--tokenizer", scratch / "tokenizer", "--out", scratch / "data")
    return scratch / "data"


def tuppence(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "tuppence", *map(str, words)], check=True, capture_output=True)


class CommandLine:
    """`tuppence pretrain`, which is stopped and continued; its speed is what it writes down itself.

    Args:
        steps: in a turn; it writes a row of metrics as often.
    """

    def __init__(self, sizes: tuple[int, ...], data: Path, run: Path, steps: int) -> None:
        layers, heads, width, context, vocabulary, batch = sizes
        self.name, self.rows, self.every = COMMAND_LINE, run / "metrics.jsonl", steps
        settings = {
            "model.n_layers": layers, "model.n_heads": heads, "model.d_model": width,
            "model.context_length": context, "model.vocab_size": vocabulary, "train.batch_size": batch,
            "train.compile": "true", "train.precision": precision(), "train.log_every": steps, "train.eval_every": 0,
            "train.max_steps": 1_000_000, "train.checkpoint_minutes": 0,
        }  # fmt: skip
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        self.said = run.with_suffix(".log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tuppence", "pretrain", "--data", str(data), "--out", str(run), *words],
            stdout=self.said,
            stderr=self.said,
        )

    def ask(self, request: str) -> float:
        """What a contender answers."""
        if request == "device-memory":
            return 0.0
        before, started = len(self.trained()), time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        # the first row of a turn was begun before it, and has the pause in it
        while len(self.trained()) < before + 2 + (request == "warm"):
            if self.process.poll() is not None:
                self.said.seek(0)
                raise SystemExit(f"{self.name} failed:\n{self.said.read()}")
            time.sleep(0.25)  # looking takes time from the step: fifty times a second made it 3 % slower
        self.process.send_signal(signal.SIGSTOP)
        if request == "warm":
            return time.perf_counter() - started
        earlier, later = self.trained()[-2:]
        return (later["train_seconds"] - earlier["train_seconds"]) / (later["step"] - earlier["step"])

    def trained(self) -> list[dict[str, float]]:
        """The rows so far, but the last where it is still being written."""
        text = self.rows.read_text() if self.rows.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def report(options: argparse.Namespace, rounds: dict[str, list[float]], peak: float, memory: dict[str, float]) -> None:
    import torch

    from tuppence.cost.hardware import known_peak
    from tuppence.model.config import ModelConfig

    layers, heads, width, context, vocabulary, batch = SIZES[options.model]
    config = ModelConfig(n_layers=layers, n_heads=heads, d_model=width, context_length=context, vocab_size=vocabulary)
    print(f"\n{options.model}: {config.parameter_count():,} parameters, {batch} × {context}, {precision()}, compiled")
    print(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, " + ("alone" if options.alone else "in turns")
    )
    if peak:
        print(f"matrix products at these shapes: {peak / 1e9:,.0f} GFLOP/s")
    if device() == "cuda":
        datasheet = known_peak(torch.cuda.get_device_name(), precision())
        if datasheet is not None:
            peak = datasheet.flops_per_second
            print(f"datasheet: {peak / 1e12:,.0f} TFLOP/s ({datasheet.source}); 'of peak' is MFU by that")
    print(f"\n{'':18}{'ms/step':>9}{'tok/s':>10}{'of peak':>9}{'GiB':>7}{COMMAND_LINE + ' is faster':>30}")
    figures = {}
    for name, seconds in rounds.items():
        step = statistics.median(seconds)
        share = batch * context / step * config.flops_per_token() / peak if peak else 0.0
        ratio = faster(rounds, COMMAND_LINE, name) if COMMAND_LINE in rounds else 0.0
        figures[name] = {
            "ms": step * 1e3, "tokens_per_second": batch * context / step, "of_peak": share,
            "gib": memory[name] / 2**30, "command_line_faster": ratio,
        }  # fmt: skip
        print(
            f"{name:18}{step * 1e3:>9.1f}{batch * context / step:>10,.0f}{share:>9.0%}{memory[name] / 2**30:>7.1f}"
            f"{ratio:>29.2f}×"
        )
    if options.json:
        options.json.write_text(json.dumps(figures))


def device_memory() -> float:
    """The most bytes that tensors took on the GPU; 0 without one."""
    import torch

    return float(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0.0


def build(name: str, options: argparse.Namespace) -> Step:
    """A function that makes one training step and returns its loss."""
    if name.startswith("tuppence"):
        from tuppence.core.memory import keep_freed_memory

        keep_freed_memory()
    import torch

    torch.manual_seed(0)
    *_, context, vocabulary, batch = SIZES[options.model]
    on = device()
    tokens = torch.randint(0, vocabulary, (batch, context + 1), device=on)
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    if name.startswith("tuppence"):
        return build_ours(SIZES[options.model], on, inputs, targets, muon=name == "tuppence-muon")
    if name == "transformers":
        return build_transformers(SIZES[options.model], on, inputs)
    return build_nanogpt(options.nanogpt, SIZES[options.model], on, inputs, targets, fused=name == "nanogpt-fused")


def build_ours(sizes: tuple[int, ...], device: str, inputs: Any, targets: Any, *, muon: bool) -> Step:
    """The step of `training.loop`, with its determinism, on one batch."""
    import torch

    from tuppence.model.config import ModelConfig
    from tuppence.model.gpt import GPT
    from tuppence.model.loss import allow_logits
    from tuppence.model.precision import autocast
    from tuppence.training.config import TrainConfig
    from tuppence.training.determinism import compute_deterministically, ordered_kernels
    from tuppence.training.optim import Optimizers
    from tuppence.training.precision import gradient_scaler

    compute_deterministically()
    allow_logits(device)
    layers, heads, width, context, vocabulary, _ = sizes
    config = ModelConfig(n_layers=layers, n_heads=heads, d_model=width, context_length=context, vocab_size=vocabulary)
    model = GPT(config).to(device)
    optimizers = Optimizers(model.named_parameters(), TrainConfig(optimizer="muon" if muon else "adamw"), device)
    loss_of = torch.compile(model.loss)
    scale = gradient_scaler(device, precision())

    def step() -> Any:
        with ordered_kernels():
            with autocast(device, precision()):
                loss = loss_of(inputs, targets) / targets.numel()
            scale.scale(loss).backward()
        scale.unscale_([parameter.grad for parameter in optimizers.parameters() if parameter.grad is not None])
        norm = torch.nn.utils.clip_grad_norm_(optimizers.parameters(), 1.0)
        optimizers.step(norm.isfinite())
        scale.update(norm.isfinite())
        optimizers.zero_grad()
        return loss.detach()

    return step


def build_transformers(sizes: tuple[int, ...], device: str, inputs: Any) -> Step:
    import torch
    import transformers

    layers, heads, width, context, vocabulary, _ = sizes
    config = transformers.GPT2Config(
        n_layer=layers, n_head=heads, n_embd=width, n_positions=context, vocab_size=vocabulary,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
    )  # fmt: skip
    model = transformers.GPT2LMHeadModel(config).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), fused=True)
    compiled = torch.compile(model)

    def step() -> Any:
        with torch.autocast(device, dtype=half()):
            loss = compiled(input_ids=inputs, labels=inputs).loss  # it shifts the labels itself
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def build_nanogpt(
    checkout: Path, sizes: tuple[int, ...], device: str, inputs: Any, targets: Any, *, fused: bool
) -> Step:
    """nanoGPT's own model and optimizer, stepped as its train.py does.

    Args:
        fused: torch's fused AdamW on a CPU too.
    """
    import contextlib
    import io

    import torch

    sys.path.insert(0, str(checkout.resolve()))
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    layers, heads, width, context, vocabulary, _ = sizes
    with contextlib.redirect_stdout(io.StringIO()):
        config = GPTConfig(
            block_size=context,
            vocab_size=-(-vocabulary // 64) * 64,  # its own 50,304
            n_layer=layers,
            n_head=heads,
            n_embd=width,
            dropout=0.0,
            bias=True,
        )
        model = GPT(config).to(device)
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.95), device)
    if fused:  # the groups carry `fused=None`, which would win
        groups = [{**group, "fused": True} for group in optimizer.param_groups]
        optimizer = torch.optim.AdamW(groups, fused=True)
    compiled = torch.compile(model)

    def step() -> Any:
        with torch.autocast(device, dtype=half()):
            _, loss = compiled(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def half() -> Any:
    import torch

    return torch.float16 if precision() == "fp16" else torch.bfloat16


def matrix_peak(sizes: tuple[int, ...]) -> float:
    """FLOP/s of a block's and the head's forward matrix products alone, each at its own shape, in 16 bits."""
    import torch

    layers, _, width, context, vocabulary, batch = sizes
    on = device()
    vocabulary = -(-vocabulary // 64) * 64
    rows = batch * context
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)] * layers + [
        (width, vocabulary)
    ]
    operands = {
        shape: (
            torch.randn(rows, shape[0], device=on, dtype=half()),
            torch.randn(shape[1], shape[0], device=on, dtype=half()),
        )
        for shape in set(shapes)
    }
    best = float("inf")
    for _ in range(4):
        if on == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        for shape in shapes:
            left, right = operands[shape]
            torch.nn.functional.linear(left, right)
        if on == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return sum(2 * rows * a * b for a, b in shapes) / best


if __name__ == "__main__":
    main()
