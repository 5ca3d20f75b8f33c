"""How fast one sequence is written: tuppence against transformers' `generate`, gpt2-124m with random weights, batch 1.

    python benchmarks/generation.py [--model gpt2-124m] [--tokens 48] [--repeats 5] [--threads N] [--compile-peer]

Every token must read every weight once, so memory bandwidth is the limit: the script measures what this machine
reads per second, and prints each figure as a share of that bound. Both libraries write the same greedy tokens from the
same weights and prompt (checked), take turns in one process, and medians count: of the times, and of the ratios of
neighbouring times, which say how many times as fast tuppence is. transformers runs in its best mode
found: sdpa attention, inference mode; with `--compile-peer` also a static cache and `torch.compile` (a minute more).
Ours is compiled before the clock starts, too, where there is a C++ compiler; "ordinary" is ours without it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from tuppence.model.config import PRESETS
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import config_to_hugging_face, to_hugging_face
from tuppence.model.native import library


def main() -> None:
    parser = argparse.ArgumentParser(description="Generation speed at batch 1, against transformers.")
    parser.add_argument("--model", choices=sorted(PRESETS), default="gpt2-124m")
    parser.add_argument("--tokens", type=int, default=48, help="new tokens in each repeat")
    parser.add_argument("--prompt-tokens", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile-peer", action="store_true", help="also transformers with static cache, compiled")
    parser.add_argument("--threads", type=int, help="one thread is steadier on a machine that others use, too")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    start = time.perf_counter()
    found = library(build=True)
    print(f"compiled step: {'there' if found else 'none'} after {time.perf_counter() - start:.1f} s")

    torch.manual_seed(0)
    model = GPT(PRESETS[arguments.model]).eval()
    prompt = torch.randint(0, model.config.vocab_size, (arguments.prompt_tokens,)).tolist()
    print(
        f"{arguments.model}, batch 1, {arguments.prompt_tokens} + {arguments.tokens} tokens, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print(f"{'dtype':9} {'who':28} {'tok/s':>7} {'of bound':>9} {'tuppence is':>12}")
    for dtype in (torch.float32, torch.bfloat16):
        compare(model.to(dtype), prompt, arguments)


def compare(model: GPT, prompt: list[int], arguments: argparse.Namespace) -> None:
    """Takes turns, and prints one row for each contender."""
    runs: dict[str, Callable[[], Any]] = {
        "tuppence": lambda: ours(model, prompt, arguments.tokens),
        "tuppence (ordinary)": lambda: ordinary(model, prompt, arguments.tokens),
        **{
            f"transformers {name}": run
            for name, run in peers(model, prompt, arguments.tokens, arguments.compile_peer).items()
        },
    }
    written = {name: run() for name, run in runs.items()}  # warms up, too
    for name, ids in written.items():
        if ids != written["tuppence"] and model.token_embedding.weight.dtype == torch.float32:
            raise SystemExit(f"{name} wrote other tokens than tuppence: the comparison means nothing")

    seconds: dict[str, list[float]] = {name: [] for name in runs}
    bandwidths = []
    for _ in range(arguments.repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
        bandwidths.append(read_bandwidth())

    bandwidth = max(bandwidths)
    weight_bytes = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    bound = bandwidth / weight_bytes
    speeds = {name: arguments.tokens / statistics.median(times) for name, times in seconds.items()}
    times_faster = {
        name: statistics.median(theirs / mine for theirs, mine in zip(times, seconds["tuppence"], strict=True))
        for name, times in seconds.items()
    }
    dtype = str(model.token_embedding.weight.dtype).removeprefix("torch.")
    print(f"{dtype:9} {'bound: weights / bandwidth':28} {bound:7.1f} {'100 %':>9}   ({bandwidth / 1e9:.1f} GB/s)")
    for name, speed in speeds.items():
        print(f"{dtype:9} {name:28} {speed:7.1f} {speed / bound:9.0%} {times_faster[name]:11.2f}x", flush=True)


def ours(model: GPT, prompt: list[int], tokens: int) -> list[int]:
    return generate(model, [prompt], max_tokens=tokens, temperature=0)[0].ids


def ordinary(model: GPT, prompt: list[int], tokens: int) -> list[int]:
    os.environ["TUPPENCE_NATIVE"] = "0"
    try:
        return ours(model, prompt, tokens)
    finally:
        del os.environ["TUPPENCE_NATIVE"]


def peers(model: GPT, prompt: list[int], tokens: int, compiled: bool) -> dict[str, Callable[[], list[int]]]:
    """transformers' GPT-2 with the same weights, in each mode worth comparing."""
    import transformers

    transformers.logging.set_verbosity_error()
    dtype = model.token_embedding.weight.dtype
    values = {**config_to_hugging_face(model.config, dtype=dtype), "attn_implementation": "sdpa"}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config.from_dict(values)).to(dtype).eval()
    theirs.load_state_dict({**to_hugging_face(model.state_dict()), "lm_head.weight": model.token_embedding.weight})
    prompt_1T = torch.tensor([prompt])

    def run(**options: Any) -> list[int]:
        with torch.inference_mode():
            out_1T = theirs.generate(
                prompt_1T,
                attention_mask=torch.ones_like(prompt_1T),
                do_sample=False,
                max_new_tokens=tokens,
                pad_token_id=0,
                **options,
            )
        ids: list[int] = out_1T[0, len(prompt) :].tolist()
        return ids

    modes = {"(sdpa)": run}
    if compiled:
        from transformers import CompileConfig

        config = CompileConfig(fullgraph=False, dynamic=False, mode="default")
        config._compile_all_devices = True
        modes["(static, compiled)"] = lambda: run(cache_implementation="static", compile_config=config)
    return modes


def read_bandwidth() -> float:
    """Bytes a second that all threads together read from memory: the sum over 512 MiB, best of three."""
    numbers = torch.ones(2**27)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        numbers.sum()
        best = min(best, time.perf_counter() - start)
    return numbers.numel() * 4 / best


if __name__ == "__main__":
    main()
