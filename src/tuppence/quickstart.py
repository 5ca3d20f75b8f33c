"""The whole life of a small model on the embedded default data, stage by stage.

Each stage is what a verb does, calls what that verb calls, and says which verb it was. A stage whose result stands is
passed over, so the same command again continues where it was stopped. Called by `tuppence quickstart`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core.console import note
from tuppence.core.rundir import RunDir
from tuppence.data.output import write_documents
from tuppence.data.prepare import prepare
from tuppence.data.sources import iter_texts
from tuppence.data.synthetic import iter_stories
from tuppence.evaluation.evaluate import Settings, evaluate
from tuppence.figures.report import write_report
from tuppence.model.text import generate_text
from tuppence.model.weights import load_model
from tuppence.tasks.pretrain import ModelChoice, PretrainConfig, run_pretraining
from tuppence.tasks.session import RunOptions
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.training.config import TrainConfig

STORIES, SEED, VOCABULARY = 20_000, 1, 4096
PROMPT = "One morning"

RECIPE = PretrainConfig(
    model=ModelChoice(preset="nano"),
    train=TrainConfig(
        batch_size=16,
        optimizer="muon",
        learning_rate=5e-3,
        warmup_steps=20,
        schedule="wsd",
        decay_fraction=0.7,
        final_learning_rate=0.0,
        eval_every=150,
        eval_tokens=32_768,
        sample_prompts=(PROMPT,),
        sample_tokens=50,
    ),
)
"""Also in configs/quickstart.yaml, which a test holds equal."""


@dataclass(frozen=True)
class Places:
    """Where the quickstart keeps what it makes."""

    root: Path

    @property
    def stories(self) -> Path:
        return self.root / "stories.txt"

    @property
    def tokenizer(self) -> Path:
        return self.root / "tokenizer"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def run(self) -> Path:
        return self.root / "pretrain"


def quickstart(
    root: Path, *, minutes: float = 2.5, stories: int = STORIES, max_steps: int | None = None
) -> dict[str, Any]:
    """Makes text, a tokenizer, token shards and a model below `root`; evaluates it and writes a report.

    Args:
        root: the folder for everything; made where it is missing, continued where it is not.
        minutes: how long to pretrain.
        stories: how many stories to make.
        max_steps: end pretraining after so many steps, too.

    Returns:
        The numbers of each stage, and the path of the report.
    """
    places = Places(root)
    results: dict[str, Any] = {"out": str(root)}
    for number, stage in enumerate(_stages(places, minutes, stories, max_steps), start=1):
        note(f"\n[{number}/6] {stage.title}\n      $ {stage.command}")
        started = time.monotonic()
        results[stage.name] = stage.do()
        note(f"      {time.monotonic() - started:.0f} s")
    return results


@dataclass(frozen=True)
class _Stage:
    name: str
    title: str
    command: str
    do: Callable[[], Any]


def _stages(places: Places, minutes: float, stories: int, max_steps: int | None) -> Iterator[_Stage]:
    train = RECIPE.train.model_copy(update={"max_steps": max_steps})
    recipe = RECIPE.model_copy(update={"train": train})
    yield _Stage(
        "stories",
        f"Make {stories:,} short stories to learn from",
        f"tuppence data synth stories --count {stories} --out {places.stories}",
        lambda: _make_stories(places.stories, stories),
    )
    yield _Stage(
        "tokenizer",
        "Learn a tokenizer from them",
        f"tuppence tokenizer train {places.stories} --vocab-size {VOCABULARY} --out {places.tokenizer}",
        lambda: _learn_tokenizer(places),
    )
    yield _Stage(
        "data",
        "Turn the stories into tokens, some held out",
        f"tuppence data prepare {places.stories} --tokenizer {places.tokenizer} --val-fraction 0.02"
        f" --out {places.data}",
        lambda: _prepare(places),
    )
    yield _Stage(
        "pretrain",
        "Pretrain a GPT on them",
        f"tuppence pretrain --data {places.data} --config configs/quickstart.yaml --max-minutes {minutes:g}"
        f" --out {places.run}",
        lambda: run_pretraining(places.data, places.run, recipe, RunOptions(max_minutes=minutes)),
    )
    yield _Stage(
        "evaluate",
        "Measure it on the stories that were held out",
        f"tuppence evaluate {places.run} --tasks perplexity --max-tokens 50000",
        lambda: _evaluate(places),
    )
    yield _Stage(
        "report",
        "Let it write, and put everything on one page",
        f"tuppence generate {places.run} --prompt '{PROMPT}' && tuppence report {places.run}",
        lambda: _write_and_report(places),
    )


def _make_stories(path: Path, count: int) -> dict[str, int]:
    if not path.exists():
        write_documents(path, iter_stories(count, SEED))
    sample = next(iter_stories(1, SEED))
    note("      " + sample.replace("\n", "\n      "))
    return {"stories": count, "bytes": path.stat().st_size}


def _learn_tokenizer(places: Places) -> dict[str, int]:
    if not (places.tokenizer / "tokenizer.json").exists():
        train_tokenizer(iter_texts([str(places.stories)]), VOCABULARY).save(places.tokenizer)
    tokenizer = Tokenizer.load(places.tokenizer)
    text = "The lighthouse keeper whispered."
    pieces = " | ".join(tokenizer.decode([token]) for token in tokenizer.encode(text))
    note(f"      {text!r} is cut into: {pieces}")
    return {"vocab_size": tokenizer.vocab_size}


def _prepare(places: Places) -> dict[str, int]:
    summary = prepare([str(places.stories)], Tokenizer.load(places.tokenizer), places.data, val_fraction=0.02)
    tokens = {split: numbers["tokens"] for split, numbers in summary.splits.items()}
    note("      " + ", ".join(f"{split}: {count:,} tokens" for split, count in tokens.items()))
    return tokens


def _evaluate(places: Places) -> dict[str, Any]:
    numbers = evaluate(places.run, settings=Settings(max_tokens=50_000))["perplexity"]
    note(f"      perplexity {numbers['perplexity']:.2f}, {numbers['bits_per_byte']:.3f} bits per byte")
    return numbers


def _write_and_report(places: Places) -> dict[str, str]:
    model, tokenizer = load_model(places.run), Tokenizer.load(RunDir(places.run).model)
    (completion,) = generate_text(model, tokenizer, [PROMPT], max_tokens=180, temperature=0.7, seed=SEED)
    note("      " + f"{PROMPT}{completion.text}".replace("\n", "\n      "))
    page = write_report(places.run)
    note(f"      open {page}")
    return {"sample": PROMPT + completion.text, "report": str(page)}
