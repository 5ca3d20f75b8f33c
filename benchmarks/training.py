"""Training speed: tokens per second of a GPT-2, ours against transformers' and nanoGPT's, in the same minutes.

Each contender lives in a process of its own, compiled and in bf16, and they take turns, a few steps at a time: the
machine's moods fall on all alike. What is timed is a whole step: forward, backward, clipping, optimizer. The peers
train with AdamW: the last column says how much faster ours is with AdamW, too. "tuppence" is with Muon, as in configs./
"nanogpt-kept" is nanoGPT under our allocator's settings, which are not its own.

    python benchmarks/training.py --nanogpt PATH        a checkout of karpathy/nanoGPT; left out without it
    python benchmarks/training.py --model gpt2-124m     on a GPU, where MFU is printed as well
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from turns import Step, faster, serve, take_turns

SIZES = {  # (layers, heads, width, context, vocabulary, batch)
    "tiny": (6, 6, 384, 256, 8192, 8),
    "gpt2-124m": (12, 12, 768, 1024, 50304, 32),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, help="a checkout of karpathy/nanoGPT")
    parser.add_argument("--model", choices=list(SIZES), default="tiny")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="steps of each contender in a round")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        step = build(options.contender, options)
        serve(step, {"peak": lambda: matrix_peak(SIZES[options.model])})
        return
    import torch

    if options.model != "tiny" and not torch.cuda.is_available():
        sys.exit(f"{options.model} needs a GPU, and there is none here; nothing was measured")
    names = ["tuppence", "tuppence-adamw", "transformers", *(["nanogpt", "nanogpt-kept"] if options.nanogpt else [])]
    rounds, contenders = take_turns(names, options.rounds, options.steps)
    peaks = [contenders["tuppence"].ask("peak") for _ in range(3)]
    for contender in contenders.values():
        contender.close()
    report(options.model, rounds, peaks)


def report(model: str, rounds: dict[str, list[float]], peaks: list[float]) -> None:
    from tuppence.model.config import ModelConfig

    layers, heads, width, context, vocabulary, batch = SIZES[model]
    sizes = {"n_layers": layers, "n_heads": heads, "d_model": width}
    config = ModelConfig(**sizes, context_length=context, vocab_size=vocabulary)  # type: ignore[arg-type]
    peak = statistics.median(peaks)
    print(f"\n{model}: {config.parameter_count():,} parameters, batch {batch} × {context}, bf16, compiled")
    print(f"bf16 matrix products at these shapes: {peak / 1e9:,.0f} GFLOP/s")
    if model != "tiny":
        import torch

        from tuppence.cost.hardware import known_peak

        datasheet = known_peak(torch.cuda.get_device_name(), "bf16")
        if datasheet is not None:
            peak = datasheet.flops_per_second
            print(f"datasheet: {peak / 1e12:,.0f} TFLOP/s ({datasheet.source}); 'of peak' is MFU by that")
    print()
    print(f"{'':16}{'ms/step':>9}{'tok/s':>9}{'GFLOP/s':>9}{'of peak':>9}{'AdamW, faster':>16}")
    for name, seconds in rounds.items():
        step = statistics.median(seconds)
        rate = batch * context / step * config.flops_per_token()
        print(
            f"{name:16}{step * 1e3:>9.0f}{batch * context / step:>9,.0f}{rate / 1e9:>9,.0f}{rate / peak:>9.0%}"
            f"{faster(rounds, 'tuppence-adamw', name):>15.2f}×"
        )


def build(name: str, options: argparse.Namespace) -> Step:
    """A function that makes one training step and returns its loss."""
    if name.startswith("tuppence") or name.endswith("-kept"):
        from tuppence.core.memory import keep_freed_memory

        keep_freed_memory()
    import torch

    torch.manual_seed(0)
    *_, context, vocabulary, batch = SIZES[options.model]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens = torch.randint(0, vocabulary, (batch, context + 1), device=device)
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    if name.startswith("tuppence"):
        return build_ours(SIZES[options.model], device, inputs, targets, muon=name == "tuppence")
    if name == "transformers":
        return build_transformers(SIZES[options.model], device, inputs)
    return build_nanogpt(options.nanogpt, SIZES[options.model], device, inputs, targets)


def build_ours(sizes: tuple[int, ...], device: str, inputs: Any, targets: Any, *, muon: bool) -> Step:
    """The step of `training.loop`, with its determinism, on one batch."""
    import torch

    from tuppence.model.config import ModelConfig
    from tuppence.model.gpt import GPT
    from tuppence.training.config import TrainConfig
    from tuppence.training.determinism import compute_deterministically, ordered_kernels
    from tuppence.training.optim import Optimizers
    from tuppence.training.precision import autocast

    compute_deterministically()
    layers, heads, width, context, vocabulary, _ = sizes
    config = ModelConfig(n_layers=layers, n_heads=heads, d_model=width, context_length=context, vocab_size=vocabulary)
    model = GPT(config).to(device)
    optimizers = Optimizers(model.named_parameters(), TrainConfig(optimizer="muon" if muon else "adamw"), device)
    loss_of = torch.compile(model.loss)

    def step() -> float:
        with ordered_kernels():
            with autocast(device, "bf16"):
                loss = loss_of(inputs, targets) / targets.numel()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(optimizers.parameters(), 1.0)
        optimizers.step()
        optimizers.zero_grad()
        return float(loss.detach())

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

    def step() -> float:
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = compiled(input_ids=inputs, labels=inputs).loss  # it shifts the labels itself
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def build_nanogpt(checkout: Path, sizes: tuple[int, ...], device: str, inputs: Any, targets: Any) -> Step:
    """nanoGPT's own model and optimizer, stepped as its train.py does."""
    import contextlib
    import io

    import torch

    sys.path.insert(0, str(checkout.resolve()))
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    layers, heads, width, context, vocabulary, _ = sizes
    with contextlib.redirect_stdout(io.StringIO()):
        config = GPTConfig(
            block_size=context,
            vocab_size=vocabulary,
            n_layer=layers,
            n_head=heads,
            n_embd=width,
            dropout=0.0,
            bias=True,
        )
        model = GPT(config).to(device)
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.95), device)
    compiled = torch.compile(model)

    def step() -> float:
        with torch.autocast(device, dtype=torch.bfloat16):
            _, loss = compiled(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def matrix_peak(sizes: tuple[int, ...]) -> float:
    """FLOP/s of a block's and the head's forward matrix products alone, each at its own shape, in bf16."""
    import torch

    layers, _, width, context, vocabulary, batch = sizes
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = batch * context
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)] * layers + [
        (width, vocabulary)
    ]
    operands = {
        shape: (
            torch.randn(rows, shape[0], device=device, dtype=torch.bfloat16),
            torch.randn(shape[1], shape[0], device=device, dtype=torch.bfloat16),
        )
        for shape in set(shapes)
    }
    best = float("inf")
    for _ in range(4):
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        for shape in shapes:
            left, right = operands[shape]
            torch.nn.functional.linear(left, right)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return sum(2 * rows * a * b for a, b in shapes) / best


if __name__ == "__main__":
    main()
