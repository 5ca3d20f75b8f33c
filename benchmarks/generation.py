"""How fast sequences are written: tuppence against transformers' `generate`, gpt2-124m with random weights.

    python benchmarks/generation.py [--model gpt2-124m] [--tokens 48] [--repeats 5] [--threads N] [--compile-peer]
    python benchmarks/generation.py --batches 1,64      on a GPU where there is one: several sequences at once

Every token must read every weight once, so memory bandwidth is the limit: the script measures what this machine
reads per second, and prints each figure as a share of that bound. Both libraries write the same greedy tokens from the
same weights and prompt (checked), take turns in one process, and medians count: of the times, and of the ratios of
neighbouring times, which say how many times as fast tuppence is. transformers runs in its best mode
found: sdpa attention, inference mode; with `--compile-peer` also a static cache and `torch.compile` (a minute more).
Ours is compiled before the clock starts, too, where there is a C++ compiler; "ordinary" is ours without it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tuppence.model.config import PRESETS
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import config_to_hugging_face, to_hugging_face
from tuppence.model.native import library
from tuppence.model.sampling import Sampling


def main() -> None:
    parser = argparse.ArgumentParser(description="Generation speed at batch 1, against transformers.")
    parser.add_argument("--model", choices=sorted(PRESETS), default="gpt2-124m")
    parser.add_argument("--tokens", type=int, default=48, help="new tokens in each repeat")
    parser.add_argument("--prompt-tokens", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", default="1", help="sequences at a time, separated by commas")
    parser.add_argument("--json", type=Path, help="write tokens a second here too")
    parser.add_argument("--compile-peer", action="store_true", help="also transformers with static cache, compiled")
    parser.add_argument("--threads", type=int, help="one thread is steadier on a machine that others use, too")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    start = time.perf_counter()
    found = library(build=True)
    print(f"compiled step: {'there' if found else 'none'} after {time.perf_counter() - start:.1f} s")

    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = GPT(PRESETS[arguments.model]).to(device).eval()
    print(
        f"{arguments.model}, {arguments.prompt_tokens} + {arguments.tokens} tokens, {device}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print(f"{'dtype':9} {'batch':>5} {'who':28} {'tok/s':>8} {'of bound':>9} {'tuppence is':>12}")
    figures: dict[str, float] = {}
    for dtype in (torch.float32, torch.float16 if device == "cuda" and not has_bf16() else torch.bfloat16):
        for batch in map(int, arguments.batches.split(",")):
            figures |= compare(model.to(dtype), batch, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures))


def has_bf16() -> bool:
    return torch.cuda.get_device_capability()[0] >= 8


def compare(model: GPT, batch: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Takes turns, and prints one row for each contender; returns tokens a second."""
    length, vocabulary = arguments.prompt_tokens, model.config.vocab_size
    prompts = torch.randint(0, vocabulary, (batch, length), generator=torch.Generator().manual_seed(0)).tolist()
    runs: dict[str, Callable[[], Any]] = {
        "tuppence": lambda: ours(model, prompts, arguments.tokens),
        "tuppence (ordinary)": lambda: ordinary(model, prompts, arguments.tokens),
    }
    if importlib.util.find_spec("transformers"):
        for name, run in peers(model, prompts, arguments.tokens, arguments.compile_peer).items():
            runs[f"transformers {name}"] = run
    written = {name: run() for name, run in runs.items()}  # warms up, too
    for name, ids in written.items():
        if ids != written["tuppence"] and model.token_embedding.weight.dtype == torch.float32:
            raise SystemExit(f"{name} wrote other tokens than tuppence: the comparison means nothing")

    seconds: dict[str, list[float]] = {name: [] for name in runs}
    bandwidths = []
    device = model.token_embedding.weight.device.type
    for _ in range(arguments.repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
        bandwidths.append(read_bandwidth(device))

    bandwidth = max(bandwidths)
    weight_bytes = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    bound = batch * bandwidth / weight_bytes
    speeds = {name: batch * arguments.tokens / statistics.median(times) for name, times in seconds.items()}
    times_faster = {
        name: statistics.median(theirs / mine for theirs, mine in zip(times, seconds["tuppence"], strict=True))
        for name, times in seconds.items()
    }
    dtype = str(model.token_embedding.weight.dtype).removeprefix("torch.")
    row = f"{dtype:9} {batch:5d}"
    print(f"{row} {'bound: weights / bandwidth':28} {bound:8.1f} {'100 %':>9}   ({bandwidth / 1e9:.1f} GB/s)")
    for name, speed in speeds.items():
        print(f"{row} {name:28} {speed:8.1f} {speed / bound:9.0%} {times_faster[name]:11.2f}x", flush=True)
    return {f"{dtype} x{batch} {name}": speed for name, speed in speeds.items()}


def ours(model: GPT, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    return [one.ids for one in generate(model, prompts, Sampling(max_tokens=tokens, temperature=0))]


def ordinary(model: GPT, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    os.environ["TUPPENCE_NATIVE"] = "0"
    try:
        return ours(model, prompts, tokens)
    finally:
        del os.environ["TUPPENCE_NATIVE"]


def peers(
    model: GPT, prompts: list[list[int]], tokens: int, compiled: bool
) -> dict[str, Callable[[], list[list[int]]]]:
    """transformers' GPT-2 with the same weights, in each mode worth comparing."""
    import transformers

    transformers.logging.set_verbosity_error()
    weight = model.token_embedding.weight
    values = {**config_to_hugging_face(model.config, dtype=weight.dtype), "attn_implementation": "sdpa"}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config.from_dict(values)).to(weight.dtype).eval()
    theirs.load_state_dict({**to_hugging_face(model.state_dict()), "lm_head.weight": weight})
    theirs.to(weight.device)
    prompts_BT = torch.tensor(prompts, device=weight.device)

    def run(**options: Any) -> list[list[int]]:
        with torch.inference_mode():
            out_BT = theirs.generate(
                prompts_BT,
                attention_mask=torch.ones_like(prompts_BT),
                do_sample=False,
                max_new_tokens=tokens,
                pad_token_id=0,
                **options,
            )
        ids: list[list[int]] = out_BT[:, prompts_BT.shape[1] :].tolist()
        return ids

    modes = {"(sdpa)": run}
    if compiled:
        from transformers import CompileConfig

        config = CompileConfig(fullgraph=False, dynamic=False, mode="default")
        config._compile_all_devices = True
        modes["(static, compiled)"] = lambda: run(cache_implementation="static", compile_config=config)
    return modes


def read_bandwidth(device: str) -> float:
    """Bytes a second that the device reads from its memory: the sum over 512 MiB, best of three."""
    numbers = torch.ones(2**27, device=device)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        numbers.sum().item()
        best = min(best, time.perf_counter() - start)
    return numbers.numel() * 4 / best


if __name__ == "__main__":
    main()
