"""Peak memory of `data prepare` and `tokenizer train` on a corpus and on ten times that corpus: is it flat?

    python benchmarks/memory.py --input novels.txt.gz

Each verb runs as the real command line in a process of its own; the resident memory of the whole process tree is
sampled from /proc every 20 ms (Linux only; pages shared between processes count in each, so the sums are upper
bounds). The large corpus is the small one's bytes several times in a row, which is a sound file for plain text,
rows, gzip and zstd alike.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Measurement:
    verb: str
    megabytes: float
    seconds: float
    peak_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, required=True, help="a .txt or .jsonl corpus, also .gz or .zst")
    parser.add_argument("--times", type=int, default=10, help="how much larger the large corpus is")
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--verbs", default="tokenizer train,data prepare", help="which to measure")
    options = parser.parse_args()
    verbs = [verb.strip() for verb in options.verbs.split(",")]
    with tempfile.TemporaryDirectory() as scratch:
        print(f"{'verb':18} {'input MB':>9} {'seconds':>9} {'peak MiB':>9}")
        for verb in verbs:
            small, large = (
                measure(verb, options.input, times, options.vocab_size, Path(scratch)) for times in (1, options.times)
            )
            print(f"{'':18} peak on {options.times}x the text: {large.peak_mib / small.peak_mib:.2f}x\n")


def measure(verb: str, corpus: Path, times: int, vocab_size: int, scratch: Path) -> Measurement:
    """Runs one verb on the corpus `times` in a row, and prints what it took."""
    large = scratch / f"{times}x-{corpus.name}"
    with large.open("wb") as out:
        for _ in range(times):
            with corpus.open("rb") as piece:
                shutil.copyfileobj(piece, out)
    tokenizer = scratch / "tokenizer"
    if verb == "data prepare" and not tokenizer.exists():
        run_and_watch(train_command(corpus, vocab_size, tokenizer))
    out_folder = scratch / f"{verb.replace(' ', '-')}-{times}"
    command = (
        train_command(large, vocab_size, out_folder)
        if verb == "tokenizer train"
        else ["data", "prepare", str(large), "--tokenizer", str(tokenizer), "--out", str(out_folder)]
    )
    seconds, peak = run_and_watch(command)
    done = Measurement(verb, large.stat().st_size / 1e6, seconds, peak / 2**20)
    print(f"{done.verb:18} {done.megabytes:9.1f} {done.seconds:9.1f} {done.peak_mib:9.0f}", flush=True)
    shutil.rmtree(out_folder)
    large.unlink()
    return done


def train_command(corpus: Path, vocab_size: int, out: Path) -> list[str]:
    return ["tokenizer", "train", str(corpus), "--vocab-size", str(vocab_size), "--out", str(out)]


def run_and_watch(arguments: list[str]) -> tuple[float, int]:
    """Runs `tuppence` and returns (seconds, peak bytes of the process tree)."""
    started, peak = time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, "-m", "tuppence", *arguments], stdout=said, stderr=said)
        while process.poll() is None:
            peak = max(peak, tree_bytes(process.pid))
            time.sleep(SAMPLE_SECONDS)
        if process.returncode:
            said.seek(0)
            sys.exit(f"tuppence {' '.join(arguments)} failed:\n{said.read()}")
    return time.monotonic() - started, peak


def tree_bytes(pid: int) -> int:
    """Resident bytes of a process and everything it started; 0 for one that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = " ".join(task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children"))
    except (FileNotFoundError, ProcessLookupError):
        return 0
    resident = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)
    return resident + sum(tree_bytes(int(child)) for child in children.split())


if __name__ == "__main__":
    main()
