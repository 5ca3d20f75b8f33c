"""Command lines of training verbs, and what a test reads of the runs that they write."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tuppence.core.json_lines import read_json_lines

SMALL = [
    *("model.preset=nano", "model.n_layers=2", "model.n_heads=2", "model.d_model=32", "model.context_length=32"),
    *("train.batch_size=8", "train.learning_rate=0.01", "train.warmup_steps=2", "train.log_every=1"),
    *("train.sample_tokens=5", "train.eval_tokens=1024"),
]


def settings(*more: str) -> list[str]:
    """The `--set` flags of a model that trains in seconds; later ones win."""
    return [word for pair in (*SMALL, *more) for word in ("--set", pair)]


def finetune_settings(*more: str) -> list[str]:
    """The `--set` flags of a finetune that takes seconds and computes exactly; later ones win."""
    pairs = ("train.batch_size=8", "train.log_every=1", "train.precision=float32", "train.sample_tokens=4", *more)
    return [word for pair in pairs for word in ("--set", pair)]


def finetune_line(verb: str, base: Path, data: Path, out: Path, *more: object, steps: int, **options: str) -> list[str]:
    """The words of `tuppence VERB` on a base; an option `train__seed="1"` becomes `--set train.seed=1`."""
    pairs = [f"{key.replace('__', '.')}={value}" for key, value in options.items()]
    words = [*verb.split(), "--base", base, "--data", data, "--out", out, "--max-steps", steps]
    return [str(word) for word in (*words, *finetune_settings(*pairs), *more)]


def column(run: Path, key: str) -> list[float]:
    """One key of every row of metrics.jsonl that has it."""
    return [row[key] for row in read_json_lines(run / "metrics.jsonl") if key in row]


def losses(run: Path) -> list[float]:
    """The training loss of every step."""
    return column(run, "loss")


def digest(run: Path, steps: int, *more: str) -> dict[str, str]:
    """What kills must not change: the hashes of model, adapter and last checkpoint.

    Args:
        steps: of the last checkpoint.
        more: further files or folders of the run.
    """
    files = [run / "model" / "model.safetensors", *sorted((run / "adapter").glob("*.safetensors"))]
    files += sorted((run / "checkpoints" / f"step-{steps:08d}").glob("*.safetensors"))
    for name in more:
        files += sorted((run / name).iterdir()) if (run / name).is_dir() else [run / name]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
