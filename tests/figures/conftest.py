"""A run folder as training leaves it, the evaluation of a classifier, hostile text, and a parser of pages."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

NASTY = '<script>alert(1)</script> & "quotes" </pre><img src=x onerror=alert(2)> \' \u202e'


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _make_run(folder: Path, steps: int = 400) -> Path:
    """A finished run of two attempts with a rate, a budget, samples and an evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(0)
    metrics = []
    for step in range(1, steps + 1):
        loss = 5.1 + 3.9 * math.exp(-step / 60) + chance.gauss(0, 0.08)
        row = {
            "step": step,
            "loss": loss,
            "learning_rate": 1e-3 * min(step / 40, 0.55 + 0.45 * math.cos(math.pi * step / steps)),
            "grad_norm": 0.8 + math.exp(-step / 30) * 4 + abs(chance.gauss(0, 0.1)),
            "tokens": step * 2048,
            "tokens_per_second": 2600 + chance.gauss(0, 60),
            "mfu": 0.61,
            "seconds": step * 0.8,
        }
        if step % 50 == 0:
            row["val_loss"] = 5.15 + 3.9 * math.exp(-step / 60)
        metrics.append(row)
    _lines(folder / "metrics.jsonl", metrics)
    story = " night, and the rain came down upon the roofs of the old town in a manner most unkind."
    _lines(
        folder / "samples.jsonl",
        [{"step": step, "prompt": "It was a dark and stormy", "text": story} for step in range(50, steps + 1, 50)]
        + [{"step": steps, "prompt": "Once, " + NASTY, "text": NASTY}],
    )
    rate = {"rate_usd_per_hour": 0.736, "rate_source": "--rate 0.736", "cap_usd": 0.1}
    ledger = []
    for attempt, seconds, before in ((1, 120, 0.0), (2, 240, 120.0)):
        for second in range(0, seconds + 1, 5):
            event = "start" if second == 0 else "end" if (attempt, second) == (2, seconds) else "tick"
            dollars = (before + second) / 3600 * 0.736
            ledger.append({"attempt": attempt, "event": event, "seconds": second, "dollars": dollars, **rate})
    _lines(folder / "ledger.jsonl", ledger)
    record = {
        "version": 1,
        "verb": "pretrain",
        "status": "done",
        "ended_because": "reached --max-steps 400",
        "started": "2026-01-05T10:00:00Z",
        "ended": "2026-01-05T10:06:00Z",
        "seed": 1337,
        "config": {
            "model": {"preset": "tiny", "n_layers": 6, "n_heads": 6, "d_model": 384, "context_length": 256},
            "train": {"batch_size": 8, "learning_rate": 0.001, "max_steps": 400, "compile": True, "note": NASTY},
        },
        "limits": {"max_steps": 400, "max_minutes": None, "budget_usd": 0.1},
        "machine": {"precision": "bf16", "compile": True, "ranks": 1},
        "parameters": 13_890_048,
        "versions": {"tuppence": "0.1.0", "python": "3.11.7", "torch": "2.13.0"},
        "environment": {"device": "cpu", "precision": "bf16", "cpu": "Some Xeon", "cores": 2},
        "git_commit": "0123456789abcdef",
        "data": {"path": "runs/novels", "fingerprint": "ab" * 32, "tokens": 17_000_000},
        "tokenizer": {"fingerprint": "cd" * 32, "vocab_size": 8192},
        "result": {
            "steps": steps,
            "tokens": steps * 2048,
            "best_val_loss": metrics[-1].get("val_loss"),
            "best_step": steps,
            "model_step": steps,
            "model_because": "the last and the best",
            "train_seconds": 318.0,
            "startup_seconds": 14.2,
            "evaluation_seconds": 16.5,
            "checkpoint_seconds": 6.3,
            "tokens_per_second": 2604.0,
            "mfu": 0.61,
            "dollars": 0.0736,
        },
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(record, sort_keys=False, allow_unicode=True), encoding="utf-8")
    score = {"loss": 5.067, "perplexity": 158.7, "bits_per_byte": 1.732, "tokens": 903_112, "bytes": 3_502_000}
    evaluation = {"perplexity": {**score, "context_length": 256, "stride": 128, "data": "val.txt"}}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    return folder


VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Outline(HTMLParser):
    """The elements of a page, checked for being closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="session")
def nasty() -> str:
    """Text that would run scripts or reverse the text around it if a page did not escape it."""
    return NASTY


@pytest.fixture(scope="session")
def lines() -> Callable[[Path, list[dict[str, Any]]], None]:
    """Writes rows as JSON lines."""
    return _lines


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    """Makes a finished run of two attempts: `make_run(folder, steps=400)`."""
    return _make_run


@pytest.fixture(scope="session")
def outline() -> type[_Outline]:
    """Parses a page into `.tags` and `.words`; fails where an element is not closed in order."""
    return _Outline


def assert_self_contained(page: str) -> None:
    """Fails where a page asks another host for something, runs a script, or has an id twice."""
    assert "://" not in page
    assert not re.search(r"<(script|link|iframe|img|object|embed)\b", page)
    assert not re.search(r"@import|url\((?!#)", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def _scores(accuracy: float) -> dict[str, Any]:
    names = ("accuracy", "f1", "macro_f1", "auc", "brier", "ece")
    return {
        **{name: accuracy - place / 100 for place, name in enumerate(names)},
        "f1_of": "spam",
        "intervals": {name: [accuracy - 0.1, min(accuracy + 0.02, 1.0)] for name in names},
    }


def make_numbers(text: str = "You have won", label: str = "spam") -> dict[str, Any]:
    """The evaluation of a classifier, with a text and a label from the data."""
    return {
        **_scores(0.97),
        "f1_of": label,
        "rows": 300,
        "labels": ["ham", label],
        "classes": {
            name: {
                "rows": 150,
                "precision": 0.98,
                "recall": 0.96,
                "f1": 0.97,
                "intervals": {key: [0.9, 1.0] for key in ("precision", "recall", "f1")},
            }
            for name in ("ham", label)
        },
        "confusion": [[146, 4], [5, 145]],
        "reliability": [
            {"confidence": 0.66, "accuracy": 0.5, "rows": 12},
            {"confidence": 0.99, "accuracy": 0.98, "rows": 288},
        ],
        "roc": {"false_positive_rate": [0, 0.02, 1], "true_positive_rate": [0, 0.96, 1]},
        "mistakes": [{"text": text, "label": label, "predicted": "ham", "probability": 0.93}],
        "baselines": {"majority class": _scores(0.5), "TF-IDF + logistic regression": _scores(0.95)},
        "verdict": f"The language model beats {text}.",
    }


@pytest.fixture
def numbers() -> dict[str, Any]:
    """The evaluation of a classifier."""
    return make_numbers()
