"""Loss per minute: nanoGPT's recipe against `tuppence pretrain`, same model, data, tokenizer and machine.

First nanoGPT's own model and optimizer are trained as its train.py does (random crops, learning rate 1e-3, 100 steps
of warm-up, cosine to a tenth; compiled, bf16), and timed. Then `tuppence pretrain` gets half of that time by the clock,
its own compilation, evaluations and checkpoints included. Both are scored on the same held-out windows in float32.

    python benchmarks/loss_per_minute.py --nanogpt PATH --data DATA [--config tiny] [--steps 744]

DATA is what `tuppence data prepare` wrote, with a validation split.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BATCH, CONTEXT, WINDOWS = 8, 256, 512
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, required=True, help="a checkout of karpathy/nanoGPT")
    parser.add_argument("--data", type=Path, required=True, help="a folder of tuppence data prepare")
    parser.add_argument("--config", default="tiny")
    parser.add_argument("--steps", type=int, default=744, help="of nanoGPT's recipe")
    parser.add_argument("--share", type=float, default=0.5, help="of nanoGPT's time that we get")
    options = parser.parse_args()

    theirs_seconds, theirs = train_nanogpt(options.nanogpt, options.data, options.steps)
    print(f"nanoGPT: {options.steps} steps in {theirs_seconds:.0f} s (compilation not counted), loss {theirs:.4f}")
    minutes = theirs_seconds * options.share / 60
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        started = time.perf_counter()
        words = ["pretrain", "--data", options.data, "--out", run, "--config", options.config]
        limit = ["--max-minutes", f"{minutes:.4f}", "--set", "train.compile=true"]
        subprocess.run([sys.executable, "-m", "tuppence", *words, *limit], check=True)
        seconds = time.perf_counter() - started
        ours = score(load_ours(run), options.data)
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        tokens, steps = rows[-1]["tokens"], rows[-1]["step"]
    print(f"\n{'':12}{'seconds':>9}{'tokens':>12}{'steps':>7}{'loss':>9}")
    print(f"{'nanoGPT':12}{theirs_seconds:>9.0f}{options.steps * BATCH * CONTEXT:>12,}{options.steps:>7}{theirs:>9.4f}")
    print(f"{'tuppence':12}{seconds:>9.0f}{tokens:>12,}{steps:>7}{ours:>9.4f}   (everything counted)")


def train_nanogpt(checkout: Path, data: Path, steps: int) -> tuple[float, float]:
    """Seconds of training, compilation not counted, and the held-out loss."""
    import numpy as np
    import torch

    from tuppence.data.shards import TokenShards

    sys.path.insert(0, str(checkout.resolve()))
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    torch.manual_seed(1337)
    shards = TokenShards.open(data, "train", verify="size")
    tokens = shards.window(0, len(shards))
    with contextlib.redirect_stdout(io.StringIO()):
        sizes = {"n_layer": 6, "n_head": 6, "n_embd": 384}
        model = GPT(GPTConfig(block_size=CONTEXT, vocab_size=shards.vocab_size, dropout=0.0, bias=True, **sizes))
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.95), "cpu")
    compiled = torch.compile(model)
    seconds = 0.0
    for step in range(steps):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = nanogpt_rate(step, steps)
        starts = torch.randint(len(tokens) - CONTEXT, (BATCH,))
        inputs = torch.stack([torch.from_numpy(tokens[i : i + CONTEXT].astype(np.int64)) for i in starts])
        targets = torch.stack([torch.from_numpy(tokens[i + 1 : i + 1 + CONTEXT].astype(np.int64)) for i in starts])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            _, loss = compiled(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step:
            seconds += time.perf_counter() - started
        if step % 50 == 0:
            print(f"nanoGPT step {step}/{steps}, loss {loss.item():.3f}, {seconds:.0f} s", flush=True)
    model.eval()
    return seconds * steps / (steps - 1), score(lambda x, y: model(x, y)[0], data)


def nanogpt_rate(step: int, steps: int, peak: float = 1e-3, warmup: int = 100) -> float:
    """get_lr of its train.py, with its defaults scaled to a short run."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return 0.1 * peak + 0.9 * peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def load_ours(run: Path) -> Any:
    from tuppence.model.weights import load_model

    model = load_model(run)
    return lambda x, y: model(x)


def score(logits_of: Any, data: Path) -> float:
    """Mean nats per token over windows spread evenly over the held-out split, in float32."""
    import torch

    from tuppence.data.batches import evaluation_batches
    from tuppence.data.shards import TokenShards

    val = TokenShards.open(data, "val", verify="size")
    total, count = 0.0, 0
    with torch.no_grad():
        for x, y in evaluation_batches(val, context_length=CONTEXT, batch_size=8, max_windows=WINDOWS):
            inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
            logits = logits_of(inputs, targets)
            total += float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum"))
            count += targets.numel()
    return total / count


if __name__ == "__main__":
    main()
