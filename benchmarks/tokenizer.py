"""Training and bulk encoding of tokenizers: tuppence against `tokenizers`, `rustbpe` and bare `tiktoken`.

    python benchmarks/tokenizer.py [--input novels.txt.gz] [--vocab-size 8192] [--repeats 3] [--only train|encode]

Without --input they learn from 20,000 of our own made-up stories.

All learn from the same blocks of the same text, with GPT-2's pattern, and take turns in one process; the median of
the wall time counts. CPU seconds (of all threads and child processes) stand beside it: they move less on a machine
that others use too. That rustbpe learned the same tokens, and tiktoken gave the same ids, is checked. Memory is the
business of `benchmarks/memory.py`.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rustbpe
import tiktoken
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers import pre_tokenizers, trainers
from tokenizers.models import BPE

from tuppence.synthetic import iter_stories
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.patterns import GPT2, split_safely

BLOCK_CHARACTERS = 2**16  # tokenizers is slower with larger ones, the others do not mind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, help="a text to learn from, .txt or .txt.gz")
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["train", "encode"], help="one of the two parts")
    options = parser.parse_args()
    text = "\n".join(iter_stories(20_000, seed=0)) if options.input is None else read(options.input)
    blocks = list(split_safely(text.replace("<|endoftext|>", ""), BLOCK_CHARACTERS))
    print(f"{len(text.encode()) / 1e6:.1f} MB, vocabulary {options.vocab_size:,}, {os.cpu_count()} cores\n")
    if options.only != "encode":
        compare_training(blocks, options.vocab_size, options.repeats)
    if options.only != "train":
        compare_encoding(blocks, options.vocab_size, options.repeats)


def read(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


def compare_training(blocks: list[str], vocab_size: int, repeats: int) -> None:
    """One row for each trainer, and whether rustbpe agrees with us token by token."""
    learned: dict[str, Any] = {}

    def ours() -> None:
        learned["tuppence"] = train_tokenizer(blocks, vocab_size, special_tokens=())

    def rust() -> None:
        learned["rustbpe"] = rustbpe.Tokenizer()
        learned["rustbpe"].train_from_iterator(iter(blocks), vocab_size, pattern=GPT2.published)

    def hugging_face() -> None:
        peer = HuggingFaceTokenizer(BPE())
        peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
        peer.train_from_iterator(blocks, trainer)

    take_turns("training", {"tuppence": ours, "rustbpe": rust, "tokenizers": hugging_face}, repeats)
    theirs = {bytes(token): rank for token, rank in learned["rustbpe"].get_mergeable_ranks()}
    same = theirs == dict(learned["tuppence"].vocabulary.ranks)
    print(f"rustbpe learned the same tokens in the same order: {'yes' if same else 'NO'}\n")


def compare_encoding(blocks: list[str], vocab_size: int, repeats: int) -> None:
    """One row for each way to encode; ours add a check for white space and a choice of dtype to tiktoken's."""
    tokenizer = train_tokenizer(blocks[: max(1, len(blocks) // 8)], vocab_size)
    bare = bare_tiktoken(tokenizer)
    pieces = ["".join(blocks[row : row + 16]) for row in range(0, min(len(blocks), 160), 16)]
    megabytes = sum(len(piece.encode()) for piece in pieces) / 1e6
    assert [bare.encode_ordinary(piece) for piece in pieces] == [tokenizer.encode(piece) for piece in pieces]
    take_turns(
        f"encoding {megabytes:.1f} MB",
        {
            "tuppence encode": lambda: [tokenizer.encode(piece) for piece in pieces],
            "tiktoken encode_ordinary": lambda: [bare.encode_ordinary(piece) for piece in pieces],
            "tuppence encode_to_array": lambda: [tokenizer.encode_to_array(piece) for piece in pieces],
            "tiktoken encode, np.array": lambda: [
                np.array(bare.encode_ordinary(piece), dtype=np.uint16) for piece in pieces
            ],
            "tuppence encode_batch": lambda: tokenizer.encode_batch(pieces, threads=2),
            "tiktoken encode_batch": lambda: bare.encode_ordinary_batch(pieces, num_threads=2),
        },
        repeats,
        megabytes,
    )


def bare_tiktoken(tokenizer: Tokenizer) -> tiktoken.Encoding:
    """The same vocabulary in tiktoken itself."""
    return tiktoken.Encoding(
        "bare",
        pat_str=GPT2.expression,
        mergeable_ranks=dict(tokenizer.vocabulary.ranks),
        special_tokens=tokenizer.special_tokens,
    )


def take_turns(title: str, contenders: dict[str, Callable[[], object]], repeats: int, megabytes: float = 0.0) -> None:
    """Runs all contenders in turn, `repeats` times, and prints the medians; the first row is the measure."""
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            wall, cpu = time.perf_counter(), cpu_seconds()
            run()
            figures[name].append((time.perf_counter() - wall, cpu_seconds() - cpu))
    print(f"{title:28} {'wall s':>8} {'CPU s':>8} {'wall, of first':>15}" + (f" {'MB/s':>8}" if megabytes else ""))
    measure = statistics.median(wall for wall, _ in next(iter(figures.values())))
    for name, runs in figures.items():
        wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        speed = f" {megabytes / wall:8.1f}" if megabytes else ""
        print(f"{name:28} {wall:8.2f} {cpu:8.2f} {wall / measure:14.2f}x{speed}")
    print()


def cpu_seconds() -> float:
    """CPU time of this process, its threads, and its finished children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
